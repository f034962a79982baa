//! How long rules take: the one place of the engine that looks at a wall clock, and only for the operator.
use std::time::{Duration, Instant};

/// Runs something and says how long it took.
pub(crate) fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = run();
    (result, started.elapsed())
}
