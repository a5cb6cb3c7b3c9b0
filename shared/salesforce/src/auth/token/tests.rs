use serde_json::json;

use super::*;

const SECRET: &str = "client-secret-of-a-test";
const ID: &str = "https://login.salesforce.com/id/00D5e000000KQ2eEAG/0055e000001mKpCAAU";

fn app() -> App {
    App { name: "v2".to_owned(), client_id: "3MVG9client".to_owned(), client_secret: SECRET.into() }
}

fn sign(id: &str, issued_at: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(id.as_bytes());
    mac.update(issued_at.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn response() -> Value {
    json!({
        "access_token": "00D5e000000KQ2e!AQcAQ",
        "refresh_token": "5Aep861",
        "signature": sign(ID, "1676372418560"),
        "scope": "refresh_token api openid",
        "instance_url": "https://acme.my.salesforce.com",
        "id": ID,
        "token_type": "Bearer",
        "issued_at": "1676372418560",
        "api_instance_url": "https://api.salesforce.com",
        "state": "new keys appear",
    })
}

fn verify(response: Value) -> Result<TokenResponse, Error> {
    let raw: RawResponse = serde_json::from_value(response).unwrap();
    raw.verify("a test", &app(), HostPolicy::SalesforceOnly)
}

fn with(key: &str, value: Value) -> Value {
    let mut response = response();
    response[key] = value;
    response
}

#[test]
fn a_signed_response_is_accepted() {
    let response = verify(response()).unwrap();
    assert_eq!(response.access_token.expose_secret(), "00D5e000000KQ2e!AQcAQ");
    assert_eq!(response.refresh_token.unwrap().expose_secret(), "5Aep861");
    assert_eq!(response.instance_url.unwrap().as_str(), "https://acme.my.salesforce.com");
    assert_eq!(response.identity.org_id.as_str(), "00D5e000000KQ2eEAG");
    assert_eq!(response.identity.user_id.as_str(), "0055e000001mKpCAAU");
    assert_eq!(response.scopes, ["refresh_token", "api", "openid"]);
    assert_eq!(response.issued_at, "2023-02-14T11:00:18.56Z".parse().unwrap());
}

#[test]
fn a_refresh_without_rotation_has_neither_token_nor_instance() {
    let mut response = response();
    let keys = response.as_object_mut().unwrap();
    keys.remove("refresh_token");
    keys.remove("instance_url");
    keys.remove("token_type");
    let response = verify(response).unwrap();
    assert!(response.refresh_token.is_none());
    assert_eq!(response.instance_url, None);
}

#[test]
fn a_number_is_accepted_as_issued_at() {
    assert!(verify(with("issued_at", json!(1_676_372_418_560_u64))).is_ok());
}

#[test]
fn a_response_without_a_valid_signature_is_refused() {
    for response in [
        with("signature", json!("VA0jxT+xl3HUdw1+Fz2f+47OD3AV490hgNhhkFYvPLE=")),
        with("signature", json!("no base64!")),
        with("signature", json!("")),
        with("id", json!("https://login.salesforce.com/id/00D5e000000KQ2fEAG/0055e000001mKpCAAU")),
        with("issued_at", json!("1676372418561")),
        with("issued_at", json!(null)),
    ] {
        assert!(matches!(verify(response), Err(Error::Untrusted { .. })));
    }
}

#[test]
fn an_instance_outside_salesforce_is_refused() {
    for url in ["https://evil.example", "http://acme.my.salesforce.com", "http://localhost:1", "mock_instance"] {
        let response = verify(with("instance_url", json!(url)));
        assert!(matches!(response, Err(Error::Untrusted { .. })), "{url}");
    }
}

#[test]
fn debug_output_contains_no_token() {
    let raw: RawResponse = serde_json::from_value(with("id_token", json!("idtoken"))).unwrap();
    let shown = format!("{raw:?} {:?}", verify(response()).unwrap());
    for secret in ["AQcAQ", "5Aep861", "idtoken"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn short_ids_in_the_identity_become_long_ones() {
    let found = identity("https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P").unwrap();
    assert_eq!(found.org_id.as_str().len(), 18);
    assert_eq!(identity("https://login.salesforce.com/id/nope/005x00000012Q9P"), None);
    assert_eq!(identity(""), None);
}
