//! The app registration and login host of a grant.

use salesforce::LoginHost;
use salesforce::auth::App;

use crate::{Deps, Error};

/// An app registration, and the login host whose token endpoint issued its grants.
pub(crate) struct AppLogin {
    pub(crate) app: App,
    pub(crate) host: LoginHost,
    /// `true` if the app's sunset date has passed: Ferry no longer uses the app.
    pub(crate) is_stopped: bool,
}

/// Loads the registration with this name and checks the login host. `None` if there is no such registration, or the host is
/// not Salesforce's.
pub(crate) async fn load_app_login(deps: &Deps, app: &str, login_url: &str) -> Result<Option<AppLogin>, Error> {
    let registration = deps.apps.find(app).await?;
    let host = LoginHost::parse(login_url, deps.http.policy()).ok();
    let now = deps.clock.now();
    Ok(registration.zip(host).map(|(registration, host)| {
        let is_stopped = registration.app.is_stopped(now);
        AppLogin { app: registration.credentials(), host, is_stopped }
    }))
}
