//! The worked example: players who trade goods for coins, behind one trait for every driver.

mod ext;
mod memory;
mod model;
pub mod sql;
mod store;
mod traced;
mod trade;

pub use ext::{Batches, FailedBatch, LoadError, PlayerStoreExt};
pub use memory::MemoryStore;
pub use model::{NewPlayer, Player, PlayerId, Trade, check_found, check_name, check_rows, is_valid_name};
pub use store::{PlayerStore, Status};
pub use traced::Traced;
pub use trade::{Attempt, Step};
