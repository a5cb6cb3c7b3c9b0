//! The faults of the deployment that an invocation meets in its calls to other functions of Ferry: a missing permission, a
//! wrong name, an answer of another version. The work is deferred, and the closing line counts them for an alarm.

use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static FAULTS: AtomicU64;
}

/// The name of the count.
pub(crate) const NAME: &str = "deployment.faults";

/// Runs a handler, and returns the number of faults that its own calls met too.
pub(crate) async fn counted<F: Future>(handler: F) -> (F::Output, u64) {
    let counted = async {
        let output = handler.await;
        (output, FAULTS.with(|faults| faults.load(Ordering::Relaxed)))
    };
    FAULTS.scope(AtomicU64::new(0), counted).await
}

/// Counts a fault. Outside of an invocation, as in a test, nothing is counted.
pub(crate) fn count() {
    let _ = FAULTS.try_with(|faults| faults.fetch_add(1, Ordering::Relaxed));
}
