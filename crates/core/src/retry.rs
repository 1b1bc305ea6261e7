//! How long, and how often, what met a conflict is tried again.

use std::time::{Duration, Instant};

use tracing::debug;

use crate::{
    Error, ErrorKind, Outcome, Result,
    telemetry::{TARGET, milliseconds},
};

/// How often to try, for how long, and how long to pause in between.
///
/// Pauses grow exponentially and are drawn at random from nothing to the bound ("full jitter"), so that those who
/// collided do not collide again.
///
/// Source: "Exponential Backoff And Jitter", AWS Architecture Blog; TiDB's dev-guide-transaction-troubleshoot.md asks for
/// bounded retries with a growing, randomised pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    deadline: Duration,
    first_pause: Duration,
    longest_pause: Duration,
}

impl RetryPolicy {
    /// For one statement that commits by itself: cheap to repeat, so for up to 10 s, with pauses of at most 100 ms.
    #[must_use]
    pub fn statement() -> Self {
        Self {
            max_attempts: u32::MAX,
            deadline: Duration::from_secs(10),
            first_pause: Duration::from_millis(2),
            longest_pause: Duration::from_millis(100),
        }
    }

    /// For a transaction: up to 10 attempts within 30 s, with pauses of 10 ms doubling to at most a second.
    #[must_use]
    pub fn transaction() -> Self {
        Self {
            max_attempts: 10,
            deadline: Duration::from_secs(30),
            first_pause: Duration::from_millis(10),
            longest_pause: Duration::from_secs(1),
        }
    }

    /// How often to try at most, the first time included; 0 counts as 1.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The time after which no further attempt is started.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The bound of the first pause, doubled each time, and the bound of all.
    #[must_use]
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first;
        self.longest_pause = longest;
        self
    }

    /// Starts the clock of a first attempt.
    #[must_use]
    pub fn start(self) -> Retry {
        Retry { policy: self, started: Instant::now(), attempts: 1 }
    }
}

/// Attempts under way.
#[derive(Clone, Debug)]
pub struct Retry {
    policy: RetryPolicy,
    started: Instant,
    attempts: u32,
}

impl Retry {
    /// How many attempts have been started.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// After an attempt failed with a conflict: how long to pause before the next one.
    ///
    /// # Errors
    /// `error` itself when it is no conflict that left everything unchanged, or when the policy allows no further
    /// attempt.
    pub fn after(&mut self, error: Error) -> Result<Duration> {
        let conflict = error.kind() == ErrorKind::Conflict && error.outcome() == Outcome::Retryable;
        if conflict { self.pause(error.kind()).ok_or(error) } else { Err(error) }
    }

    /// After an attempt failed with `kind`, in a way that allows another: how long to pause before it; `None` when the
    /// policy allows no more.
    pub fn pause(&mut self, kind: ErrorKind) -> Option<Duration> {
        let Self { policy, started, attempts } = self;
        if *attempts >= policy.max_attempts || started.elapsed() >= policy.deadline {
            return None;
        }
        let doubled = policy.first_pause.saturating_mul(2_u32.saturating_pow(*attempts - 1));
        *attempts += 1;
        let pause = doubled.min(policy.longest_pause).mul_f64(fastrand::f64());
        let pause_ms = milliseconds(pause);
        debug!(target: TARGET, attempt = *attempts, "error.type" = ?kind, pause_ms, "trying again");
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflict() -> Error {
        Error::new(ErrorKind::Conflict, "deadlock")
    }

    #[test]
    fn only_a_conflict_that_changed_nothing_is_tried_again() {
        let mut retry = RetryPolicy::statement().start();
        assert!(retry.after(conflict()).is_ok());
        assert!(retry.after(conflict().with_outcome(Outcome::Unknown)).is_err());
        assert!(retry.after(Error::new(ErrorKind::ConnectionLost, "lost")).is_err());
        assert_eq!(retry.attempts(), 2);
    }

    #[test]
    fn attempts_and_time_are_bounded() {
        let mut thrice = RetryPolicy::statement().with_max_attempts(3).start();
        assert!(thrice.after(conflict()).is_ok() && thrice.after(conflict()).is_ok());
        assert!(thrice.after(conflict()).is_err());
        let mut late = RetryPolicy::statement().with_deadline(Duration::ZERO).start();
        assert!(late.after(conflict()).is_err());
    }

    #[test]
    fn pauses_grow_to_their_bound() {
        let ms = Duration::from_millis;
        let mut retry = RetryPolicy::statement().with_pauses(ms(2), ms(100)).start();
        for bound in [2, 4, 8, 16, 32, 64, 100, 100, 100] {
            assert!(retry.after(conflict()).expect("a pause") <= ms(bound));
        }
        for _ in 0..100 {
            assert!(retry.after(conflict()).expect("a pause") <= ms(100));
        }
    }
}
