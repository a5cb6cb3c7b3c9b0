//! `#[serde(with)]` modules that expose a secret. Only for payloads between Ferry's own functions.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serializer};

/// Serializes the secret as text.
///
/// # Errors
/// The serializer fails.
pub fn serialize<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// Deserializes the secret.
///
/// # Errors
/// The value is not a string.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    SecretString::deserialize(deserializer)
}

/// For an optional secret.
pub mod option {
    use secrecy::{ExposeSecret as _, SecretString};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Serializes the secret as text, or as null.
    ///
    /// # Errors
    /// The serializer fails.
    pub fn serialize<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => serializer.serialize_some(secret.expose_secret()),
            None => serializer.serialize_none(),
        }
    }

    /// Deserializes the secret.
    ///
    /// # Errors
    /// The value is neither a string nor null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
        Option::<SecretString>::deserialize(deserializer)
    }
}
