//! The session of a browser after a login on the consent page: the cookie `sid`, as Salesforce names it.
//!
//! Cookies do not depend on the port: with several orgs on one address, a browser stays logged in to the last one.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::host::Host;
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::model::logins::Login;
use crate::model::org::Org;

const COOKIE: &str = "sid";
/// The scope of a login without an app.
const SCOPE: &str = "web";

/// Returns the user who is logged in in the browser, in an org of this host.
pub(super) fn user(host: &Host, headers: &HeaderMap) -> Option<(Shared, RecordId)> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut sids = sent.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let (_, sid) = sids.find(|(name, _)| *name == COOKIE)?;
    let shared = host.find(|org| is_browser_session(org, sid))?;
    let user = {
        let mut org = shared.org();
        let now = org.clock.now();
        org.logins.session_user(sid, now).filter(|user| org.may_log_in(*user).is_ok())
    };
    Some((shared, user?))
}

/// Returns whether the session comes from a login in the browser, and not from an app's access token.
fn is_browser_session(org: &Org, sid: &str) -> bool {
    let session = org.logins.session(sid, org.clock.now());
    session.is_some_and(|session| session.login.client_id.is_empty() && session.login.scope == SCOPE)
}

/// Sets the cookie of the user's login, unless the user may not log in.
pub(super) fn set_login_cookie(mut response: Response, shared: &Shared, user: RecordId) -> Response {
    if response.status() != StatusCode::FOUND {
        return response;
    }
    let login = Login { user, grant: None, client_id: String::new(), scope: SCOPE.to_owned(), from: None };
    let sid = {
        let mut org = shared.org();
        let (now, id) = (org.clock.now(), org.id);
        org.logins.log_in(id.short(), login, now)
    };
    if let Ok(cookie) = HeaderValue::from_str(&format!("{COOKIE}={sid}; Path=/; HttpOnly; SameSite=Lax")) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
