//! The org's clock: real time or a fixed start, which tests and the admin API move forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// The time of the simulator; clones share one clock.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Option<Timestamp>,
    moved_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Returns a clock with the machine's time plus the durations passed to [`Clock::advance`].
    #[must_use]
    pub fn system() -> Self {
        Self { start: None, moved_ms: Arc::default() }
    }

    /// Returns a clock that stands still at `start` until it is advanced.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self { start: Some(start), moved_ms: Arc::default() }
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let base = self.start.unwrap_or_else(machine_time);
        let moved = SignedDuration::from_millis(self.moved_ms.load(Ordering::SeqCst));
        base.saturating_add(moved).unwrap_or(base)
    }

    /// Returns how far the clock was moved, in milliseconds.
    pub(crate) fn moved_ms(&self) -> i64 {
        self.moved_ms.load(Ordering::SeqCst)
    }

    /// Moves the clock forward; sessions expire and retries become due accordingly.
    pub fn advance(&self, by: SignedDuration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.moved_ms.fetch_add(ms.max(0), Ordering::SeqCst);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator's one reader of the machine's clock; it may not use Ferry's"
)]
fn machine_time() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_advanced() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let other = clock.clone();
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);

        other.advance(SignedDuration::from_secs(90));

        assert_eq!(clock.now().as_second(), 90);
    }
}
