//! The sunset of an app: warnings 60, 30 and 7 days before, the stop, and a withdrawal before the date.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use runtime::token_broker::{RefusalCode, Request, Response};
use serde_json::Value;
use store::{Apps, ConnectionKind, ConnectionState, SunsetWarning};
use token_broker::handle;

use crate::harness::TestContext;

/// Creates a context whose team is connected with app `v1`.
async fn connected_on_v1() -> TestContext {
    let context = TestContext::new().await;
    let consent = context.consent_to("v1", context.org.url(), context.admin(), ConnectionKind::Team).await;
    context.exchange(consent).await.expect("the team connects");
    context
}

/// Sets the sunset of `v1` to `days` from today, or removes it, and replaces the broker's cached registrations.
async fn sunset(context: &mut TestContext, days: Option<i64>) -> Option<jiff::civil::Date> {
    let today = context.deps.clock.now().to_zoned(TimeZone::UTC).date();
    let date = days.map(|days| today + SignedDuration::from_hours(24 * days));
    let value = date.map_or(Value::Null, |date| date.to_string().into());
    context.deps.apps.change("v1", &[("sunset", value)]).await.unwrap();
    context.deps.apps = Apps::new(context.secrets.clone(), context.apps.clone(), context.deps.clock.clone());
    date
}

async fn keep_alive(context: &TestContext) -> ConnectionState {
    match handle(&context.deps, Request::KeepAlive(context.team())).await.unwrap().answer {
        Response::Status(status) => status.state,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_warning_is_recorded_once_until_the_app_changes() {
    let mut context = connected_on_v1().await;
    assert_eq!(
        (keep_alive(&context).await, context.connection().await.sunset_warning),
        (ConnectionState::Active, None)
    );

    for (days, warned) in [(60, 60), (45, 60), (30, 30), (7, 7), (1, 7)] {
        let date = sunset(&mut context, Some(days)).await.unwrap();
        assert_eq!(keep_alive(&context).await, ConnectionState::Active);
        let expected = SunsetWarning { sunset: date, days: warned };
        assert_eq!(context.connection().await.sunset_warning, Some(expected));
        let updated_at = context.connection().await.updated_at;
        keep_alive(&context).await;
        assert_eq!(context.connection().await.updated_at, updated_at, "a warning is recorded once");
    }

    let consent = context.consent_to("v2", context.org.url(), context.admin(), ConnectionKind::Team).await;
    context.exchange(consent).await.expect("the team connects with v2");
    let moved = context.connection().await;
    assert_eq!((moved.app.as_str(), moved.sunset_warning), ("v2", None));
}

#[tokio::test]
async fn a_stopped_app_serves_no_tokens_without_a_token_request() {
    let mut context = connected_on_v1().await;
    let token = context.token(None).await.unwrap();
    let responses = context.token_responses();
    sunset(&mut context, Some(0)).await;

    assert_eq!(context.refused(Some(&token)).await, RefusalCode::ReauthRequired);
    let stopped = ConnectionState::ReauthRequired { reason: "app_sunset".to_owned() };
    assert_eq!(context.connection().await.state, stopped);
    assert_eq!(context.token_responses(), responses, "no token request was sent");

    let consent = context.consent_to("v1", context.org.url(), context.admin(), ConnectionKind::Team).await;
    assert_eq!(context.exchange(consent).await.unwrap_err().code, RefusalCode::UnknownApp);
    let consent = context.consent_to("v2", context.org.url(), context.admin(), ConnectionKind::Team).await;
    context.exchange(consent).await.expect("the newer app works");
    assert_eq!(context.connection().await.state, ConnectionState::Active);
}

#[tokio::test]
async fn keep_alive_stops_an_unused_connection_at_the_sunset() {
    let mut context = connected_on_v1().await;
    sunset(&mut context, Some(-1)).await;
    let stopped = ConnectionState::ReauthRequired { reason: "app_sunset".to_owned() };
    assert_eq!(keep_alive(&context).await, stopped);
    assert_eq!(context.refused(None).await, RefusalCode::ReauthRequired);
}

#[tokio::test]
async fn a_withdrawn_sunset_changes_nothing() {
    let mut context = connected_on_v1().await;
    let token = context.token(None).await.unwrap();
    sunset(&mut context, Some(3)).await;
    sunset(&mut context, None).await;
    assert_eq!(keep_alive(&context).await, ConnectionState::Active);
    context.token(Some(&token)).await.expect("the older app still works");
}
