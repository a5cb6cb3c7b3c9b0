//! Pauses, as something that is passed in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use salesforce::BoxFuture;

/// Makes pauses. A test passes one that moves its clock instead.
#[derive(Clone)]
pub struct Timer(Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>);

impl Timer {
    /// Pauses that take their time.
    #[must_use]
    pub fn real() -> Self {
        Self::new(|pause| Box::pin(tokio::time::sleep(pause)))
    }

    /// Pauses of any other making.
    pub fn new(pause: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(pause))
    }

    /// Resolves when the pause is over.
    pub(crate) async fn pause(&self, pause: Duration) {
        (self.0)(pause).await;
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timer")
    }
}
