use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;
const SUB: &str = "https://login.salesforce.com/id/00D5e000000KQ2eEAG/0055e000001mKpCAAU";

fn check(change: impl FnOnce(&mut Value)) -> Result<(), &'static str> {
    let mut claims = json!({
        "sub": SUB, "aud": "app", "exp": NOW + 120, "iat": NOW, "nonce": "n1", "at_hash": "5yQK25HS8upXgZEH1ogWUQ",
    });
    let digest = Sha256::digest(b"the-token");
    claims["at_hash"] = json!(BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]));
    change(&mut claims);
    let expected = Expected {
        client_id: "app",
        nonce: &"n1".into(),
        access_token: &"the-token".into(),
        identity: identity(SUB).unwrap(),
        now: Timestamp::from_second(NOW).unwrap(),
    };
    expected.check(&serde_json::from_value(claims).unwrap())
}

#[test]
fn an_id_token_of_this_consent_is_accepted() {
    assert_eq!(check(|_| ()), Ok(()));
    assert_eq!(check(|claims| claims["aud"] = json!(["app"])), Ok(()));
    assert_eq!(check(|claims| claims["sub"] = json!(SUB.replace("login.", "acme.my."))), Ok(()));
    assert_eq!(check(|claims| drop(claims.as_object_mut().unwrap().remove("at_hash"))), Ok(()));
}

#[test]
fn another_audience_is_refused_even_beside_ours() {
    for audience in [json!("other"), json!(null), json!(["other"]), json!(["app", "other"]), json!([])] {
        assert_eq!(check(|claims| claims["aud"] = audience), Err("an id_token of another app"));
    }
}

#[test]
fn clocks_may_differ_by_up_to_a_minute() {
    let not_now = Err("an id_token that is not valid now");
    assert_eq!(check(|claims| claims["exp"] = json!(NOW - 59)), Ok(()));
    assert_eq!(check(|claims| claims["exp"] = json!(NOW - 60)), not_now);
    assert_eq!(check(|claims| claims["iat"] = json!(NOW + 60)), Ok(()));
    assert_eq!(check(|claims| claims["iat"] = json!(NOW + 61)), not_now);
    assert_eq!(check(|claims| claims["exp"] = json!(i64::MIN)), not_now);
}

#[test]
fn another_consent_access_token_or_user_is_refused() {
    for nonce in ["n2", "", "n11"] {
        assert_eq!(check(|claims| claims["nonce"] = json!(nonce)), Err("an id_token of another consent"));
    }
    assert_eq!(check(|claims| claims["at_hash"] = json!("x")), Err("an id_token of another access token"));
    for sub in ["", "00D5e000000KQ2eEAG", &SUB.replace("0055e000001mKpCAAU", "0055e000001mKpDAAU")] {
        assert_eq!(check(|claims| claims["sub"] = json!(sub)), Err("an id_token of another user"));
    }
}

#[test]
fn the_issuer_of_a_malformed_token_is_none() {
    let payload = BASE64_URL_SAFE_NO_PAD.encode(r#"{"iss":"https://login.salesforce.com"}"#);
    assert_eq!(issuer(&format!("h.{payload}.s")).as_deref(), Some("https://login.salesforce.com"));
    for other in ["", "h", "h..s", "h.e30.s"] {
        assert_eq!(issuer(other), None);
    }
}
