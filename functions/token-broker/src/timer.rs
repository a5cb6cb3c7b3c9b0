//! A timer that tests replace.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use salesforce::BoxFuture;

/// A source of delays. A test passes one that advances its clock instead.
#[derive(Clone)]
pub struct Timer(Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>);

impl Timer {
    /// Creates a timer that sleeps.
    #[must_use]
    pub fn real() -> Self {
        Self::new(|delay| Box::pin(tokio::time::sleep(delay)))
    }

    /// Creates a timer from a function that waits.
    pub fn new(wait: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(wait))
    }

    /// Returns once the delay is over.
    pub(crate) async fn wait(&self, delay: Duration) {
        (self.0)(delay).await;
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timer")
    }
}
