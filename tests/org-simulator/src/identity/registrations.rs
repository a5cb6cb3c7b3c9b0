//! Changes of registered apps: settings, policies and secrets.

use crate::Error;
use crate::identity::oauth;
use crate::identity::realm::{Realm, Shared};
use crate::model::logins::policy::{AppPolicy, AppSettings};

fn unknown_app(client_id: &str) -> Error {
    Error::Unknown { what: "app", name: client_id.to_owned() }
}

/// Sets the vendor's settings of an app.
pub(crate) fn set_app_settings(realm: &Realm, client_id: &str, settings: AppSettings) -> Result<(), Error> {
    if settings.certificate.as_deref().is_some_and(|pem| !oauth::is_certificate(pem)) {
        let reason = "it is neither a certificate nor a public key in PEM".to_owned();
        return Err(Error::Invalid { what: "app's certificate", reason });
    }
    realm.apps().change(client_id, |app| app.settings = settings).ok_or_else(|| unknown_app(client_id))
}

/// Sets the policy of an org's administrator for an app.
pub(crate) fn set_app_policy(shared: &Shared, client_id: &str, policy: AppPolicy) -> Result<(), Error> {
    shared.realm.apps().get(client_id).ok_or_else(|| unknown_app(client_id))?;
    shared.org().logins.set_policy(client_id, policy);
    Ok(())
}

/// Issues a second secret for an app.
pub(crate) fn rotate_app_secret(shared: &Shared, client_id: &str) -> Result<String, Error> {
    let secret = shared.org().random.text();
    let rotated = shared.realm.apps().change(client_id, |app| {
        app.older_secret = Some(std::mem::replace(&mut app.secret, secret.clone()));
    });
    rotated.map(|()| secret).ok_or_else(|| unknown_app(client_id))
}

/// Deletes an app's older secret and revokes all its tokens, as applying a rotation does.
pub(crate) fn delete_older_app_secret(realm: &Realm, client_id: &str) -> Result<(), Error> {
    realm.apps().change(client_id, |app| app.older_secret = None).ok_or_else(|| unknown_app(client_id))?;
    realm.orgs().iter().for_each(|shared| shared.org().logins.revoke_app(client_id));
    Ok(())
}
