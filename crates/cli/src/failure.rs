//! How a command ends when it does not succeed.

use std::{error::Error as StdError, io, process::ExitCode};

use tidb_connect_core::{BoxError, Error, ErrorKind};

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
    /// Nobody reads the output any more: the code that a shell gives for SIGPIPE.
    Unread = 141,
}

/// What went wrong, for a person: one sentence, then its causes, then what else to know.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    cause: BoxError,
    /// What is said instead of the cause's own sentence.
    sentence: Option<String>,
    notes: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, cause: impl Into<BoxError>) -> Self {
        Self { exit, cause: cause.into(), sentence: None, notes: Vec::new() }
    }

    /// Something of the system's that has no code of its own.
    pub(crate) fn failed(error: io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    /// Replaces the first sentence, where there is one that says more.
    pub(crate) fn with_sentence(mut self, sentence: Option<String>) -> Self {
        self.sentence = sentence;
        self
    }

    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Prints it, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if matches!(self.exit, Exit::Unread) {
            return ExitCode::from(self.exit as u8);
        }
        say(format_args!("error: {}", self.sentence.unwrap_or_else(|| self.cause.to_string())));
        for cause in causes(&*self.cause) {
            say(format_args!("  caused by: {cause}"));
        }
        for note in self.notes {
            say(format_args!("  {note}"));
        }
        ExitCode::from(self.exit as u8)
    }
}

/// The texts of `error` and of all below it.
pub(crate) fn chain_of(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut said = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Some drivers repeat in each error the text of the one below.
        if said.last().is_none_or(|said| !said.contains(&text)) {
            said.push(text);
        }
        next = cause.source();
    }
    said
}

/// The texts of all below `error`.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> Vec<String> {
    chain_of(error).split_off(1)
}

const UNWRITABLE: &str = "stdout cannot be written";

/// Whoever reads stdout has gone, or the disk is full.
pub(crate) fn unwritable(error: io::Error) -> Error {
    Error::new(ErrorKind::Driver, UNWRITABLE).with_source(error)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        match (error.kind(), cause) {
            // Ctrl-C where a password is asked for.
            (ErrorKind::Config, Some(io::ErrorKind::Interrupted)) => Self::interrupted(),
            (ErrorKind::Config, _) => Self::new(Exit::Settings, error),
            (ErrorKind::TableExists, _) => Self::new(Exit::TableExists, error),
            (_, Some(io::ErrorKind::BrokenPipe)) if error.to_string() == UNWRITABLE => Self::new(Exit::Unread, error),
            _ => Self::new(Exit::Failed, error),
        }
    }
}

impl From<tidb_connect_playground::Error> for Failure {
    fn from(error: tidb_connect_playground::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}
