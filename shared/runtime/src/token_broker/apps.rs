//! The list of registered apps, as functions see it that may not read the client secrets.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use salesforce::{Clock, Retry};
use store::PublicApp;
use tokio::sync::Mutex;

use super::unexpected;
use super::wire::{Apps, Refusal, RefusalCode, Request, Response};
use crate::Error;
use crate::invoke::{Invoke, call};

/// The time after which a changed registration is noticed. The broker reads the secret anew for each call, so the times of two
/// caches do not add up.
const CACHE_TTL: SignedDuration = SignedDuration::from_mins(5);

/// The registered apps without their secrets, from `token-broker` or `connection-manager`. Cached for five minutes, so that each
/// warm execution environment costs at most twelve calls an hour.
#[derive(Clone)]
pub struct AppList {
    function: Arc<dyn Invoke>,
    clock: Clock,
    cache: Arc<Mutex<Option<Cached>>>,
}

struct Cached {
    apps: Arc<[PublicApp]>,
    read_at: Timestamp,
}

impl AppList {
    /// Creates a client that calls `function`.
    pub fn new(function: impl Invoke, clock: Clock) -> Self {
        Self { function: Arc::new(function), clock, cache: Arc::default() }
    }

    /// Returns every app, the newest last.
    ///
    /// # Errors
    /// The call fails.
    pub async fn load(&self) -> Result<Arc<[PublicApp]>, Error> {
        let mut cache = self.cache.lock().await;
        let now = self.clock.now();
        if let Some(cached) = cache.as_ref().filter(|cached| now.duration_since(cached.read_at) < CACHE_TTL) {
            return Ok(cached.apps.clone());
        }
        let apps: Arc<[PublicApp]> = match call(&self.function, &Request::Apps).await? {
            Response::Apps(Apps { apps }) => apps.into(),
            other => return Err(unexpected(&self.function, other)),
        };
        *cache = Some(Cached { apps: apps.clone(), read_at: now });
        Ok(apps)
    }

    /// Returns the app for new consents: the last that accepts them and is not past its sunset.
    ///
    /// # Errors
    /// [`Error::Refused`] if no app takes new consents, or the call fails.
    pub async fn newest(&self) -> Result<PublicApp, Error> {
        let apps = self.load().await?;
        store::apps::newest(apps.iter(), self.clock.now()).cloned().ok_or_else(|| {
            let reason = "no app takes new consents; check the apps secret".to_owned();
            Error::Refused(Refusal {
                code: RefusalCode::UnknownApp,
                reason,
                retry: Retry::NeedsHuman.into(),
                condition: None,
            })
        })
    }

    /// Returns the app with this name, or `None` if it was removed.
    ///
    /// # Errors
    /// As [`AppList::load`].
    pub async fn find(&self, name: &str) -> Result<Option<PublicApp>, Error> {
        Ok(self.load().await?.iter().find(|app| app.name == name).cloned())
    }
}
