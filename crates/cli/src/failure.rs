//! How a command ends when it does not succeed.

use std::{error::Error as StdError, io, process::ExitCode};

use tidb_connect_core::{Error, ErrorKind};

use crate::say;

/// Documented in `--help` and the README.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Exit {
    Failed = 1,
    Settings = 2,
    NoConnection = 3,
    TableExists = 4,
    Interrupted = 130,
}

/// What went wrong, for a person: one sentence, then its causes, then what else to know.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    cause: Box<dyn StdError + Send + Sync>,
    notes: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { exit, cause: cause.into(), notes: Vec::new() }
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Prints it, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let mut said = self.cause.to_string();
        say(format_args!("error: {said}"));
        let mut next = self.cause.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some drivers repeat in each error the text of the one below.
            if !said.contains(&text) {
                say(format_args!("  caused by: {text}"));
            }
            said = text;
            next = cause.source();
        }
        for note in self.notes {
            say(format_args!("  {note}"));
        }
        ExitCode::from(self.exit as u8)
    }
}

/// Whoever reads stdout has gone, or the disk is full.
pub(crate) fn unwritable(error: io::Error) -> Error {
    Error::new(ErrorKind::Driver, "stdout cannot be written").with_source(error)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Config => Exit::Settings,
            ErrorKind::TableExists => Exit::TableExists,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<tidb_connect_playground::Error> for Failure {
    fn from(error: tidb_connect_playground::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}
