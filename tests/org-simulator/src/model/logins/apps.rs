//! The registered apps. A registration is global: every org of a realm knows the same client ids.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::model::logins::error::OAuthError;
use crate::model::logins::policy::AppSettings;

/// An OAuth client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) secret: String,
    /// The secret before the last rotation; it stays valid until it is deleted.
    pub(crate) older_secret: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) settings: AppSettings,
}

/// All apps of a realm; clones share them. The lock may be taken while an org's lock is held, not the other way round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Apps(Arc<Mutex<BTreeMap<String, App>>>);

impl Apps {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, App>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers an app; a registered one keeps its redirect URIs, to which this one is added.
    pub(crate) fn add(&self, name: &str, client_id: &str, secret: &str, redirect_uri: &str) {
        let mut apps = self.lock();
        let app = apps.entry(client_id.to_owned()).or_default();
        client_id.clone_into(&mut app.client_id);
        name.clone_into(&mut app.name);
        secret.clone_into(&mut app.secret);
        if !redirect_uri.is_empty() && !app.redirect_uris.iter().any(|known| known == redirect_uri) {
            app.redirect_uris.push(redirect_uri.to_owned());
        }
    }

    /// Restores saved apps.
    pub(crate) fn restore(&self, saved: Vec<App>) {
        self.lock().extend(saved.into_iter().map(|app| (app.client_id.clone(), app)));
    }

    pub(crate) fn get(&self, client_id: &str) -> Option<App> {
        self.lock().get(client_id).cloned()
    }

    /// Returns all apps, by client id.
    pub(crate) fn all(&self) -> Vec<App> {
        self.lock().values().cloned().collect()
    }

    /// Returns the secrets of all apps.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.all().into_iter().flat_map(|app| [Some(app.secret), app.older_secret]).flatten().collect()
    }

    /// Changes an app; `None` when the client id is not registered.
    pub(crate) fn change<T>(&self, client_id: &str, change: impl FnOnce(&mut App) -> T) -> Option<T> {
        self.lock().get_mut(client_id).map(change)
    }

    /// Returns the app of a client id; `invalid_client_id` when it is not registered.
    pub(crate) fn find(&self, client_id: &str) -> Result<App, OAuthError> {
        self.get(client_id).ok_or(OAuthError::new("invalid_client_id", "client identifier invalid"))
    }

    /// Authenticates the app of a token request. `secret` of the result is the one that was used.
    pub(crate) fn authenticate(&self, client_id: &str, secret: &str) -> Result<App, OAuthError> {
        let mut app = self.find(client_id)?;
        if secret.is_empty() && !app.settings.requires_secret {
            return Ok(app);
        }
        let is = |known: &str| bool::from(known.as_bytes().ct_eq(secret.as_bytes()));
        match app.older_secret.take() {
            Some(older) if is(&older) => app.secret = older,
            _ if is(&app.secret) => {}
            _ => return Err(OAuthError::new("invalid_client", "invalid client credentials")),
        }
        Ok(app)
    }
}
