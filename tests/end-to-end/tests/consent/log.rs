//! What the functions log, at every level and from every thread, and the values that must not be in it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[derive(Clone, Copy)]
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Keeps everything that is logged from now on: ours at every level, that of others as production would.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ours = ["oauth_callback", "token_broker", "onboarding", "runtime", "store", "salesforce"];
        let levels = ours.map(|name| format!("{name}=trace")).join(",");
        let filter = EnvFilter::new(format!("info,{levels}"));
        let lines = tracing_subscriber::fmt::layer().json().with_writer(Log).with_filter(filter);
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines)).unwrap();
    });
}

/// Values that open a door.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<BTreeSet<String>>>);

/// Members of what functions say to each other whose values open a door.
const SECRET_MEMBERS: [&str; 5] = ["code_verifier", "nonce", "access_token", "refresh_token", "webhook_url"];

impl Secrets {
    /// Notes a value. What is too short to open anything is not one.
    pub(crate) fn note(&self, secret: &str) {
        if secret.len() >= 16 {
            self.0.lock().unwrap().insert(secret.to_owned());
        }
    }

    /// Notes what is secret in a call between functions.
    pub(crate) fn note_call(&self, payload: &[u8]) {
        self.note_in(&serde_json::from_slice(payload).unwrap());
    }

    fn note_in(&self, value: &Value) {
        for (name, member) in value.as_object().into_iter().flatten() {
            match member {
                Value::String(text) if SECRET_MEMBERS.contains(&name.as_str()) => self.note(text),
                other => self.note_in(other),
            }
        }
    }

    /// Panics if one of them stands in the log; the log itself is not shown then.
    pub(crate) fn assert_not_logged(&self) {
        let written = WRITTEN.lock().unwrap().clone();
        let log = String::from_utf8_lossy(&written);
        assert!(log.contains("oauth_callback"), "nothing was logged: this test could not fail");
        let secrets = self.0.lock().unwrap().clone();
        let hidden = |line: &str| secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, "[SECRET]"));
        let lines: Vec<_> = log.lines().map(hidden).filter(|line| line.contains("[SECRET]")).collect();
        assert!(lines.is_empty(), "the log holds secrets: {lines:#?}");
    }
}
