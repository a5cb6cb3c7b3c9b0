//! The client against faults of the org.

use org_simulator::Effect;
use salesforce::notes::{NoteLink, ShareType};
use salesforce::{Classify, Error, JsonObject, NewNote, NoteHtml, NoteUpdate, Retry, SaveOptions, Soql};
use serde_json::json;

use crate::org::{ACCOUNT, KEY, Org, REP, fields};

fn account() -> JsonObject {
    fields(json!({"Ferry_External_Id__c": "A-1", "Name": "Gull"}))
}

fn note(org: &Org) -> NewNote {
    let account = org.create(REP, &ACCOUNT, &account());
    let link = NoteLink { record: account, share_type: ShareType::Viewer };
    NewNote { title: "Call".to_owned(), html: NoteHtml::from_text("x").html, links: vec![link], mark: None }
}

#[tokio::test]
async fn a_maintenance_page_is_retried() {
    let org = Org::start().await;
    org.fault("query", 1, Effect::Unavailable);
    assert_eq!(org.client(REP).count(&Soql::count().from(&ACCOUNT)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_locked_row_is_retried() {
    let org = Org::start().await;
    let note = note(&org);
    org.fault("composite", 1, Effect::UnableToLockRow);
    org.client(REP).create_note(&note).await.unwrap();
    assert_eq!(org.count("ContentNote"), 1);
}

#[tokio::test]
async fn an_upsert_with_a_lost_response_is_the_callers_to_repeat() {
    let org = Org::start().await;
    org.fault("composite/sobjects", 1, Effect::ResetAfter);
    let client = org.client(REP);
    let error = client.upsert(&ACCOUNT, &KEY, &[account()], SaveOptions::default()).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::Unknown(_)), "{error}");
    let outcomes = client.upsert(&ACCOUNT, &KEY, &[account()], SaveOptions::default()).await.unwrap();
    assert!(outcomes[0].success && !outcomes[0].created);
    assert_eq!(org.count("Account"), 1);
}

#[tokio::test]
async fn a_note_with_a_lost_response_can_be_found() {
    let org = Org::start().await;
    let client = org.client(REP);
    let note = note(&org);
    org.fault("composite", 1, Effect::ResetAfter);
    let since = org.0.clock().now();
    let error = client.create_note(&note).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::Unknown(_)), "{error}");
    let since = since - jiff::SignedDuration::from_secs(1);
    assert_eq!(client.find_notes(&note.links[0].record, since).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_read_is_retried_after_a_reset() {
    let org = Org::start().await;
    org.fault("query", 2, Effect::ResetBefore);
    assert_eq!(org.client(REP).count(&Soql::count().from(&ACCOUNT)).await.unwrap(), 0);
}

#[tokio::test]
async fn the_daily_limit_is_not_retried() {
    let org = Org::start().await;
    org.fault("query", 1, Effect::RequestLimitExceeded);
    let client = org.client(REP);
    let error = client.count(&Soql::count().from(&ACCOUNT)).await.unwrap_err();
    assert!(matches!(error, Error::DailyLimit { .. }), "{error}");
    assert!(client.api_usage().is_some());
}

#[tokio::test]
async fn a_client_knows_that_a_write_was_not_answered() {
    let org = Org::start().await;
    let note = note(&org);
    let client = org.client(REP);
    let upsert = async || client.upsert(&ACCOUNT, &KEY, &[account()], SaveOptions::default()).await;
    org.fault("query", 1, Effect::ResetBefore);
    client.count(&Soql::count().from(&ACCOUNT)).await.unwrap();
    org.fault("composite", 1, Effect::UnableToLockRow);
    upsert().await.unwrap();
    assert!(!client.has_lost_write(), "a lost read and an answered write");

    for effect in [Effect::ResetAfter, Effect::MalformedJson, Effect::Unavailable] {
        let client = org.client(REP);
        org.fault("composite", 1, effect.clone());
        client.upsert(&ACCOUNT, &KEY, &[account()], SaveOptions::default()).await.unwrap_err();
        assert!(client.has_lost_write(), "{effect:?}");
    }

    // The client itself sends the change again.
    let client = org.client(REP);
    let id = client.create_note(&note).await.unwrap();
    assert!(!client.has_lost_write());
    org.fault("sobjects/ContentNote", 1, Effect::ResetAfter);
    let update = NoteUpdate { title: Some("New".to_owned()), html: None };
    client.update_note(&id, &update).await.unwrap();
    assert!(client.has_lost_write());
}
