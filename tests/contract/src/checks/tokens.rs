//! The token endpoint: refreshes with rotation, revocation, introspection and errors.

use serde_json::json;

use crate::check::{Check, applies, holds, not_applicable, same};
use crate::org::Org;

const ROTATION: &str = "https://help.salesforce.com/s/articleView?id=005316711&type=1";
const REFRESH: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_refresh_token_flow.htm";
const REVOKE: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_revoke_token.htm";
const INTROSPECTION: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oidc_token_introspection.htm";
const ERRORS: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flow_errors.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a refresh returns a new session at the org's address",
        source: REFRESH,
        relied_on: "sessions are replaced without the user",
        run: |org| {
            let refresh = org.grant()?.text("/refresh_token")?;
            let shape = json!({
                "access_token": "<text>", "id": "<contains /id/00D>", "issued_at": "<text>", "signature": "<text>",
                "token_type": "Bearer",
            });
            let session = refreshed(org, &refresh)?.is(200, &shape)?.text("/access_token")?;
            let limits = org.get("limits").header("authorization", &format!("Bearer {session}")).send()?;
            limits.has_status(200)?;
            Ok(())
        },
    },
    Check {
        name: "with rotation each refresh returns another refresh token",
        source: ROTATION,
        relied_on: "the new refresh token is stored before the session is used",
        run: |org| {
            let first = org.grant()?.text("/refresh_token")?;
            let second = refreshed(org, &first)?.has_status(200)?;
            applies(second.at("/refresh_token").is_string(), "rotation is off for this app")?;
            holds(second.text("/refresh_token")? != first, "another refresh token", "the same one")
        },
    },
    Check {
        name: "with rotation a second use of a refresh token revokes the grant",
        source: ROTATION,
        relied_on: "only one broker refreshes a grant at a time",
        run: |org| {
            let first = org.grant()?.text("/refresh_token")?;
            let second = refreshed(org, &first)?.has_status(200)?;
            applies(second.at("/refresh_token").is_string(), "rotation is off for this app")?;
            refreshed(org, &first)?.is(400, &json!({"error": "invalid_grant"}))?;
            refreshed(org, &second.text("/refresh_token")?)?.is(400, &json!({"error": "invalid_grant"}))?;
            let session = format!("Bearer {}", second.text("/access_token")?);
            org.get("limits").header("authorization", &session).send()?.fails(401, "INVALID_SESSION_ID")?;
            Ok(())
        },
    },
    Check {
        name: "without rotation the old refresh token stays valid and no new one is returned",
        source: "recording oauth/expired-then-refreshed-sequence.json",
        relied_on: "the old refresh token is kept if the response has none",
        run: |org| {
            let first = org.grant()?.text("/refresh_token")?;
            let second = refreshed(org, &first)?.has_status(200)?;
            applies(second.at("/refresh_token").is_null(), "rotation is on for this app")?;
            refreshed(org, &first)?.has_status(200)?;
            Ok(())
        },
    },
    Check {
        name: "an unknown refresh token is expired access/refresh token",
        source: "recording oauth/error-refresh-token-expired.json",
        relied_on: "this text alone ends a connection",
        run: |org| {
            let refused = refreshed(org, "5Aep861.unknown")?;
            refused.is(400, &json!({"error": "invalid_grant", "error_description": "expired access/refresh token"}))?;
            Ok(())
        },
    },
    Check {
        name: "an unknown consumer key is invalid_client_id",
        source: "recording oauth/token-errors.jsonl",
        relied_on: "the vendor is told, and no connection ends",
        run: |org| {
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", "5Aep861.unknown"),
                ("client_id", "3MVG9.unknown"),
                ("client_secret", "unknown"),
            ];
            let refused = token_request(org, &form)?;
            refused
                .is(400, &json!({"error": "invalid_client_id", "error_description": "client identifier invalid"}))?;
            Ok(())
        },
    },
    Check {
        name: "a wrong consumer secret is invalid_client",
        source: ERRORS,
        relied_on: "the vendor is told, and no connection ends",
        run: |org| {
            let client_id = org.app()?.client_id.clone();
            let refresh = org.grant()?.text("/refresh_token")?;
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh.as_str()),
                ("client_id", &client_id),
                ("client_secret", "wrong"),
            ];
            let refused = token_request(org, &form)?;
            refused.is(400, &json!({"error": "invalid_client", "error_description": "invalid client credentials"}))?;
            Ok(())
        },
    },
    Check {
        name: "an unknown grant type is unsupported_grant_type",
        source: ERRORS,
        relied_on: "errors of the token endpoint are an object with error and error_description",
        run: |org| {
            let refused = token_request(org, &[("grant_type", "no_such_grant"), ("client_id", "3MVG9.unknown")])?;
            refused.is(400, &json!({"error": "unsupported_grant_type", "error_description": "<text>"}))?;
            Ok(())
        },
    },
    Check {
        name: "a refresh for an app that was blocked after the consent has a known error",
        source: "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flow_errors.htm",
        relied_on: "the connection waits for an administrator, or ends if the grant was revoked",
        run: |org| {
            let app = org.target.blocked_app.as_ref();
            let app = app.ok_or_else(|| not_applicable("no blocked app is given (CONTRACT_BLOCKED_CLIENT_ID)"))?;
            let refresh = app.refresh_token.as_deref();
            let refresh = refresh.ok_or_else(|| {
                not_applicable("no refresh token of the blocked app is given (CONTRACT_BLOCKED_REFRESH_TOKEN)")
            })?;
            let mut form =
                vec![("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", &app.client_id)];
            form.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
            let refused = token_request(org, &form)?;
            let known = match refused.at("/error").as_str() {
                Some("OAUTH_APP_BLOCKED" | "OAUTH_APP_ACCESS_DENIED" | "invalid_app_access") => true,
                Some("invalid_grant") => refused.at("/error_description") == "expired access/refresh token",
                _ => false,
            };
            let expected =
                "OAUTH_APP_BLOCKED, OAUTH_APP_ACCESS_DENIED, invalid_app_access or expired access/refresh token";
            holds(known, expected, refused.shown())
        },
    },
    Check {
        name: "a revoked refresh token ends its sessions",
        source: REVOKE,
        relied_on: "a disconnected org grants nothing any more",
        run: |org| {
            let login = org.app()?.login_url.clone();
            let grant = org.grant()?;
            let (refresh, session) = (grant.text("/refresh_token")?, grant.text("/access_token")?);
            let revoke = org.request("POST", "/services/oauth2/revoke").without_session().at_host(&login);
            revoke.form(&[("token", &refresh)]).send()?.has_status(200)?;
            let limits = org.get("limits").header("authorization", &format!("Bearer {session}")).send()?;
            limits.fails(401, "INVALID_SESSION_ID")?;
            refreshed(org, &refresh)?.is(400, &json!({"error": "invalid_grant"}))?;
            Ok(())
        },
    },
    Check {
        name: "the introspection of a session says user, scopes and end",
        source: INTROSPECTION,
        relied_on: "an operator can see the state of a session",
        run: |org| {
            let session = org.grant()?.text("/access_token")?;
            let shape = json!({
                "active": true, "scope": "<text>", "client_id": "<text>", "username": "<text>",
                "sub": "<contains /id/00D>", "token_type": "access_token", "exp": "<number>", "iat": "<number>",
            });
            introspected(org, &session)?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "the introspection of an unknown session says that it is not active",
        source: INTROSPECTION,
        relied_on: "an ended session is told from an unreachable host",
        run: |org| {
            let answer = introspected(org, "00D000000000001!unknown")?.has_status(200)?;
            same("the body", &json!({"active": false}), &answer.json)
        },
    },
    Check {
        name: "an unknown session is INVALID_SESSION_ID in the data API",
        source: "recording rest/errors/session-expired-401.json",
        relied_on: "a new session is obtained and the call repeated",
        run: |org| {
            let refused = org.get("limits").header("authorization", "Bearer 00D000000000001!unknown").send()?;
            refused.is(401, &json!([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]))?;
            Ok(())
        },
    },
];

fn refreshed(org: &Org, refresh: &str) -> Result<crate::answer::Answer, crate::check::Finding> {
    org.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)])
}

/// Calls the org's own token endpoint without the app's credentials.
fn token_request(org: &Org, form: &[(&str, &str)]) -> Result<crate::answer::Answer, crate::check::Finding> {
    org.request("POST", "/services/oauth2/token").without_session().form(form).send()
}

fn introspected(org: &Org, token: &str) -> Result<crate::answer::Answer, crate::check::Finding> {
    let app = org.app()?;
    let mut form = vec![("token", token), ("token_type_hint", "access_token"), ("client_id", &app.client_id)];
    form.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
    let request = org.request("POST", "/services/oauth2/introspect").without_session().at_host(&app.login_url);
    request.form(&form).send()
}
