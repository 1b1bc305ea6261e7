//! One module a command.

pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod playground;
pub(crate) mod run;

use std::{fs, io, path::Path};

use serde::de::DeserializeOwned;
use tidb_connect_core::{Error, ErrorKind, Result};

/// Reads what `command` has printed.
fn read<T: DeserializeOwned>(path: &Path, command: &str) -> Result<T> {
    let unreadable = |cause: io::Error| {
        let message = format!("{} is not a run of tidb-connect {command}", path.display());
        Error::new(ErrorKind::Config, message).with_source(cause)
    };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    serde_json::from_str(&text).map_err(|error| unreadable(error.into()))
}
