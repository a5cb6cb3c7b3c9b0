//! Enhanced notes.

use jiff::SignedDuration;
use salesforce::{NewNote, NoteHtml, NoteUpdate, RecordId};
use serde_json::json;

use crate::org::{ACCOUNT, ADMIN, OPPORTUNITY, Org, REP, fields};

/// Creates an account and an opportunity to link notes to.
fn records(org: &Org) -> [RecordId; 2] {
    let account = org.create(REP, &ACCOUNT, &fields(json!({"Name": "Gull"})));
    let deal = json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "AccountId": account});
    [account, org.create(REP, &OPPORTUNITY, &fields(deal))]
}

fn note(title: &str, links: &[RecordId]) -> NewNote {
    NewNote {
        title: title.to_owned(),
        html: NoteHtml::from_text("Called <Ann> & Bob\nNext: 100 % \"yes\""),
        links: links.to_vec(),
    }
}

#[tokio::test]
async fn a_note_is_created_with_its_links() {
    let org = Org::start().await;
    let client = org.client(REP);
    let links = records(&org);
    let written = note("Call", &links);
    let id = client.create_note(&written).await.unwrap();
    let read = client.fetch_note(&id).await.unwrap().unwrap();
    assert_eq!((read.id, read.title.as_str()), (id, "Call"));
    assert_eq!(read.html, written.html.as_str());
    assert!(links.iter().all(|link| read.links.contains(link)), "{:?}", read.links);
}

#[tokio::test]
async fn a_note_that_cannot_be_linked_is_not_created() {
    let org = Org::start().await;
    let client = org.client(REP);
    let [account, _] = records(&org);
    let missing: RecordId = format!("{}999999", &account.short()[..9]).parse().unwrap();
    let error = client.create_note(&note("Call", &[account, missing])).await.unwrap_err();
    assert!(!error.problems().is_empty() && !error.has_code("PROCESSING_HALTED"), "{error}");
    assert_eq!((org.count("ContentNote"), org.count("ContentDocument")), (0, 0));
}

#[tokio::test]
async fn a_note_is_updated_in_place() {
    let org = Org::start().await;
    let client = org.client(REP);
    let links = records(&org);
    let id = client.create_note(&note("Call", &links)).await.unwrap();
    let update = NoteUpdate {
        title: Some("Call, corrected".to_owned()),
        html: Some(NoteHtml::sanitized("<p>New <b>text</b></p>")),
    };
    client.update_note(&id, &update).await.unwrap();
    let read = client.fetch_note(&id).await.unwrap().unwrap();
    assert_eq!((read.title.as_str(), read.html.as_str()), ("Call, corrected", "<p>New <b>text</b></p>"));
    assert!(client.update_note(&id, &NoteUpdate::default()).await.is_err());
}

#[tokio::test]
async fn a_missing_note_is_none() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let links = records(&org);
    let id = client.create_note(&note("Call", &links)).await.unwrap();
    let missing: RecordId = format!("{}999999", &id.short()[..9]).parse().unwrap();
    assert_eq!(client.fetch_note(&missing).await.unwrap(), None);
}

#[tokio::test]
async fn a_note_is_found_by_record_title_and_time() {
    let org = Org::start().await;
    let client = org.client(REP);
    let [account, deal] = records(&org);
    let call = client.create_note(&note("Call", &[account, deal])).await.unwrap();
    client.create_note(&note("Other", &[account])).await.unwrap();
    let since = org.0.clock().now() - SignedDuration::from_mins(5);
    for record in [account, deal] {
        let found = client.find_notes(&record, "Call", since).await.unwrap();
        assert_eq!(found.iter().map(|note| note.id).collect::<Vec<_>>(), [call]);
    }
    assert_eq!(client.find_notes(&deal, "Other", since).await.unwrap(), []);
    let later = since + SignedDuration::from_hours(1);
    assert_eq!(client.find_notes(&account, "Call", later).await.unwrap(), []);
}
