//! One round of one subject: tasks, their pace, and what is counted.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tidb_connect_core::{BoxError, Error, ErrorKind, Result};
use tokio::{
    runtime::Handle,
    sync::{Barrier, Semaphore, oneshot},
    task::JoinSet,
    time::timeout,
};

use crate::{Subject, data::Operations};

/// Beyond what a round should take. An operation of this workspace's stores ends within 40 s, retries included.
const PATIENCE: Duration = Duration::from_secs(120);

/// When a round's operations begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) warm_up: Duration,
    pub(crate) counted: Duration,
    /// Operations a second; without it, one after the other.
    pub(crate) rate: Option<f64>,
}

/// What was seen of one round, or of several. Latencies are in nanoseconds, and those of operations that succeeded.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) latencies: Histogram<u64>,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    /// Operations that were due in the round and had not begun long after its end. In the latencies they count with the
    /// time that they had waited until then.
    pub(crate) not_started: u64,
    /// Operations that succeeded.
    pub(crate) operations: u64,
    /// A second.
    pub(crate) throughput: f64,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        let latencies = Histogram::new(3).map_err(|error| broken(error.into()))?;
        Ok(Self { latencies, errors: 0, first_error: None, not_started: 0, operations: 0, throughput: 0.0 })
    }

    /// Counts another round of the same subject. The throughput stays as it is.
    pub(crate) fn add(&mut self, round: &Self) -> Result<()> {
        self.latencies.add(&round.latencies).map_err(|error| broken(error.into()))?;
        self.errors += round.errors;
        self.not_started += round.not_started;
        self.operations += round.operations;
        if self.first_error.is_none() {
            self.first_error.clone_from(&round.first_error);
        }
        Ok(())
    }

    fn record(&mut self, latency: Duration) {
        // The histogram grows with its values, up to centuries.
        let _ = self.latencies.record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    fn count(&mut self, latency: Duration, done: std::result::Result<(), BoxError>) {
        match done {
            Ok(()) => {
                self.operations += 1;
                self.record(latency);
            }
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| said(&*error));
            }
        }
    }
}

/// Puts load on `subject`, with as many tasks as there are `operations`. Dropped half-way, its tasks end at once; those of a
/// subject that blocks end with the round.
///
/// # Errors
/// When the round does not end. What operations report is counted.
pub(crate) async fn drive(subject: &Arc<dyn Subject>, operations: Vec<Operations>, pace: Pace) -> Result<Tally> {
    let limit = (pace.warm_up + pace.counted) * 2 + PATIENCE;
    let driven = async {
        match pace.rate {
            None => closed(subject, operations, pace).await,
            Some(rate) => open(subject, operations, pace, rate).await,
        }
    };
    timeout(limit, driven).await.unwrap_or_else(|_| {
        let message = format!("a round through {} did not end within {} s", subject.name(), limit.as_secs());
        Err(Error::new(ErrorKind::TimedOut, message))
    })
}

/// What the tasks of a round share.
#[derive(Debug)]
struct Round {
    subject: Arc<dyn Subject>,
    tally: Mutex<Tally>,
    together: Barrier,
}

impl Round {
    fn new(subject: &Arc<dyn Subject>, tasks: usize) -> Result<Arc<Self>> {
        let (subject, tally) = (Arc::clone(subject), Mutex::new(Tally::new()?));
        Ok(Arc::new(Self { subject, tally, together: Barrier::new(tasks) }))
    }

    fn count(&self, latency: Duration, done: std::result::Result<(), BoxError>) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(latency, done);
    }

    fn end(self: Arc<Self>) -> Result<Tally> {
        let round = Arc::into_inner(self).ok_or_else(|| broken("a task has not ended".into()))?;
        Ok(round.tally.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn closed(subject: &Arc<dyn Subject>, operations: Vec<Operations>, pace: Pace) -> Result<Tally> {
    let round = Round::new(subject, operations.len())?;
    let spans = together(subject.blocks(), operations, |operations| one_after_another(round.clone(), operations, pace));
    let spans = spans.await?;
    let tally = round.end()?;
    // Of all tasks together: where connections are handed out unfairly, one that makes all its operations in a row, and then
    // waits, would be fast for itself.
    let (first, last) = (spans.iter().map(|span| span.start).min(), spans.iter().map(|span| span.end).max());
    let took = first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first);
    Ok(Tally { throughput: tally.operations as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE), ..tally })
}

/// Gives when the task's first operation that counts began, and when its last one ended.
async fn one_after_another(round: Arc<Round>, mut operations: Operations, pace: Pace) -> Range<Instant> {
    round.together.wait().await;
    let counts_from = Instant::now() + pace.warm_up;
    let ends = counts_from + pace.counted;
    let (mut first, mut last) = (None, counts_from);
    loop {
        let operation = operations.next();
        let began = Instant::now();
        // Also of operations that take longer than a round each task makes one.
        if began >= ends && first.is_some() {
            break;
        }
        let done = round.subject.operate(&operation).await;
        last = Instant::now();
        if began >= counts_from {
            first.get_or_insert(began);
            round.count(last - began, done);
        }
    }
    first.unwrap_or(last)..last
}

async fn open(subject: &Arc<dyn Subject>, operations: Vec<Operations>, pace: Pace, rate: f64) -> Result<Tally> {
    let round = Round::new(subject, operations.len())?;
    let schedule = Schedule::start(pace, rate)?;
    let ends = together(subject.blocks(), operations, |operations| {
        when_due(round.clone(), operations, Arc::clone(&schedule), pace)
    });
    let last = ends.await?.into_iter().max();
    let mut tally = round.end()?;
    let counts_from = schedule.begins + pace.warm_up;
    let took = last.unwrap_or(counts_from).saturating_duration_since(counts_from).max(pace.counted);
    tally.throughput = tally.operations as f64 / took.as_secs_f64();
    // Whoever was due and was never begun has waited until now, at the least.
    let now = Instant::now();
    let begun = schedule.begun.load(Ordering::Relaxed).min(schedule.operations);
    for due in (begun..schedule.operations).map(|number| schedule.due(number)).filter(|due| *due >= counts_from) {
        tally.not_started += 1;
        tally.record(now.saturating_duration_since(due));
    }
    Ok(tally)
}

/// Gives when the task's last operation ended.
async fn when_due(round: Arc<Round>, mut operations: Operations, schedule: Arc<Schedule>, pace: Pace) -> Instant {
    let counts_from = schedule.begins + pace.warm_up;
    // A subject that cannot keep up is given as long again to make up for it.
    let gives_up = counts_from + pace.counted * 2;
    let mut last = schedule.begins;
    while let Some(due) = schedule.next(gives_up).await {
        let done = round.subject.operate(&operations.next()).await;
        last = Instant::now();
        if due >= counts_from {
            round.count(last.saturating_duration_since(due), done);
        }
    }
    last
}

/// When each operation is due.
///
/// A thread of its own waits for that, because it is woken within some 60 µs, and tokio's timers go by the millisecond.
#[derive(Debug)]
struct Schedule {
    begins: Instant,
    /// Operations a second.
    rate: f64,
    operations: u64,
    /// A permit for each that is due and not begun.
    due: Semaphore,
    begun: AtomicU64,
}

impl Schedule {
    fn start(pace: Pace, rate: f64) -> Result<Arc<Self>> {
        let operations = ((pace.warm_up + pace.counted).as_secs_f64() * rate).round() as u64;
        let schedule = Arc::new(Self {
            begins: Instant::now(),
            rate,
            operations,
            due: Semaphore::new(0),
            begun: AtomicU64::new(0),
        });
        let clock = Arc::downgrade(&schedule);
        let clock = thread::Builder::new().name("tidb-connect-bench-clock".into()).spawn(move || tick(&clock));
        clock.map_err(|error| broken(error.into()))?;
        Ok(schedule)
    }

    fn due(&self, number: u64) -> Instant {
        self.begins + Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// Waits for the next operation, and says when it was due; none when all have begun, or it is too late.
    async fn next(&self, gives_up: Instant) -> Option<Instant> {
        // The semaphore is closed when all that were due have been taken.
        let permit = self.due.acquire().await.ok()?;
        if Instant::now() >= gives_up {
            return None;
        }
        permit.forget();
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        if number + 1 == self.operations {
            self.due.close();
        }
        Some(self.due(number))
    }
}

/// Ends with the schedule, or when nobody follows it any more.
fn tick(schedule: &Weak<Schedule>) {
    let mut number = 0;
    loop {
        let Some(due) = schedule.upgrade().filter(|schedule| number < schedule.operations).map(|all| all.due(number))
        else {
            return;
        };
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if let Some(schedule) = schedule.upgrade() {
            schedule.due.add_permits(1);
        }
        number += 1;
    }
}

/// Runs a task for each of `operations`, and waits for all: on threads of their own for a subject that blocks.
async fn together<F>(
    blocks: bool,
    operations: Vec<Operations>,
    task: impl Fn(Operations) -> F,
) -> Result<Vec<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    // Ends its tasks when it is dropped.
    let mut tasks = JoinSet::new();
    for operations in operations {
        let task = task(operations);
        if blocks {
            let (ended, end) = oneshot::channel();
            let runtime = Handle::current();
            let thread = thread::Builder::new().name("tidb-connect-bench-task".into());
            // Who no longer waits for the end does not want to know it.
            let spawned = thread.spawn(move || drop(ended.send(runtime.block_on(task))));
            spawned.map_err(|error| broken(error.into()))?;
            tasks.spawn(async { end.await.map_err(|_| "a thread has panicked".into()) });
        } else {
            tasks.spawn(async { Ok(task.await) });
        }
    }
    let mut ended = Vec::with_capacity(tasks.len());
    while let Some(task) = tasks.join_next().await {
        ended.push(task.unwrap_or_else(|error| Err(BoxError::from(error))).map_err(broken)?);
    }
    Ok(ended)
}

fn broken(error: BoxError) -> Error {
    Error::new(ErrorKind::Driver, "the bench cannot go on").with_source(error)
}

/// An error and its causes, but for those that the one above repeats.
fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |error| error.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}
