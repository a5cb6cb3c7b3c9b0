use org_simulator::{Effect, Fault};
use serde_json::json;

use crate::support::Scene;

fn fault(effect: Effect) -> Fault {
    Fault { path_prefix: "/services/data".to_owned(), method: None, times: 1, effect }
}

#[tokio::test]
async fn presets_answer_as_salesforce_does() {
    let scene = Scene::new().await;
    for (effect, status, code) in [
        (Effect::RequestLimitExceeded, 403, "REQUEST_LIMIT_EXCEEDED"),
        (Effect::UnableToLockRow, 400, "UNABLE_TO_LOCK_ROW"),
        (Effect::Unavailable, 503, ""),
    ] {
        scene.org.fault(fault(effect));
        let answer = scene.get("limits").await;
        assert_eq!((answer.status, answer.code()), (status, code));
    }
    assert_eq!(scene.get("limits").await.status, 200, "each was ordered once");
}

#[tokio::test]
async fn a_scripted_answer_replaces_the_work() {
    let scene = Scene::new().await;
    let before = scene.org.record_counts();
    let effect = Effect::Answer { status: 500, content_type: "text/plain".to_owned(), body: "oops".to_owned() };
    scene.org.fault(Fault { method: Some("POST".to_owned()), ..fault(effect) });

    let answer = scene.post("sobjects/Account", json!({"Name": "x"})).await;

    assert_eq!((answer.status, answer.bytes), (500, b"oops".to_vec()));
    assert_eq!(scene.org.record_counts(), before);
}

#[tokio::test]
async fn a_connection_reset_hides_what_was_done_or_prevents_it() {
    let scene = Scene::new().await;
    let before = scene.org.record_counts()["Account"];
    let url = format!("{}/services/data/v66.0/sobjects/Account", scene.org.url());
    let send = || scene.http.post(&url).bearer_auth(scene.token()).json(&json!({"Name": "x"})).send();

    scene.org.fault(fault(Effect::ResetBefore));
    assert!(send().await.is_err());
    assert_eq!(scene.org.record_counts()["Account"], before);
    scene.org.fault(fault(Effect::ResetAfter));
    assert!(send().await.is_err());
    assert_eq!(scene.org.record_counts()["Account"], before + 1);
    assert!(send().await.is_ok());
}

#[tokio::test]
async fn a_delay_holds_the_answer_back() {
    let scene = Scene::new().await;
    scene.org.fault(fault(Effect::Delay { delay_ms: 400 }));
    let slow = tokio::time::timeout(std::time::Duration::from_millis(200), scene.get("limits")).await;
    assert!(slow.is_err());
    assert_eq!(scene.get("limits").await.status, 200);
}

#[tokio::test]
async fn requests_are_counted_with_their_outcome() {
    let scene = Scene::new().await;
    scene.get("limits").await;
    scene.get("sobjects/Nope?secret=x").await;
    assert_eq!(
        scene.org.request_log(),
        ["GET /services/data/v66.0/limits 200", "GET /services/data/v66.0/sobjects/Nope 404"]
    );
}
