//! The passwords and security tokens of users.

use std::collections::BTreeMap;

use crate::model::ids::RecordId;

/// Each user's password, with the security token appended.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Passwords(BTreeMap<RecordId, String>);

impl Passwords {
    pub(crate) fn set(&mut self, user: RecordId, password: &str, token: &str) {
        self.0.insert(user, format!("{password}{token}"));
    }

    /// Returns the passwords with their security tokens.
    pub(crate) fn all(&self) -> impl Iterator<Item = String> {
        self.0.values().cloned()
    }

    /// Returns whether `given` is the user's password followed by the security token.
    pub(crate) fn verify(&self, user: RecordId, given: &str) -> bool {
        self.0.get(&user).is_some_and(|password| password == given)
    }
}
