//! The app registration and login host that a grant belongs to.

use salesforce::LoginHost;
use salesforce::auth::App;

use crate::{Deps, Error};

/// An app registration, and the login host whose token endpoint knows its grants.
pub(crate) struct Door {
    pub(crate) app: App,
    pub(crate) login: LoginHost,
    /// Its sunset has come: it is used no more.
    pub(crate) is_stopped: bool,
}

/// Finds the registration by its name and checks the login host; `None` when either is not usable.
pub(crate) async fn door(deps: &Deps, app: &str, login_url: &str) -> Result<Option<Door>, Error> {
    let registration = deps.apps.named(app).await.map_err(Error::state("load the app registrations"))?;
    let login = LoginHost::parse(login_url, deps.http.policy()).ok();
    let now = deps.clock.now();
    Ok(registration.zip(login).map(|(registration, login)| {
        let is_stopped = registration.is_stopped(now);
        Door { app: registration.app, login, is_stopped }
    }))
}
