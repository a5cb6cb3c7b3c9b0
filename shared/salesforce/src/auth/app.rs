//! The registration of the OAuth client.

use secrecy::SecretString;
use serde::Deserialize;

/// An OAuth client registration: a connected app or an external client app.
#[derive(Clone, Debug, Deserialize)]
pub struct App {
    /// The name under which connections store the app that they belong to.
    pub name: String,
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret. It is also the key of the signature on token responses.
    pub client_secret: SecretString,
}
