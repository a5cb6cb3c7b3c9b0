//! One emulator for all tests, with separate tables for each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept};
use jiff::Timestamp;
use local::emulator::{Options, Program, State, Tables};
use local::{Emulator, unique_prefix};
use salesforce::{OrgId, RecordId};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// The variable that chooses the emulator: `ministack` (the default) or `moto`.
const EMULATOR_VARIABLE: &str = "STORE_TEST_EMULATOR";

/// The tests that a gap of moto makes fail, each with the gap. They are skipped with moto.
const GAPS_OF_MOTO: [(&str, &str); 4] = [
    ("messages::events_reach_a_queue_behind_the_bus", NO_PHYSICAL_ID),
    ("secrets::apps_are_read_again_after_five_minutes", NO_PHYSICAL_ID),
    ("upgrade::stored_tokens_and_app_registrations_are_read", NO_PHYSICAL_ID),
    ("records::an_oversized_row_is_refused_before_it_is_sent", "counts a row just below 400 KB as larger"),
];
const NO_PHYSICAL_ID: &str = "lists no event bus and no secret among the resources of a stack";

/// Runs a test to its end, unless the emulator has a gap there.
#[expect(clippy::print_stderr, reason = "the report of a test that was skipped")]
pub(crate) fn run(test: impl Future<Output = ()>) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let gap = GAPS_OF_MOTO.iter().find(|(skipped, _)| program() == Program::Moto && name == *skipped);
    match gap {
        Some((name, gap)) => eprintln!("skipped {name}: moto {gap}"),
        None => block_on(test),
    }
}

/// Runs a part of a test to its end.
pub(crate) fn block_on<F: Future>(part: F) -> F::Output {
    RUNTIME.block_on(part)
}

#[expect(clippy::disallowed_methods, reason = "the choice of who runs the tests")]
fn program() -> Program {
    match std::env::var(EMULATOR_VARIABLE).as_deref() {
        Err(_) | Ok("ministack") => Program::Ministack,
        Ok("moto") => Program::Moto,
        Ok(other) => panic!("{EMULATOR_VARIABLE} is {other}, not ministack or moto"),
    }
}

pub(crate) async fn emulator() -> &'static Emulator {
    let options = Options { program: program(), ..Options::default() };
    EMULATOR.get_or_init(|| async { Emulator::start_with(options).await.expect("the emulator") }).await
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
