//! The secrets of a test, which must not be logged.

use std::sync::Arc;

use secret_scan::SecretScan;
use serde_json::Value;

/// The registered secrets, and the log of the test's process.
#[derive(Clone)]
pub(crate) struct Secrets(Arc<SecretScan>);

/// The JSON members of the functions' requests and responses that hold secrets.
const SECRET_MEMBERS: [&str; 5] = ["code_verifier", "nonce", "access_token", "refresh_token", "webhook_url"];

impl Secrets {
    pub(crate) fn listen() -> Self {
        Self(Arc::new(secret_scan::start()))
    }

    /// Registers a secret.
    pub(crate) fn note(&self, secret: &str) {
        self.0.forbid(secret);
    }

    /// Registers the secrets in a request or response between functions.
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

    /// Checks that no secret was logged or shown on an error page.
    ///
    /// # Panics
    /// The log or an error page has a secret.
    pub(crate) fn assert_not_logged(&self) {
        self.0.check();
    }
}
