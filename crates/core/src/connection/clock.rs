//! The operation time-out of a connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    runtime::{self, Handle},
    time::{Instant, Sleep, sleep_until},
};

/// Limits one wait after another, by one timer that stays armed in between: to set one for each call cost more
/// instructions than all else that a pool does. It goes off once in a `limit` at most, and is set again where the wait has
/// begun since.
#[derive(Default)]
pub(super) struct Clock {
    timer: Option<Timer>,
    /// Of the wait that is under way.
    deadline: Option<Instant>,
}

struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// The timer is this runtime's: another has to set its own.
    runtime: runtime::Id,
}

impl Clock {
    pub(super) fn stop(&mut self) {
        self.deadline = None;
    }

    /// Whether `limit`, which is the same each time, has passed since this was first asked after a [`stop`](Self::stop).
    pub(super) fn poll_passed(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if self.deadline.is_none() {
            // A limit beyond the end of time never passes.
            let Some(deadline) = Instant::now().checked_add(limit) else { return Poll::Pending };
            self.start(deadline);
        }
        let (Some(deadline), Some(Timer { sleep, .. })) = (self.deadline, &mut self.timer) else {
            return Poll::Pending;
        };
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }

    fn start(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
        let runtime = Handle::current().id();
        if self.timer.as_ref().is_none_or(|timer| timer.runtime != runtime) {
            self.timer = Some(Timer { sleep: Box::pin(sleep_until(deadline)), runtime });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Whether the clock says, this long after it was first asked, that the limit has passed.
    async fn passed(clock: &mut Clock, within: Duration) -> bool {
        timeout(within, poll_fn(|cx| clock.poll_passed(LIMIT, cx))).await.is_ok()
    }

    fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
        let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(work)
    }

    #[test]
    fn each_wait_has_the_whole_limit() {
        on_a_runtime(async {
            let mut clock = Clock::default();
            for _ in 0..3 {
                assert!(!passed(&mut clock, LIMIT - Duration::from_secs(1)).await);
                clock.stop();
            }
            assert!(!passed(&mut clock, LIMIT / 2).await);
            // Without a stop it is the same wait.
            assert!(passed(&mut clock, LIMIT - Duration::from_secs(1)).await);
            clock.stop();
            assert!(!passed(&mut clock, LIMIT - Duration::from_secs(1)).await);
            assert!(passed(&mut clock, LIMIT).await);
        });
    }

    #[test]
    fn it_goes_on_another_runtime() {
        let mut clock = Clock::default();
        for _ in 0..2 {
            assert!(on_a_runtime(passed(&mut clock, 2 * LIMIT)));
            clock.stop();
        }
    }

    #[test]
    fn a_limit_beyond_the_end_of_time_never_passes() {
        on_a_runtime(async {
            let mut clock = Clock::default();
            let asked = timeout(LIMIT, poll_fn(|cx| clock.poll_passed(Duration::MAX, cx))).await;
            assert!(asked.is_err());
        });
    }
}
