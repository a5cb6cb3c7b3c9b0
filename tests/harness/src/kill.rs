//! A simulated kill of a process.

use std::pin::pin;
use std::task::Poll;

/// Polls `work` up to `polls` times and then drops it, which stops it where a killed process would stop.
/// Returns whether it finished.
pub async fn killed_after<F: Future>(work: F, polls: usize) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if left == 0 => Poll::Ready(false),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
