//! Simulated kills of a process.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;

use bench::{Proxy, Side};
use local::Emulator;
use local::emulator::SdkConfig;
use org_simulator::Simulator;

use crate::TestContext;

/// The proxies between the function and what it calls. They hold a request while the function is killed.
pub(crate) struct Proxies {
    aws: Proxy,
    salesforce: Proxy,
    others: Mutex<Vec<Proxy>>,
}

impl Proxies {
    pub(crate) async fn start(emulator: &Emulator, simulator: &Simulator) -> Self {
        let aws = Proxy::start(emulator.endpoint()).await.unwrap();
        let salesforce = aws.start_beside(simulator.url()).await.unwrap();
        Self { aws, salesforce, others: Mutex::default() }
    }

    /// Starts a proxy for another service. Returns its URL.
    pub(crate) async fn beside(&self, url: &str) -> String {
        let proxy = self.aws.start_beside(url).await.unwrap();
        let url = proxy.url().to_owned();
        self.others.lock().unwrap().push(proxy);
        url
    }

    /// Returns the configuration of AWS SDK clients that send their requests through the proxy.
    pub(crate) fn sdk_config(&self, direct: &SdkConfig) -> SdkConfig {
        direct.to_builder().endpoint_url(self.aws.url()).build()
    }

    /// Returns the base URL of the org's APIs.
    pub(crate) fn instance_url(&self) -> &str {
        self.salesforce.url()
    }
}

impl TestContext {
    /// Returns the number of requests of each kind to AWS since the last time.
    ///
    /// # Panics
    /// If the context was not created as killable.
    pub fn take_aws_requests(&self) -> BTreeMap<String, usize> {
        self.proxies.as_ref().expect("a killable context").aws.take_counts()
    }

    /// Runs `work` and drops it at the request to AWS or Salesforce after the first `passes`, which stops it where a killed
    /// process would stop. The last request does not take effect. Returns whether `work` finished with fewer requests.
    ///
    /// A kill after that request took effect, but before its response, would leave the same state as a kill at the next one.
    ///
    /// # Panics
    /// If the context was not created as killable.
    pub async fn killed_at<F: Future>(&self, passes: usize, work: F) -> bool {
        let proxies = self.proxies.as_ref().expect("a killable context");
        let hold = proxies.aws.hold_any(passes, Side::Before);
        tokio::select! {
            biased;
            _ = work => true,
            reached = hold.reached() => {
                reached.unwrap();
                false
            }
        }
    }
}

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
