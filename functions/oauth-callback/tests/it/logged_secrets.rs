use std::io::Write;
use std::sync::{Arc, Mutex};

use runtime::token_broker::Request;
use secrecy::ExposeSecret as _;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::TestContext;

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Returns `true` for Ferry's own log lines. The trace level of the AWS SDK prints requests; it is never enabled.
fn is_ours(metadata: &tracing::Metadata<'_>) -> bool {
    ["oauth_callback", "runtime", "store", "salesforce"].iter().any(|name| metadata.target().starts_with(name))
}

#[tokio::test]
async fn no_secret_of_a_consent_is_logged() {
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    let log = Log::default();
    let lines = tracing_subscriber::fmt::layer().json().with_writer(log.clone());
    let lines = lines.with_filter(tracing_subscriber::filter::filter_fn(is_ours));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
    let context = TestContext::new().await;

    let link = context.team_link().await;
    let consent = context.start_consent(&link).await;
    let callback = context.allow(&consent).await;
    context.follow_callback(&callback, &consent.cookie).await;
    context.follow_callback(&callback, &consent.cookie).await;

    let requests = context.broker.requests.lock().unwrap().clone();
    let [Request::ExchangeCode(exchange)] = requests.as_slice() else { panic!("one exchange") };
    let ticket = link.trim_start_matches("/connect/");
    let cookie = consent.cookie.split_once('=').unwrap().1;
    let state = consent.state();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("connected org"), "{log}");
    for secret in [
        ticket,
        cookie,
        &state,
        exchange.code.expose_secret(),
        exchange.code_verifier.expose_secret(),
        exchange.nonce.as_ref().unwrap().expose_secret(),
        "the-webhook-secret",
    ] {
        assert!(!log.contains(secret), "{log}");
    }
}
