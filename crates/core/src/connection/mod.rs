//! What serves any application: where the server is, how to reach it, and how connections are pooled.

mod clock;
mod config;
mod failure;
pub mod pool;
mod settings;

pub use config::{ConnectionConfig, Deployment, Password, TlsMode};
pub use settings::{FoundSetting, Setting, Settings};
