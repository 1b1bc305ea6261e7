//! One module a command.

pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod playground;
pub(crate) mod run;

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::de::DeserializeOwned;
use tidb_connect_core::{Error, ErrorKind, Result};

use crate::failure::{Failure, unwritable};

/// Reads what `command` has printed.
fn read<T: DeserializeOwned>(path: &Path, command: &str) -> Result<T> {
    let unreadable = |cause: io::Error| {
        let message = format!("{} is not a run of tidb-connect {command}", path.display());
        Error::new(ErrorKind::Config, message).with_source(cause)
    };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    serde_json::from_str(&text).map_err(|error| unreadable(error.into()))
}

/// Writes a result to stdout.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(())
}

/// In columns; 80 where there is no terminal.
fn terminal_width() -> u16 {
    u16::try_from(textwrap::termwidth()).unwrap_or(u16::MAX)
}

/// A bar on stderr, where that is a terminal.
fn progress_bar(length: u64, template: &str) -> ProgressBar {
    // The templates are known to be right.
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
