use std::error::Error as StdError;
use std::fmt;

/// Why a playground could not be found, started or stopped.
///
/// It displays as text for the person at the terminal, of several lines where that helps: what to install, or the end
/// of the server's log.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// For `map_err`: what could not be done, with the reason as the source.
    pub(crate) fn because<E: StdError + Send + Sync + 'static>(message: impl Into<String>) -> impl FnOnce(E) -> Self {
        let message = message.into();
        move |source| Self { message, source: Some(Box::new(source)) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
