//! One emulator for all tests, and tables of its own for each.

use std::sync::LazyLock;

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use local::emulator::{State, Tables};
use local::{Emulator, unique_prefix};
use salesforce::{OrgId, RecordId};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// Runs a test.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

pub(crate) async fn emulator() -> &'static Emulator {
    EMULATOR.get_or_init(|| async { Emulator::start().await.expect("the emulator") }).await
}

/// Fresh tables, and the client for them.
pub(crate) async fn tables() -> (Client, Tables) {
    let emulator = emulator().await;
    let tables = emulator.create_tables(&unique_prefix()).await.expect("the tables");
    (Client::new(emulator.sdk_config()), tables)
}

/// Fresh tables, queues, a bus and the apps' secret.
pub(crate) async fn state() -> State {
    emulator().await.create_state(&unique_prefix()).await.expect("the state")
}

pub(crate) fn org() -> OrgId {
    "00D5e000000KQ2eEAG".parse().expect("an org")
}

pub(crate) fn other_org() -> OrgId {
    "00D5e000000KQ2f".parse().expect("an org")
}

/// The n-th account.
pub(crate) fn account(n: usize) -> RecordId {
    format!("0015e0000{n:06}").parse().expect("an id")
}

/// Seconds after a fixed moment.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_342_530 + seconds).expect("a time")
}
