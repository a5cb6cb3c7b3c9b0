//! Token response, id_token, identity, userinfo, introspection and discovery.

use serde_json::{Value as Json, json};

use super::{IssuedTokens, SigningKey, signature};
use crate::model::ids::RecordId;
use crate::model::logins::Session;
use crate::model::logins::apps::App;
use crate::model::org::Org;
use crate::model::time_zones::standard_offset_ms;
use crate::model::{datetime, schema};

const ID_TOKEN_LIFE_S: i64 = 120;
/// The API version that `?version=latest` of an identity URL selects.
const LATEST: &str = "66.0";

/// Returns `{host}/id/{org}/{user}`, on the host of the request.
pub(super) fn identity_url(host: &str, org: &Org, user: RecordId) -> String {
    format!("{host}/id/{}/{user}", org.id)
}

/// Returns the body of a token response.
pub(super) fn token_response(org: &Org, host: &str, granted: &IssuedTokens) -> Json {
    let id = identity_url(host, org, granted.user);
    let issued_at = granted.issued_at.as_millisecond().to_string();
    let mut body = json!({
        "access_token": granted.access_token,
        "signature": signature(&granted.app.secret, &id, &issued_at),
        "scope": granted.scope,
        "instance_url": org.base_url,
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    let Some(map) = body.as_object_mut() else { return body };
    if let Some(token) = &granted.refresh_token {
        map.insert("refresh_token".to_owned(), Json::from(token.as_str()));
    }
    if granted.scope.split_whitespace().any(|scope| scope == "openid") {
        let signed = SigningKey::of_process().and_then(|key| key.sign(&id_claims(host, granted, &id)));
        map.insert("id_token".to_owned(), signed.map_or(Json::Null, Json::from));
    }
    body
}

fn id_claims(host: &str, granted: &IssuedTokens, identity: &str) -> Json {
    use base64::Engine as _;
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(granted.access_token.as_bytes());
    let half = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..16]);
    let now = granted.issued_at.as_second();
    let mut claims = json!({
        "iss": host, "sub": identity, "aud": granted.app.client_id, "iat": now, "exp": now + ID_TOKEN_LIFE_S, "at_hash": half,
    });
    if let (Some(nonce), Some(claims)) = (&granted.nonce, claims.as_object_mut()) {
        claims.insert("nonce".to_owned(), Json::from(nonce.as_str()));
    }
    claims
}

struct Person<'a> {
    org: &'a Org,
    user: RecordId,
}

impl Person<'_> {
    fn text(&self, field: &str) -> String {
        let row = self.org.store.get("User", self.user);
        row.map(|row| self.org.value("User", row, field).as_text().to_owned()).unwrap_or_default()
    }

    /// Returns the user's offset from UTC in milliseconds, as it is without daylight saving time (unverified).
    fn utc_offset(&self) -> i64 {
        standard_offset_ms(&self.org.time_zone(self.user), self.org.clock.now())
    }

    fn modified(&self) -> Option<String> {
        let row = self.org.store.get("User", self.user)?;
        row.get(schema::MODIFIED_DATE).as_instant().map(datetime::rest)
    }

    fn urls(&self) -> Json {
        let (base, org) = (&self.org.base_url, self.org.id.short());
        let data = format!("{base}/services/data/v{{version}}");
        json!({
            "enterprise": format!("{base}/services/Soap/c/{{version}}/{org}"),
            "metadata": format!("{base}/services/Soap/m/{{version}}/{org}"),
            "partner": format!("{base}/services/Soap/u/{{version}}/{org}"),
            "rest": format!("{data}/"),
            "sobjects": format!("{data}/sobjects/"),
            "search": format!("{data}/search/"),
            "query": format!("{data}/query/"),
            "recent": format!("{data}/recent/"),
            "tooling_soap": format!("{base}/services/Soap/T/{{version}}/{org}"),
            "tooling_rest": format!("{data}/tooling/"),
            "profile": format!("{base}/{}", self.user),
            "custom_domain": base,
        })
    }

    fn photos(&self) -> Json {
        json!({"picture": format!("{}/profilephoto/005/F", self.org.base_url), "thumbnail": format!("{}/profilephoto/005/T", self.org.base_url)})
    }
}

/// Returns the body of `GET {identity URL}`.
pub(super) fn identity(org: &Org, host: &str, user: RecordId, version: &str) -> Json {
    let person = Person { org, user };
    let mut identity = json!({
        "id": identity_url(host, org, user), "asserted_user": true, "user_id": user.as_str(), "organization_id": org.id.as_str(),
        "username": person.text("Username"), "nick_name": person.text("CommunityNickname"), "display_name": person.text("Name"),
        "email": person.text("Email"), "email_verified": true, "first_name": person.text("FirstName"), "last_name": person.text("LastName"),
        "timezone": person.text("TimeZoneSidKey"), "photos": person.photos(), "addr_street": null, "addr_city": null, "addr_state": null,
        "addr_country": null, "addr_zip": null, "mobile_phone": null, "mobile_phone_verified": false, "is_lightning_login_user": false,
        "status": {"created_date": null, "body": null}, "urls": person.urls(), "active": true, "user_type": "STANDARD", "language": "en_US",
        "locale": "en_US", "utcOffset": person.utc_offset(), "last_modified_date": person.modified(), "is_app_installed": true,
    });
    let version = if version == "latest" { LATEST } else { version };
    if let (false, Some(urls)) = (version.is_empty(), identity["urls"].as_object_mut()) {
        for url in urls.values_mut() {
            *url = Json::from(url.as_str().unwrap_or_default().replace("{version}", version));
        }
    }
    identity
}

/// Returns the body of `GET /services/oauth2/userinfo`.
pub(super) fn userinfo(org: &Org, host: &str, user: RecordId) -> Json {
    let person = Person { org, user };
    let picture = person.photos();
    json!({
        "sub": identity_url(host, org, user), "user_id": user.as_str(), "organization_id": org.id.as_str(),
        "preferred_username": person.text("Username"), "nickname": person.text("CommunityNickname"), "name": person.text("Name"),
        "email": person.text("Email"), "email_verified": true, "given_name": person.text("FirstName"), "family_name": person.text("LastName"),
        "zoneinfo": person.text("TimeZoneSidKey"), "profile": format!("{}/{user}", org.base_url), "picture": picture["picture"], "photos": picture,
        "address": {}, "is_salesforce_integration_user": false, "urls": person.urls(), "active": true, "user_type": "STANDARD",
        "language": "en_US", "locale": "en_US", "utcOffset": person.utc_offset(), "updated_at": person.modified(), "is_app_installed": true,
    })
}

/// Returns the body of `POST /services/oauth2/introspect` (RFC 7662); `None` for a token that is invalid or belongs to
/// another app.
pub(super) fn introspection(org: &Org, host: &str, token: &str, asking: &App) -> Option<Json> {
    let now = org.clock.now();
    let (user, client_id, scope, kind) = match (org.logins.session(token, now), org.logins.active_grant(token, now)) {
        (Some(Session { login, .. }), _) => (login.user, &login.client_id, &login.scope, "access_token"),
        (None, Some(grant)) => (grant.user, &grant.client_id, &grant.scope, "refresh_token"),
        (None, None) => return None,
    };
    let is_own = client_id.is_empty() || *client_id == asking.client_id || asking.settings.introspects_all_tokens;
    if !is_own || org.may_log_in(user).is_err() {
        return None;
    }
    let client_id = if client_id.is_empty() { &asking.client_id } else { client_id };
    let mut body = json!({
        "active": true, "scope": scope, "client_id": client_id, "username": Person { org, user }.text("Username"),
        "sub": identity_url(host, org, user), "token_type": kind,
    });
    if let (Some(session), Some(body)) = (org.logins.session(token, now), body.as_object_mut()) {
        let issued_at = session.issued_at.as_second();
        for (claim, second) in [("exp", session.expires_at.as_second()), ("iat", issued_at), ("nbf", issued_at)] {
            body.insert(claim.to_owned(), Json::from(second));
        }
    }
    Some(body)
}

/// Returns the body of `GET /.well-known/openid-configuration`.
pub(super) fn discovery(host: &str) -> Json {
    let at = |path: &str| format!("{host}{path}");
    json!({
        "issuer": host,
        "authorization_endpoint": at("/services/oauth2/authorize"),
        "token_endpoint": at("/services/oauth2/token"),
        "revocation_endpoint": at("/services/oauth2/revoke"),
        "userinfo_endpoint": at("/services/oauth2/userinfo"),
        "jwks_uri": at("/id/keys"),
        "register_endpoint": at("/services/oauth2/register"),
        "introspection_endpoint": at("/services/oauth2/introspect"),
        "scopes_supported": ["id", "api", "web", "full", "refresh_token", "openid", "profile", "email", "address", "phone", "offline_access"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": [
            "active", "address", "email", "email_verified", "family_name", "given_name", "is_app_installed", "language", "locale", "name",
            "nickname", "organization_id", "photos", "picture", "preferred_username", "profile", "sub", "updated_at", "urls", "user_id",
            "user_type", "zoneinfo",
        ],
    })
}
