use proptest::prelude::*;
use serde_json::json;

use super::*;

const ACCOUNT: &str = "001D000000IRFmaIAH";
const OPPORTUNITY: &str = "006D000000C7xAh";

fn create(body: serde_json::Value) -> Result<NewNoteRequest, Vec<Defect>> {
    NewNoteRequest::parse(body)
}

fn change(body: serde_json::Value) -> Result<NoteChange, Vec<Defect>> {
    NoteChange::parse(body)
}

#[test]
fn a_note_has_a_title_a_text_and_links() {
    let note = create(json!({"title": " Call ", "text": "Hi", "links": [ACCOUNT, OPPORTUNITY]})).unwrap();
    assert_eq!(note.title, "Call");
    assert_eq!(note.content, Content::Text("Hi".to_owned()));
    assert_eq!(note.links.len(), 2);
}

#[test]
fn all_defects_are_named_at_once() {
    let defects = create(json!({"title": "", "links": []})).unwrap_err();
    let fields: Vec<_> = defects.iter().filter_map(|defect| defect.field.as_deref()).collect();
    assert_eq!(fields, ["title", "text", "links"]);
}

#[test]
fn text_and_html_together_are_refused() {
    let defects = create(json!({"title": "T", "text": "a", "html": "b", "links": [ACCOUNT]})).unwrap_err();
    assert_eq!(defects[0].field.as_deref(), Some("html"));
}

#[test]
fn a_note_that_is_empty_after_cleaning_is_refused() {
    for content in [
        json!({"text": " \n "}),
        json!({"html": "<p>&nbsp;</p><script>alert(1)</script>"}),
        json!({"html": "<img src=cid:1>"}),
        json!({"markdown": "<!-- x -->"}),
    ] {
        let mut body = json!({"title": "T", "links": [ACCOUNT]});
        body.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        assert_eq!(create(body).unwrap_err()[0].detail, "the note is empty", "{content}");
    }
}

#[test]
fn a_link_is_an_id_or_has_a_share_type() {
    let links = json!([ACCOUNT, {"record": OPPORTUNITY, "share_type": "inferred"}]);
    let note = create(json!({"title": "T", "markdown": "a", "links": links})).unwrap();
    let codes: Vec<_> = note.links.iter().map(|link| link.link().share_type.code()).collect();
    assert_eq!(codes, ["V", "I"]);
    let viewer =
        create(json!({"title": "T", "text": "a", "links": [{"record": ACCOUNT, "share_type": "viewer"}]})).unwrap();
    assert_eq!(serde_json::to_value(&viewer.links).unwrap(), json!([ACCOUNT]), "one form of one request");
    for (link, detail) in [
        (json!({"record": ACCOUNT, "share_type": "owner"}), "share_type must be viewer, collaborator or inferred"),
        (json!({"share_type": "viewer"}), "record must be a record id"),
        (json!({"record": ACCOUNT, "type": "V"}), "must have no other members than record and share_type"),
        (json!(7), "must be a record id"),
    ] {
        assert_eq!(create(json!({"title": "T", "text": "a", "links": [link]})).unwrap_err()[0].detail, detail);
    }
}

#[test]
fn a_note_has_at_most_100_links() {
    let links = |count: usize| (0..count).map(|n| format!("001D0000{n:07}")).collect::<Vec<_>>();
    assert!(create(json!({"title": "T", "text": "a", "links": links(100)})).is_ok());
    assert_eq!(create(json!({"title": "T", "text": "a", "links": links(101)})).unwrap_err().len(), 1);
}

#[test]
fn the_same_record_in_its_short_and_long_form_is_one_record() {
    let defects = create(json!({"title": "T", "text": "a", "links": [ACCOUNT, &ACCOUNT[..15]]})).unwrap_err();
    assert_eq!(defects, [Defect::field("links[1]", "the record is linked more than once")]);
}

#[test]
fn a_link_that_is_not_a_record_id_is_named() {
    let defects = create(json!({"title": "T", "text": "a", "links": [ACCOUNT, "006"]})).unwrap_err();
    assert_eq!(defects[0].field.as_deref(), Some("links[1]"));
}

#[test]
fn a_note_of_more_than_100_000_bytes_is_refused() {
    let defects = create(json!({"title": "T", "html": "x".repeat(100_001), "links": [ACCOUNT]})).unwrap_err();
    assert_eq!(defects[0].field.as_deref(), Some("html"));
}

#[test]
fn an_unknown_member_is_refused() {
    let defects = create(json!({"title": "T", "text": "a", "links": [ACCOUNT], "body": "b"})).unwrap_err();
    assert_eq!(defects[0].to_string(), "body: there is no such member; allowed: title, text, html, markdown, links");
    let defects = change(json!({"title": "T", "links": [ACCOUNT]})).unwrap_err();
    assert_eq!(defects[0].to_string(), "links: there is no such member; allowed: title, text, html, markdown");
}

#[test]
fn a_change_may_be_the_title_alone() {
    let note = change(json!({"title": "New"})).unwrap();
    assert_eq!(note, NoteChange { title: Some("New".to_owned()), content: None });
}

#[test]
fn a_change_of_nothing_is_refused() {
    assert!(change(json!({})).is_err());
}

#[test]
fn a_change_to_an_empty_title_is_refused() {
    assert_eq!(change(json!({"title": " "})).unwrap_err()[0].field.as_deref(), Some("title"));
}

proptest! {
    #[test]
    fn a_title_has_at_most_255_characters(title in "[^\\p{Cc}\\s]{1,300}") {
        let accepted = change(json!({"title": title})).is_ok();
        prop_assert_eq!(accepted, title.chars().count() <= 255);
    }
}
