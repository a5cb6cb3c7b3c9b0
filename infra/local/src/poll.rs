//! Waiting for a condition, with a deadline.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The pauses grow up to this one, because every probe takes time of the emulator.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Repeats the probe until it returns a value. A probe that fails is repeated too.
///
/// `operation` is an infinitive that reads after "could not": "receive the event".
///
/// # Errors
/// If the probe returns no value within the time limit; the source is the error of the last probe.
pub(crate) async fn until<T, F>(operation: &str, limit: Duration, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        let last = probe().await;
        if let Ok(Some(value)) = last {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            let reason = last.err().unwrap_or_else(|| anyhow!("the last attempt found nothing"));
            return Err(reason.context(format!("could not {operation} within {} s", limit.as_secs())));
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause.mul_f64(1.3));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_that_fails_is_repeated() {
        let mut calls = 0;

        let found = until("count to three", Duration::from_secs(5), || {
            calls += 1;
            let calls = calls;
            async move { if calls < 3 { Err(anyhow!("too few calls")) } else { Ok(Some(calls)) } }
        });

        assert_eq!(found.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_timeout_reports_the_last_error() {
        let failing = || async { Err::<Option<()>, _>(anyhow!("2 messages are left")) };

        let error = until("empty the queue", Duration::ZERO, failing).await.unwrap_err();

        assert_eq!(format!("{error:#}"), "could not empty the queue within 0 s: 2 messages are left");
    }
}
