//! What serves any application: where the server is, how to reach it, and how connections are pooled.

mod config;
mod failure;
pub mod pool;

pub use config::{ConnectionConfig, Deployment, Password, TlsMode};
