//! OAuth: consents with PKCE, the token response, and the errors of a consent.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::check::{Check, applies, differs, holds, not_applicable};
use crate::consent::Pkce;
use crate::org::Org;

const WEB_SERVER: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_web_server_flow.htm";
const ERRORS: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flow_errors.htm";
const OPENID: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_using_openid.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a code and its verifier are exchanged for tokens",
        source: "recording oauth/token-web-server-flow-all-keys.json",
        relied_on: "every connection begins with this exchange",
        run: |org| {
            let shape = json!({
                "access_token": "<text>", "refresh_token": "<text>", "signature": "<text>",
                "scope": "<contains refresh_token>", "id_token": "<text>", "instance_url": "<starts http>",
                "id": "<contains /id/00D>", "token_type": "Bearer", "issued_at": "<text>",
            });
            org.grant()?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "the token response has milliseconds as text, and no time of expiry",
        source: "recording oauth/token-web-server-flow-all-keys.json",
        relied_on: "the end of a session is learnt from a refused call",
        run: |org| {
            let grant = org.grant()?.is(200, &json!({"expires_in": "<absent>"}))?;
            let issued = grant.text("/issued_at")?;
            holds(issued.len() == 13 && issued.parse::<u64>().is_ok(), "issued_at of 13 digits", issued)
        },
    },
    Check {
        name: "the signature is made of id and issued_at with the consumer secret",
        source: "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_web_server_flow.htm",
        relied_on: "the org and the user of a token response are trusted",
        run: |org| {
            let secret = org.app()?.client_secret.clone();
            let secret = secret.ok_or_else(|| not_applicable("the app is a public client"))?;
            let grant = org.grant()?;
            let mut mac =
                Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|e| not_applicable(e.to_string()))?;
            mac.update(grant.text("/id")?.as_bytes());
            mac.update(grant.text("/issued_at")?.as_bytes());
            let expected = STANDARD.encode(mac.finalize().into_bytes());
            holds(
                grant.text("/signature")? == expected,
                "base64 of HMAC-SHA256(secret, id + issued_at)",
                "another text",
            )
        },
    },
    Check {
        name: "the id in the token response ends in org and user",
        source: "recording oauth/token-password-flow-with-token-type.json",
        relied_on: "the org of a consent is compared with the org that was invited",
        run: |org| {
            let id = org.grant()?.text("/id")?;
            let mut parts = id.rsplit('/');
            let (user, of) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            holds(user.starts_with("005") && of == org.id, "/id/{this org}/{user}", id.as_str())
        },
    },
    Check {
        name: "the state of a consent comes back unchanged",
        source: WEB_SERVER,
        relied_on: "a callback is matched with the request that it answers",
        run: |org| {
            let state = "a b+c/d%20=é";
            let pkce = Pkce::new();
            let back = org.authorize(&[
                ("state", state),
                ("code_challenge", &pkce.challenge),
                ("code_challenge_method", "S256"),
            ])?;
            holds(
                back.get("state").is_some_and(|back| back == state),
                &format!("state {state:?}"),
                format!("{:?}", back.get("state")),
            )
        },
    },
    Check {
        name: "a code cannot be used twice",
        source: WEB_SERVER,
        relied_on: "a repeated callback does not make a second grant",
        run: |org| {
            let (code, pkce) = code(org)?;
            org.exchange(&code, &[("code_verifier", &pkce.verifier)])?.has_status(200)?;
            let again = org.exchange(&code, &[("code_verifier", &pkce.verifier)])?;
            again.is(400, &json!({"error": "invalid_grant", "error_description": "<text>"}))?;
            Ok(())
        },
    },
    Check {
        name: "a code with another verifier is refused",
        source: WEB_SERVER,
        relied_on: "a stolen code is worthless",
        run: |org| {
            let (code, _) = code(org)?;
            let refused = org.exchange(&code, &[("code_verifier", &Pkce::new().verifier)])?;
            let known = matches!(refused.at("/error").as_str(), Some("invalid_grant" | "invalid_request"));
            holds(refused.status == 400 && known, "400 invalid_grant or invalid_request", refused.shown())
        },
    },
    Check {
        name: "a code without its verifier is refused",
        source: WEB_SERVER,
        relied_on: "a stolen code is worthless",
        run: |org| {
            let (code, _) = code(org)?;
            org.exchange(&code, &[])?.is(400, &json!({"error": "invalid_grant"}))?;
            Ok(())
        },
    },
    Check {
        name: "a code is refused with another callback URL",
        source: ERRORS,
        relied_on: "the callback URL of the exchange must be that of the consent",
        run: |org| {
            let (code, pkce) = code(org)?;
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("code_verifier", &pkce.verifier),
                ("redirect_uri", "https://example.com/other"),
            ];
            org.token(&form)?.is(400, &json!({"error": "redirect_uri_mismatch"}))?;
            Ok(())
        },
    },
    Check {
        name: "an unknown code is invalid_grant",
        source: ERRORS,
        relied_on: "a code that has expired asks the user to begin again",
        run: |org| {
            let refused = org.exchange("aPrxUnknownCode", &[("code_verifier", &Pkce::new().verifier)])?;
            refused.is(400, &json!({"error": "invalid_grant", "error_description": "<text>"}))?;
            Ok(())
        },
    },
    Check {
        name: "an id_token is signed with RS256 by a key of the org's keys",
        source: OPENID,
        relied_on: "the user of a consent is verified by the id_token",
        run: |org| {
            let header = part(&org.grant()?.text("/id_token")?, 0)?;
            holds(header["alg"] == "RS256", "alg RS256", &header)?;
            let keys = org.get("/id/keys").without_session().send()?.has_status(200)?;
            holds(
                keys.list("/keys").iter().any(|key| key["kid"] == header["kid"]),
                "a key with the kid of the token",
                &header,
            )
        },
    },
    Check {
        name: "an id_token has the claims iss, sub, aud, iat, exp and at_hash",
        source: OPENID,
        relied_on: "at_hash is verified if it is present",
        run: |org| {
            let claims = part(&org.grant()?.text("/id_token")?, 1)?;
            let missing: Vec<_> = ["iss", "sub", "aud", "iat", "exp", "at_hash"]
                .into_iter()
                .filter(|name| claims.get(*name).is_none())
                .collect();
            let names: Vec<&String> = claims.as_object().into_iter().flat_map(|claims| claims.keys()).collect();
            holds(missing.is_empty(), "the claims iss, sub, aud, iat, exp and at_hash", format!("{names:?}"))
        },
    },
    Check {
        name: "the nonce of a consent is in the id_token",
        source: OPENID,
        relied_on: "an id_token belongs to the consent that asked for it",
        run: |org| {
            let pkce = Pkce::new();
            let back = org.authorize(&[
                ("nonce", "n-0S6"),
                ("code_challenge", &pkce.challenge),
                ("code_challenge_method", "S256"),
            ])?;
            let code = back.get("code").map_or("", String::as_str);
            let grant = org.exchange(code, &[("code_verifier", &pkce.verifier)])?.has_status(200)?;
            let claims = part(&grant.text("/id_token")?, 1)?;
            holds(claims["nonce"] == "n-0S6", "nonce n-0S6", &claims["nonce"])
        },
    },
    Check {
        name: "a consent for an app that an administrator blocked returns OAUTH_APP_BLOCKED",
        source: ERRORS,
        relied_on: "the result page says that an administrator must unblock the app",
        run: |org| {
            let app = org.target.blocked_app.as_ref();
            let app = app.ok_or_else(|| not_applicable("no blocked app is given (CONTRACT_BLOCKED_CLIENT_ID)"))?;
            consent_error(org, &app.client_id, "OAUTH_APP_BLOCKED")
        },
    },
    Check {
        name: "a consent of a user who is not approved returns OAUTH_APP_ACCESS_DENIED",
        source: ERRORS,
        relied_on: "the result page says that an administrator must approve the user",
        run: |org| {
            let app = org.target.unapproved_client_id.as_ref();
            let app = app.ok_or_else(|| {
                not_applicable("no app is given that the user is not approved for (CONTRACT_UNAPPROVED_CLIENT_ID)")
            })?;
            consent_error(org, app, "OAUTH_APP_ACCESS_DENIED")
        },
    },
    Check {
        name: "an unknown consumer key is not sent back to the callback URL",
        source: ERRORS,
        relied_on: "a user may see Salesforce's own page and never come back",
        run: |org| {
            let path = "/services/oauth2/authorize?response_type=code&client_id=3MVG9.unknown\
                        &redirect_uri=https%3A%2F%2Fexample.com%2Fcallback";
            let answer = org.get(path).without_session().send()?;
            holds(
                !answer.header("location").starts_with("https://example.com"),
                "no redirect to the callback URL",
                answer.header("location"),
            )
        },
    },
];

/// Obtains a code with its PKCE values.
fn code(org: &Org) -> Result<(String, Pkce), crate::check::Finding> {
    let pkce = Pkce::new();
    let back = org.authorize(&[("code_challenge", &pkce.challenge), ("code_challenge_method", "S256")])?;
    let code = back.get("code").ok_or_else(|| differs("a code", format!("{back:?}")))?;
    Ok((code.clone(), pkce))
}

/// Returns header (0) or claims (1) of a JWT.
fn part(token: &str, at: usize) -> Result<Value, crate::check::Finding> {
    let part = token.split('.').nth(at).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let json = part.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    json.ok_or_else(|| differs("a JWT of three parts", "another text"))
}

/// Requires that a consent for the app comes back with the error.
fn consent_error(org: &Org, client_id: &str, expected: &str) -> crate::check::Verdict {
    let pkce = Pkce::new();
    let parameters = [("client_id", client_id), ("code_challenge", &pkce.challenge), ("code_challenge_method", "S256")];
    let back = org.authorize(&parameters)?;
    applies(!back.is_empty(), "the user did not come back to the callback URL")?;
    holds(back.get("error").is_some_and(|error| error == expected), &format!("error={expected}"), format!("{back:?}"))
}
