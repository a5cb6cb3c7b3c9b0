use jiff::SignedDuration;
use proptest::prelude::*;

use super::code::EXPIRED_CODE;
use super::*;
use crate::model::ids::numbered;
use crate::model::logins::apps::Apps;
use crate::model::logins::refusal::{BUSY, EXPIRED_TOKEN, Refusal};
use crate::model::logins::{Consent, Logins};
use crate::model::random::Random;

const REDIRECT: &str = "http://localhost:8580/oauth/callback";
const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-43-chars";

fn form(fields: &[(&str, &str)]) -> Form {
    Form::new(fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

struct Scene {
    logins: Logins,
    now: Timestamp,
}

impl Scene {
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

    fn exchange(&mut self, code: &str, more: &[(&str, &str)]) -> Result<Granted, Refusal> {
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

    fn granted(&mut self) -> Granted {
        let code = self.code();
        self.exchange(&code, &[]).unwrap()
    }

    fn begin(&mut self, token: &str) -> Result<Refresh, Refusal> {
        let form = form(&[("client_id", "app"), ("client_secret", "secret"), ("refresh_token", token)]);
        self.logins.begin_refresh(&form, None, self.now)
    }

    fn refresh(&mut self, token: &str) -> Result<Granted, Refusal> {
        let refresh = self.begin(token)?;
        self.logins.finish_refresh(refresh, "00D", self.now)
    }
}

#[test]
fn a_code_can_be_exchanged_once() {
    let mut scene = Scene::new();
    let code = scene.code();
    assert!(scene.exchange(&code, &[]).is_ok());
    assert_eq!(scene.exchange(&code, &[]).unwrap_err(), EXPIRED_CODE);
}

#[test]
fn a_code_expires_after_fifteen_minutes() {
    let mut scene = Scene::new();
    let code = scene.code();
    scene.now += SignedDuration::from_mins(15);
    assert_eq!(scene.exchange(&code, &[]).unwrap_err(), EXPIRED_CODE);
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
        let mut scene = Scene::new();
        let code = scene.code();
        assert_eq!(scene.exchange(&code, &[(field, value)]).unwrap_err().error, error, "{field}={value}");
    }
}

#[test]
fn a_refresh_rotates_the_token() {
    let mut scene = Scene::new();
    let first = scene.granted();
    let second = scene.refresh(&first.refresh_token.unwrap()).unwrap();
    assert!(second.refresh_token.is_some());
    assert_ne!(second.access_token, first.access_token);
}

#[test]
fn reuse_of_a_rotated_token_revokes_the_grant() {
    let mut scene = Scene::new();
    let first = scene.granted();
    let old = first.refresh_token.unwrap();
    let second = scene.refresh(&old).unwrap();

    assert_eq!(scene.refresh(&old).unwrap_err(), EXPIRED_TOKEN);

    assert_eq!(scene.refresh(&second.refresh_token.unwrap()).unwrap_err(), EXPIRED_TOKEN);
    assert_eq!(scene.logins.session_user(&second.access_token, scene.now), None);
}

#[test]
fn a_concurrent_refresh_is_refused_without_harm() {
    let mut scene = Scene::new();
    let token = scene.granted().refresh_token.unwrap();
    let working = scene.begin(&token).unwrap();

    assert_eq!(scene.begin(&token).unwrap_err(), BUSY);

    assert!(scene.logins.finish_refresh(working, "00D", scene.now).is_ok());
}

#[test]
fn without_rotation_no_new_refresh_token_is_returned() {
    let mut scene = Scene::new();
    scene.logins.rotates = false;
    let token = scene.granted().refresh_token.unwrap();
    assert_eq!(scene.refresh(&token).unwrap().refresh_token, None);
    assert!(scene.refresh(&token).is_ok());
}

#[test]
fn an_unused_refresh_token_expires_after_thirty_days() {
    let mut scene = Scene::new();
    let token = scene.granted().refresh_token.unwrap();
    scene.now += SignedDuration::from_hours(30 * 24 + 1);
    assert_eq!(scene.refresh(&token).unwrap_err(), EXPIRED_TOKEN);
}

#[test]
fn a_sixth_grant_revokes_the_oldest() {
    let mut scene = Scene::new();
    let first = scene.granted().refresh_token.unwrap();
    let others: Vec<_> = (0..5).map(|_| scene.granted().refresh_token.unwrap()).collect();
    assert_eq!(scene.refresh(&first).unwrap_err(), EXPIRED_TOKEN);
    assert!(scene.refresh(&others[0]).is_ok());
}

#[test]
fn a_session_expires_two_hours_after_its_last_use() {
    let mut scene = Scene::new();
    let token = scene.granted().access_token;
    scene.now += SignedDuration::from_mins(119);
    assert!(scene.logins.session_user(&token, scene.now).is_some());
    scene.now += SignedDuration::from_mins(119);
    assert!(scene.logins.session_user(&token, scene.now).is_some());
    scene.now += SignedDuration::from_mins(120);
    assert!(scene.logins.session_user(&token, scene.now).is_none());
}

#[test]
fn revoking_a_refresh_token_also_ends_its_access_tokens() {
    let mut scene = Scene::new();
    let first = scene.granted();
    assert!(scene.logins.revoke(&first.access_token));
    assert_eq!(scene.logins.session_user(&first.access_token, scene.now), None);
    let second = scene.refresh(&first.refresh_token.unwrap()).unwrap();

    let token = second.refresh_token.unwrap();
    assert!(scene.logins.revoke(&token) && !scene.logins.revoke(&token));
    assert_eq!(scene.logins.session_user(&second.access_token, scene.now), None);
    assert_eq!(scene.refresh(&token).unwrap_err(), EXPIRED_TOKEN);
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
        let mut scene = Scene::new();
        let mut given = vec![scene.granted().refresh_token.unwrap()];
        let mut working: Vec<Refresh> = Vec::new();
        let mut reused = false;
        for step in steps {
            match step {
                Step::Begin(n) => {
                    let token = given[n % given.len()].clone();
                    let spent = Some(&token) != given.last();
                    match scene.begin(&token) {
                        Ok(refresh) => {
                            prop_assert!(!spent && !reused, "only the newest token of a living family is accepted");
                            working.push(refresh);
                        }
                        Err(refusal) => prop_assert_eq!(refusal, if spent || reused { EXPIRED_TOKEN } else { BUSY }),
                    }
                    reused |= spent;
                }
                Step::Finish(n) if !working.is_empty() => {
                    let refresh = working.remove(n % working.len());
                    match scene.logins.finish_refresh(refresh, "00D", scene.now) {
                        Ok(granted) => given.push(granted.refresh_token.unwrap()),
                        Err(refusal) => prop_assert!(reused && refusal == EXPIRED_TOKEN),
                    }
                }
                Step::Finish(_) => {}
            }
            prop_assert!(working.len() <= 1, "one refresh at a time");
            let living = given.iter().filter(|token| scene.logins.live_grant(token, scene.now).is_some()).count();
            prop_assert_eq!(living, usize::from(!reused));
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
