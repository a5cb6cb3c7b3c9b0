//! The registered apps. A registration is global: every org of a realm knows the same client ids.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An OAuth client.
#[derive(Clone, Debug, Default)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) secret: String,
    pub(crate) redirect_uris: Vec<String>,
}

/// All apps of a realm; clones share them. Its lock is taken after an org's and held for a moment only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Apps(Arc<Mutex<BTreeMap<String, App>>>);

impl Apps {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, App>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers an app; a known one keeps its redirect URIs and gets one more.
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

    pub(crate) fn get(&self, client_id: &str) -> Option<App> {
        self.lock().get(client_id).cloned()
    }

    /// All apps, by client id.
    pub(crate) fn all(&self) -> Vec<App> {
        self.lock().values().cloned().collect()
    }
}
