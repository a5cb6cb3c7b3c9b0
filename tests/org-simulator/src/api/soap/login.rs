//! `login` and `getUserInfo`. A user can log in with a password after a test has set one.
//!
//! Salesforce retires `login`: it exists up to version 64.0 and ends in Summer '27 (unverified).

use std::net::IpAddr;

use super::Wsdl;
use super::response::Fault;
use super::xml::{Element, tag, tag_or_nil};
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::store::Row;

const LAST_VERSION: u32 = 64;
/// The largest attachment in bytes, as recorded responses of new orgs have it.
const MAX_ATTACHMENT: &str = "5242880";

/// Opens a session for a username and a password with the security token appended.
pub(super) fn login(
    org: &mut Org,
    (wsdl, version, from): (Wsdl, u32, Option<IpAddr>),
    call: &Element,
) -> Result<String, Fault> {
    if version > LAST_VERSION {
        let message = format!("SOAP API login() is not available in API version {version}.0");
        return Err(Fault::new("UNSUPPORTED_API_VERSION", message));
    }
    let user = call.value("username").and_then(|username| org.user_named(username));
    let user = user.filter(|user| org.passwords.verify(*user, call.value("password").unwrap_or_default()));
    let actor = user.and_then(|user| org.actor(user)).ok_or_else(Fault::login)?;
    // Codes of the SOAP API guide (`ExceptionCode`); the texts are those that clients report.
    if !org.is_login_time(&actor) {
        return Err(Fault::new("LOGIN_DURING_RESTRICTED_TIME", "cannot log in during restricted time"));
    }
    if !org.is_login_address(&actor, from) {
        return Err(Fault::new("LOGIN_DURING_RESTRICTED_DOMAIN", "cannot log in from restricted domain"));
    }
    let (now, id) = (org.clock.now(), org.id);
    let session = org.logins.open_session_from(id.short(), actor.user, from, now);
    let url = |letter: char| format!("{}/services/Soap/{letter}/{version}.0/{}", org.base_url, id.short());
    Ok([
        "<result>".to_owned(),
        tag("metadataServerUrl", &url('m')),
        tag("passwordExpired", "false"),
        tag("sandbox", if is_sandbox(org) { "true" } else { "false" }),
        tag("serverUrl", &url(wsdl.letter())),
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

/// Returns the elements of `GetUserInfoResult`, in the order of the WSDL. An org with several currencies has no symbol and
/// no code of its own, and its users have a currency each (SOAP API guide, `getUserInfo`).
pub(super) fn user_info(org: &Org, user: RecordId) -> String {
    let row = org.store.get("User", user);
    let of = |field: &str| row.map_or("", |row: &std::sync::Arc<Row>| org.value("User", row, field).as_text());
    let id = |field: &str| row.and_then(|row| org.value("User", row, field).as_id());
    let name = org.store.get("Organization", org.id).map_or("", |row| org.value("Organization", row, "Name").as_text());
    let multi_currency = org.features.multi_currency;
    let seconds = org.logins.session_life.as_secs().to_string();
    [
        tag("accessibilityMode", "false"),
        tag("chatterExternal", "false"),
        tag_or_nil("currencySymbol", (!multi_currency).then_some("$")),
        tag("orgAttachmentFileSizeLimit", MAX_ATTACHMENT),
        tag_or_nil("orgDefaultCurrencyIsoCode", (!multi_currency).then_some("USD")),
        tag("orgDefaultCurrencyLocale", "en_US"),
        tag("orgDisallowHtmlAttachments", "false"),
        tag("orgHasPersonAccounts", if org.features.person_accounts { "true" } else { "false" }),
        tag("organizationId", org.id.as_str()),
        tag("organizationMultiCurrency", if multi_currency { "true" } else { "false" }),
        tag("organizationName", name),
        tag("profileId", id("ProfileId").as_ref().map_or("", RecordId::as_str)),
        tag_or_nil("roleId", None),
        tag("sessionSecondsValid", &seconds),
        tag_or_nil("userDefaultCurrencyIsoCode", multi_currency.then_some(org.user_currency(user))),
        tag("userEmail", of("Email")),
        tag("userFullName", of("Name")),
        tag("userId", user.as_str()),
        tag("userLanguage", of("LanguageLocaleKey")),
        tag("userLocale", of("LocaleSidKey")),
        tag("userName", of("Username")),
        tag("userTimeZone", of("TimeZoneSidKey")),
        tag("userType", of("UserType")),
        tag("userUiSkin", "Theme3"),
    ]
    .concat()
}
