use super::*;

const TICKET: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";

#[test]
fn a_registered_secret_is_found_and_not_shown() {
    let text = "all is well\nthe secret is correct-horse-battery\n";
    assert_eq!(leaks(text, ["correct-horse-battery"]), ["the secret is [SECRET]"]);
    assert!(leaks(text, ["all"]).is_empty());
}

#[test]
fn the_form_of_a_secret_is_found_without_registration() {
    for secret in [
        "00D5e0000000001!AQabcdefghijklmnop",
        "5Aep861abcdefghij",
        "aPrxabcdefghij==",
        "eyJhbGci.eyJzdWIi.c2ln",
        TICKET,
    ] {
        let line = format!(r#"{{"url":"https://ferry.example.com/connect/{secret}?a=b"}}"#);
        assert_eq!(leaks(&line, []), [r#"{"url":"https://ferry.example.com/connect/[SECRET]?a=b"}"#], "{secret}");
    }
}

#[test]
fn ids_digests_and_names_are_not_secrets() {
    for innocent in [
        "00D5e000000KQ2eEAG",
        "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
        "00000000-0000-0000-0000-000000000001",
        "a_connection_keeps_its_lease_while_it_stand",
        "eyJust.a.sentence",
    ] {
        assert!(!looks_secret(innocent), "{innocent}");
    }
}

#[test]
fn an_id_of_s3_is_no_secret_and_hides_none() {
    let id = |after: &str| format!(r#"{{"extended_request_id":"Some(\"{TICKET}+X9Tq\")","url":"{after}"}}"#);
    assert!(leaks(&id("https://ferry.example.com"), []).is_empty());
    assert_eq!(leaks(&id(TICKET), []).len(), 1);
}

#[test]
fn the_record_is_searched_when_the_test_ends() {
    let is_caught = |scan: SecretScan| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(scan))).is_err();

    let scan = start();
    tracing::trace!(target: "runtime", "a line with {TICKET}");
    assert!(is_caught(scan));

    let scan = start();
    scan.forbid("correct-horse-battery");
    add("sent: correct-horse-battery");
    assert!(is_caught(scan));

    let scan = start();
    scan.forbid("correct-horse-battery");
    add("sent: nothing");
    assert!(!is_caught(scan));
}
