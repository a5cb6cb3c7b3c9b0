//! The app registrations (OAuth clients), in one secret.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use salesforce::Clock;
use salesforce::auth::App;

use crate::Error;

/// One OAuth client of Ferry's, side by side with older ones.
#[derive(Clone, Debug)]
pub struct AppRegistration {
    /// What the token endpoint needs.
    pub app: App,
    /// Where an admin of a production org installs its package.
    pub install_url_production: Option<String>,
    /// Where an admin of a sandbox installs its package.
    pub install_url_sandbox: Option<String>,
}

/// The app registrations, read at most every five minutes.
#[derive(Clone, Debug)]
pub struct Apps {
    client: Client,
    secret: String,
    clock: Clock,
}

impl Apps {
    /// From the secret with this ARN or name.
    pub fn new(client: Client, secret: impl Into<String>, clock: Clock) -> Self {
        Self { client, secret: secret.into(), clock }
    }

    /// Every registration, the newest last; there is at least one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the secret is not what it should be.
    pub async fn load(&self) -> Result<Arc<[AppRegistration]>, Error> {
        let _ = (&self.client, &self.secret, &self.clock);
        todo!()
    }

    /// The registration that new consents use.
    ///
    /// # Errors
    /// As [`Apps::load`].
    pub async fn newest(&self) -> Result<AppRegistration, Error> {
        todo!()
    }

    /// The registration with this name, or `None` when it was taken out.
    ///
    /// # Errors
    /// As [`Apps::load`].
    pub async fn named(&self, name: &str) -> Result<Option<AppRegistration>, Error> {
        let _ = name;
        todo!()
    }
}
