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

fn answer() -> Value {
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

fn verify(answer: Value) -> Result<TokenResponse, Error> {
    let raw: RawResponse = serde_json::from_value(answer).unwrap();
    raw.verify("a test", &app(), HostPolicy::SalesforceOnly)
}

fn with(key: &str, value: Value) -> Value {
    let mut answer = answer();
    answer[key] = value;
    answer
}

#[test]
fn a_signed_answer_is_believed() {
    let answer = verify(answer()).unwrap();
    assert_eq!(answer.access_token.expose_secret(), "00D5e000000KQ2e!AQcAQ");
    assert_eq!(answer.refresh_token.unwrap().expose_secret(), "5Aep861");
    assert_eq!(answer.instance_url.unwrap().as_str(), "https://acme.my.salesforce.com");
    assert_eq!(answer.identity.org_id.as_str(), "00D5e000000KQ2eEAG");
    assert_eq!(answer.identity.user_id.as_str(), "0055e000001mKpCAAU");
    assert_eq!(answer.scopes, ["refresh_token", "api", "openid"]);
    assert_eq!(answer.issued_at, "2023-02-14T11:00:18.56Z".parse().unwrap());
}

#[test]
fn a_refresh_without_rotation_brings_neither_token_nor_instance() {
    let mut answer = answer();
    let keys = answer.as_object_mut().unwrap();
    keys.remove("refresh_token");
    keys.remove("instance_url");
    keys.remove("token_type");
    let answer = verify(answer).unwrap();
    assert!(answer.refresh_token.is_none());
    assert_eq!(answer.instance_url, None);
}

#[test]
fn a_number_as_time_of_issue_is_taken_too() {
    assert!(verify(with("issued_at", json!(1_676_372_418_560_u64))).is_ok());
}

#[test]
fn what_is_not_signed_is_not_believed() {
    for answer in [
        with("signature", json!("VA0jxT+xl3HUdw1+Fz2f+47OD3AV490hgNhhkFYvPLE=")),
        with("signature", json!("no base64!")),
        with("signature", json!("")),
        with("id", json!("https://login.salesforce.com/id/00D5e000000KQ2fEAG/0055e000001mKpCAAU")),
        with("issued_at", json!("1676372418561")),
        with("issued_at", json!(null)),
    ] {
        assert!(matches!(verify(answer), Err(Error::Untrusted { .. })));
    }
}

#[test]
fn a_foreign_instance_is_not_believed() {
    for url in ["https://evil.example", "http://acme.my.salesforce.com", "http://localhost:1", "mock_instance"] {
        let answer = verify(with("instance_url", json!(url)));
        assert!(matches!(answer, Err(Error::Untrusted { .. })), "{url}");
    }
}

#[test]
fn debug_output_holds_no_token() {
    let raw: RawResponse = serde_json::from_value(with("id_token", json!("idtoken"))).unwrap();
    let shown = format!("{raw:?} {:?}", verify(answer()).unwrap());
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
