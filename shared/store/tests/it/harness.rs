//! One emulator for all tests, with separate tables for each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept};
use jiff::Timestamp;
use local::emulator::{State, Tables};
use local::{Emulator, unique_prefix};
use salesforce::{OrgId, RecordId};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// Runs a test to its end.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

pub(crate) async fn emulator() -> &'static Emulator {
    EMULATOR.get_or_init(|| async { Emulator::start().await.expect("the emulator") }).await
}

/// Creates tables, and a client for them.
pub(crate) async fn tables() -> (Client, Tables) {
    let emulator = emulator().await;
    let tables = emulator.create_tables(&unique_prefix()).await.expect("the tables");
    (Client::new(emulator.sdk_config()), tables)
}

/// Creates tables, queues, a bus and the secret of the apps.
pub(crate) async fn state() -> State {
    emulator().await.create_state(&unique_prefix()).await.expect("the state")
}

pub(crate) fn org() -> OrgId {
    "00D5e000000KQ2eEAG".parse().expect("an org")
}

pub(crate) fn other_org() -> OrgId {
    "00D5e000000KQ2f".parse().expect("an org")
}

/// Returns the id of the n-th account.
pub(crate) fn account(n: usize) -> RecordId {
    format!("0015e0000{n:06}").parse().expect("an id")
}

/// Returns a fixed time plus `seconds`.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_342_530 + seconds).expect("a time")
}

/// Counts the requests to the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<AtomicUsize>);

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &mut ConfigBag,
    ) -> Result<(), aws_sdk_dynamodb::error::BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Requests {
    /// Returns the number of requests since the last call.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Returns a client that counts its requests.
pub(crate) fn counted(client: &Client) -> (Client, Requests) {
    let requests = Requests::default();
    let config = client.config().to_builder().interceptor(requests.clone()).build();
    (Client::from_conf(config), requests)
}
