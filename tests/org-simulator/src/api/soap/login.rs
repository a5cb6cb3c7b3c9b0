//! `login` and `getUserInfo`. A user can log in with a password after a test has set one.
//!
//! Salesforce retires `login`: it exists up to version 64.0 and ends in Summer '27 (unverified).

use super::Flavor;
use super::answer::Fault;
use super::xml::{Element, tag, tag_or_nil};
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::store::Row;

const LAST_VERSION: u32 = 64;

/// Opens a session for a username and a password with the security token appended.
pub(super) fn login(org: &mut Org, (flavor, version): (Flavor, u32), call: &Element) -> Result<String, Fault> {
    if version > LAST_VERSION {
        let message = format!("SOAP API login() is not available in API version {version}.0");
        return Err(Fault::new("UNSUPPORTED_API_VERSION", message));
    }
    let user = call.value("username").and_then(|username| org.user_named(username));
    let user = user.filter(|user| org.passwords.admits(*user, call.value("password").unwrap_or_default()));
    let actor = user.and_then(|user| org.actor(user)).ok_or_else(Fault::login)?;
    let (now, id) = (org.clock.now(), org.id);
    let session = org.logins.open_session(id.short(), actor.user, now);
    let url = |letter: char| format!("{}/services/Soap/{letter}/{version}.0/{}", org.base_url, id.short());
    Ok([
        "<result>".to_owned(),
        tag("metadataServerUrl", &url('m')),
        tag("passwordExpired", "false"),
        tag("sandbox", if is_sandbox(org) { "true" } else { "false" }),
        tag("serverUrl", &url(flavor.letter())),
        tag("sessionId", &session),
        tag("userId", actor.user.as_str()),
        format!("<userInfo>{}</userInfo></result>", user_info(org, actor.user)),
    ]
    .concat())
}

fn is_sandbox(org: &Org) -> bool {
    let row = org.store.get("Organization", org.id);
    row.is_some_and(|row| *org.value("Organization", row, "IsSandbox") == crate::model::value::Value::Bool(true))
}

/// Returns the elements of `GetUserInfoResult` that the org has data for.
pub(super) fn user_info(org: &Org, user: RecordId) -> String {
    let row = org.store.get("User", user);
    let of = |field: &str| row.map_or("", |row: &std::sync::Arc<Row>| org.value("User", row, field).as_text());
    let id = |field: &str| row.and_then(|row| org.value("User", row, field).as_id());
    let name = org.store.get("Organization", org.id).map_or("", |row| org.value("Organization", row, "Name").as_text());
    [
        tag("accessibilityMode", "false"),
        tag("orgDefaultCurrencyIsoCode", "USD"),
        tag("orgHasPersonAccounts", if org.features.person_accounts { "true" } else { "false" }),
        tag("organizationId", org.id.as_str()),
        tag("organizationMultiCurrency", if org.features.multi_currency { "true" } else { "false" }),
        tag("organizationName", name),
        tag("profileId", id("ProfileId").as_ref().map_or("", RecordId::as_str)),
        tag_or_nil("roleId", None),
        tag("userEmail", of("Email")),
        tag("userFullName", of("Name")),
        tag("userId", user.as_str()),
        tag("userLanguage", of("LanguageLocaleKey")),
        tag("userLocale", of("LocaleSidKey")),
        tag("userName", of("Username")),
        tag("userTimeZone", of("TimeZoneSidKey")),
        tag("userType", of("UserType")),
    ]
    .concat()
}
