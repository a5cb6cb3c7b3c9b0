use jiff::SignedDuration;
use proptest::prelude::*;

use super::code::EXPIRED_CODE;
use super::*;
use crate::model::ids::numbered;
use crate::model::logins::apps::Apps;
use crate::model::logins::error::{BUSY, EXPIRED_TOKEN, OAuthError};
use crate::model::logins::{Consent, Logins};
use crate::model::random::Random;

const REDIRECT: &str = "http://localhost:8580/oauth/callback";
const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-43-chars";

fn form(fields: &[(&str, &str)]) -> Form {
    Form::new(fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

struct TestContext {
    logins: Logins,
    now: Timestamp,
}

impl TestContext {
    fn new() -> Self {
        let mut logins = Logins::new(Apps::default(), Random::new(Some(1)));
        logins.add_app("App", "app", "secret", REDIRECT);
        Self { logins, now: "2026-11-22T10:00:00Z".parse().unwrap() }
    }

    fn code(&mut self) -> String {
        let consent = Consent {
            client_id: "app".to_owned(),
            user: numbered("005", 1),
            redirect_uri: REDIRECT.to_owned(),
            scope: "api refresh_token".to_owned(),
            code_challenge: Some(sha256_url(VERIFIER)),
            nonce: None,
        };
        self.logins.issue_code(consent, self.now)
    }

    fn exchange(&mut self, code: &str, more: &[(&str, &str)]) -> Result<IssuedTokens, OAuthError> {
        let mut fields = more.to_vec();
        fields.extend([
            ("client_id", "app"),
            ("client_secret", "secret"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ]);
        self.logins.exchange(&form(&fields), "00D", self.now)
    }

    fn granted(&mut self) -> IssuedTokens {
        let code = self.code();
        self.exchange(&code, &[]).unwrap()
    }

    fn begin(&mut self, token: &str) -> Result<Refresh, OAuthError> {
        let form = form(&[("client_id", "app"), ("client_secret", "secret"), ("refresh_token", token)]);
        self.logins.begin_refresh(&form, self.now)
    }

    fn refresh(&mut self, token: &str) -> Result<IssuedTokens, OAuthError> {
        let refresh = self.begin(token)?;
        self.logins.finish_refresh(refresh, "00D", self.now)
    }
}

#[test]
fn a_code_can_be_exchanged_once() {
    let mut context = TestContext::new();
    let code = context.code();
    assert!(context.exchange(&code, &[]).is_ok());
    assert_eq!(context.exchange(&code, &[]).unwrap_err(), EXPIRED_CODE);
}

#[test]
fn a_code_expires_after_fifteen_minutes() {
    let mut context = TestContext::new();
    let code = context.code();
    context.now += SignedDuration::from_mins(15);
    assert_eq!(context.exchange(&code, &[]).unwrap_err(), EXPIRED_CODE);
}

#[test]
fn a_code_needs_its_verifier_its_redirect_and_the_secret() {
    for (field, value, error) in [
        ("code_verifier", "", "invalid_grant"),
        ("code_verifier", "another-verifier-that-is-long-enough-to-be-one", "invalid_request"),
        ("redirect_uri", "http://localhost:8580/other", "redirect_uri_mismatch"),
        ("client_secret", "wrong", "invalid_client"),
        ("client_id", "nobody", "invalid_client_id"),
        ("code", "guess", "invalid_grant"),
    ] {
        let mut context = TestContext::new();
        let code = context.code();
        assert_eq!(context.exchange(&code, &[(field, value)]).unwrap_err().error, error, "{field}={value}");
    }
}

#[test]
fn a_refresh_rotates_the_token() {
    let mut context = TestContext::new();
    let first = context.granted();
    let second = context.refresh(&first.refresh_token.unwrap()).unwrap();
    assert!(second.refresh_token.is_some());
    assert_ne!(second.access_token, first.access_token);
}

#[test]
fn reuse_of_a_rotated_token_revokes_the_grant() {
    let mut context = TestContext::new();
    let first = context.granted();
    let old = first.refresh_token.unwrap();
    let second = context.refresh(&old).unwrap();

    assert_eq!(context.refresh(&old).unwrap_err(), EXPIRED_TOKEN);

    assert_eq!(context.refresh(&second.refresh_token.unwrap()).unwrap_err(), EXPIRED_TOKEN);
    assert_eq!(context.logins.session_user(&second.access_token, context.now), None);
}

#[test]
fn a_concurrent_refresh_is_refused_without_harm() {
    let mut context = TestContext::new();
    let token = context.granted().refresh_token.unwrap();
    let working = context.begin(&token).unwrap();

    assert_eq!(context.begin(&token).unwrap_err(), BUSY);

    assert!(context.logins.finish_refresh(working, "00D", context.now).is_ok());
}

#[test]
fn without_rotation_no_new_refresh_token_is_returned() {
    let mut context = TestContext::new();
    context.logins.rotates = false;
    let token = context.granted().refresh_token.unwrap();
    assert_eq!(context.refresh(&token).unwrap().refresh_token, None);
    assert!(context.refresh(&token).is_ok());
}

#[test]
fn an_unused_refresh_token_expires_after_thirty_days() {
    let mut context = TestContext::new();
    let token = context.granted().refresh_token.unwrap();
    context.now += SignedDuration::from_hours(30 * 24 + 1);
    assert_eq!(context.refresh(&token).unwrap_err(), EXPIRED_TOKEN);
}

#[test]
fn a_sixth_grant_revokes_the_oldest() {
    let mut context = TestContext::new();
    let first = context.granted().refresh_token.unwrap();
    let others: Vec<_> = (0..5).map(|_| context.granted().refresh_token.unwrap()).collect();
    assert_eq!(context.refresh(&first).unwrap_err(), EXPIRED_TOKEN);
    assert!(context.refresh(&others[0]).is_ok());
}

#[test]
fn a_session_expires_two_hours_after_its_last_use() {
    let mut context = TestContext::new();
    let token = context.granted().access_token;
    context.now += SignedDuration::from_mins(119);
    assert!(context.logins.session_user(&token, context.now).is_some());
    context.now += SignedDuration::from_mins(119);
    assert!(context.logins.session_user(&token, context.now).is_some());
    context.now += SignedDuration::from_mins(120);
    assert!(context.logins.session_user(&token, context.now).is_none());
}

#[test]
fn revoking_a_refresh_token_also_ends_its_access_tokens() {
    let mut context = TestContext::new();
    let first = context.granted();
    assert!(context.logins.revoke(&first.access_token));
    assert_eq!(context.logins.session_user(&first.access_token, context.now), None);
    let second = context.refresh(&first.refresh_token.unwrap()).unwrap();

    let token = second.refresh_token.unwrap();
    assert!(context.logins.revoke(&token) && !context.logins.revoke(&token));
    assert_eq!(context.logins.session_user(&second.access_token, context.now), None);
    assert_eq!(context.refresh(&token).unwrap_err(), EXPIRED_TOKEN);
}

#[derive(Clone, Debug)]
enum Step {
    /// Starts a refresh with the n-th token that was issued.
    Begin(usize),
    /// Finishes the n-th refresh in progress.
    Finish(usize),
}

proptest! {
    #[test]
    fn a_grant_has_at_most_one_valid_refresh_token(
        steps in proptest::collection::vec(prop_oneof![(0_usize..6).prop_map(Step::Begin), (0_usize..3).prop_map(Step::Finish)], 0..40)
    ) {
        let mut context = TestContext::new();
        let mut given = vec![context.granted().refresh_token.unwrap()];
        let mut working: Vec<Refresh> = Vec::new();
        let mut reused = false;
        for step in steps {
            match step {
                Step::Begin(n) => {
                    let token = given[n % given.len()].clone();
                    let rotated = Some(&token) != given.last();
                    match context.begin(&token) {
                        Ok(refresh) => {
                            prop_assert!(!rotated && !reused, "only the newest token of a valid family is accepted");
                            working.push(refresh);
                        }
                        Err(error) => prop_assert_eq!(error, if rotated || reused { EXPIRED_TOKEN } else { BUSY }),
                    }
                    reused |= rotated;
                }
                Step::Finish(n) if !working.is_empty() => {
                    let refresh = working.remove(n % working.len());
                    match context.logins.finish_refresh(refresh, "00D", context.now) {
                        Ok(granted) => given.push(granted.refresh_token.unwrap()),
                        Err(error) => prop_assert!(reused && error == EXPIRED_TOKEN),
                    }
                }
                Step::Finish(_) => {}
            }
            prop_assert!(working.len() <= 1, "one refresh at a time");
            let valid = given.iter().filter(|token| context.logins.active_grant(token, context.now).is_some()).count();
            prop_assert_eq!(valid, usize::from(!reused));
        }
    }
}

#[test]
fn the_signature_matches_a_published_test_vector() {
    // HMAC-SHA256 with the key "key" over "The quick brown fox jumps over the lazy dog", a published test vector, split
    // in two.
    let signature = signature("key", "The quick brown fox ", "jumps over the lazy dog");
    assert_eq!(signature, "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=");
}
