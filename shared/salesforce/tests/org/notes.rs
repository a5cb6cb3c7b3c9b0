//! Enhanced notes.

use jiff::SignedDuration;
use org_simulator::ObjectPermissions;
use salesforce::notes::{NoteLink, ShareType};
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
        html: NoteHtml::from_text("Called <Ann> & Bob\nNext: 100 % \"yes\"").html,
        links: links.iter().map(|record| NoteLink { record: *record, share_type: ShareType::Viewer }).collect(),
        mark: Some(format!("Ferry write {title}")),
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
    assert!(!error.error.problems().is_empty() && !error.error.has_code("PROCESSING_HALTED"), "{error}");
    assert_eq!(error.link, Some(missing));
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
        html: Some(NoteHtml::from_html("<p>New <b>text</b></p>").html),
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
async fn a_note_is_found_by_record_and_time_with_its_mark() {
    let org = Org::start().await;
    let client = org.client(REP);
    let [account, deal] = records(&org);
    let call = client.create_note(&note("Call", &[account, deal])).await.unwrap();
    let unmarked = NewNote { mark: None, ..note("Other", &[account]) };
    let other = client.create_note(&unmarked).await.unwrap();
    let since = org.0.clock().now() - SignedDuration::from_mins(5);
    let found = async |record: RecordId| {
        let found = client.find_notes(&record, since).await.unwrap();
        found.into_iter().map(|note| (note.id, note.title, note.marks)).collect::<Vec<_>>()
    };
    let marked = (call, "Call".to_owned(), vec!["Ferry write Call".to_owned()]);
    assert_eq!(found(account).await, [marked.clone(), (other, "Other".to_owned(), vec![])]);
    assert_eq!(found(deal).await, [marked]);
    let later = since + SignedDuration::from_hours(1);
    assert_eq!(client.find_notes(&account, later).await.unwrap(), []);
}

#[tokio::test]
async fn a_mark_outlives_a_change_of_title_and_content() {
    let org = Org::start().await;
    let client = org.client(REP);
    let [account, _] = records(&org);
    let id = client.create_note(&note("Call", &[account])).await.unwrap();
    let update = NoteUpdate { title: Some("Renamed".to_owned()), html: Some(NoteHtml::from_text("New").html) };
    client.update_note(&id, &update).await.unwrap();
    let since = org.0.clock().now() - SignedDuration::from_mins(5);
    assert_eq!(client.find_notes(&account, since).await.unwrap()[0].marks, ["Ferry write Call"]);
}

#[tokio::test]
async fn a_note_whose_mark_is_refused_is_created_without_it() {
    let org = Org::start().await;
    let [account, _] = records(&org);
    let hidden = ObjectPermissions { hidden_fields: vec!["Description".to_owned()], ..ObjectPermissions::default() };
    org.0.limit_profile("Standard User", "ContentVersion", &hidden).unwrap();
    let id = org.client(REP).create_note(&note("Call", &[account])).await.unwrap();
    assert_eq!(org.count("ContentNote"), 1);
    let since = org.0.clock().now() - SignedDuration::from_mins(5);
    let found = org.client(ADMIN).find_notes(&account, since).await.unwrap();
    assert_eq!((found[0].id, found[0].marks.len()), (id, 0));
}
