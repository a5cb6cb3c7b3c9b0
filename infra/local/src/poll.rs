//! Waiting for something to become true, with a deadline.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// What takes long is looked at rarely: looking costs the emulator time, too.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Probes until there is an answer. A probe that fails is tried again; its error is told when time is up.
pub(crate) async fn until<T, F>(what: &str, within: Duration, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let deadline = Instant::now() + within;
    let mut pause = FIRST_PAUSE;
    loop {
        let last = probe().await;
        if let Ok(Some(value)) = last {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            let reason = last.err().unwrap_or_else(|| anyhow!("it was not so yet"));
            return Err(reason.context(format!("{what}: not within {} s", within.as_secs())));
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause.mul_f64(1.3));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_later_answer_is_found() {
        let mut calls = 0;

        let found = until("three", Duration::from_secs(5), || {
            calls += 1;
            let calls = calls;
            async move { if calls < 3 { Err(anyhow!("not there")) } else { Ok(Some(calls)) } }
        });

        assert_eq!(found.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn the_last_error_tells_why_time_was_up() {
        let never = until("the sea", Duration::ZERO, || async { Err::<Option<()>, _>(anyhow!("still dry")) });

        assert_eq!(format!("{:#}", never.await.unwrap_err()), "the sea: not within 0 s: still dry");
    }
}
