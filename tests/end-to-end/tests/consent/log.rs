//! The values of a test that may be neither logged nor told.

use std::sync::Arc;

use secret_scan::SecretScan;
use serde_json::Value;

/// Values that open a door, and what is logged while they are in use.
#[derive(Clone)]
pub(crate) struct Secrets(Arc<SecretScan>);

/// Members of what functions say to each other whose values open a door.
const SECRET_MEMBERS: [&str; 5] = ["code_verifier", "nonce", "access_token", "refresh_token", "webhook_url"];

impl Secrets {
    pub(crate) fn listen() -> Self {
        Self(Arc::new(secret_scan::start()))
    }

    /// Notes a value.
    pub(crate) fn note(&self, secret: &str) {
        self.0.forbid(secret);
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

    /// Panics if one of them was logged, or stood on a page that tells of trouble.
    pub(crate) fn assert_not_logged(&self) {
        self.0.check();
    }
}
