//! What a check says when a promise is broken.

use std::{error::Error as StdError, fmt, iter};

use tidb_connect_core::{Error, ErrorKind, players::LoadError};

/// How much of a value is shown, in characters.
const LONGEST: usize = 1_000;

/// Why a check failed: what was expected and what came instead.
pub struct Failure(String);

impl Failure {
    /// A failure that says `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// An error where none was expected: `what`, then every cause.
    pub(crate) fn caused(what: &str, error: &(dyn StdError + 'static)) -> Self {
        Self(chain(Some(error)).fold(what.to_owned(), |text, cause| format!("{text}\n  {cause}")))
    }
}

/// An error and all causes below it.
pub(crate) fn chain<'a>(
    error: Option<&'a (dyn StdError + 'static)>,
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(error, |&error| error.source())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let what = format!("a call that must succeed failed with {:?} ({:?}):", error.kind(), error.outcome());
        Self::caused(&what, &error)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::caused("a load that must succeed failed:", &error)
    }
}

/// Fails unless `came` is `expected`.
pub(crate) fn equal<A, B>(what: &str, came: A, expected: B) -> Result<(), Failure>
where
    A: fmt::Debug + PartialEq<B>,
    B: fmt::Debug,
{
    holds(&contrast(what, &format!("{expected:?}"), &format!("{came:?}")), came == expected)
}

/// Fails unless it is `true`.
pub(crate) fn holds(what: &str, it: bool) -> Result<(), Failure> {
    if it { Ok(()) } else { Err(Failure::new(what)) }
}

/// Fails unless `result` is an error of `kind`.
pub(crate) fn refused<T: fmt::Debug>(what: &str, result: Result<T, Error>, kind: ErrorKind) -> Result<Error, Failure> {
    match result {
        Err(error) if error.kind() == kind => Ok(error),
        other => Err(Failure(contrast(what, &format!("an error of kind {kind:?}"), &format!("{other:?}")))),
    }
}

pub(crate) fn contrast(what: &str, expected: &str, came: &str) -> String {
    format!("{what}\n  expected: {expected:.LONGEST$}\n  came:     {came:.LONGEST$}")
}
