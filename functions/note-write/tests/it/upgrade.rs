//! Queued notes that version 0.1.0 stored (`tests/fixtures/stored/0.1.0`) are read.

use note_write::request::Content;
use note_write::{NoteWrite, Operation};
use serde_json::Value;
use writes::WriteRequest;

const WRITES: &str = include_str!("../../../../tests/fixtures/stored/0.1.0/writes.json");

/// Returns the only queued request of this kind.
fn queued(kind: &str) -> WriteRequest<NoteWrite> {
    let rows: Vec<Value> = serde_json::from_str(WRITES).unwrap();
    let mut rows = rows.iter().filter(|row| row["kind"]["S"] == kind && row["state"]["S"] == "queued");
    let request = rows.next().unwrap()["request"]["S"].as_str().unwrap();
    assert!(rows.next().is_none());
    serde_json::from_str(request).unwrap()
}

#[test]
fn a_queued_note_and_a_queued_change_are_read() {
    let note = queued("note");
    assert_eq!(note.platform_user.unwrap().as_str(), "rep-1");
    let NoteWrite { operation: Operation::Create(note) } = note.operation else { panic!("{:?}", note.operation) };
    assert_eq!((note.title.as_str(), note.links.len()), ("Kick-off call", 1));
    assert_eq!(note.content, Content::Text("Pilot starts in March.".to_owned()));

    let change = queued("note_update");
    assert_eq!(change.platform_user, None);
    let NoteWrite { operation: Operation::Change(id, change) } = change.operation else {
        panic!("{:?}", change.operation)
    };
    assert!(id.as_str().starts_with("069"));
    assert_eq!(change.content, Some(Content::Html("<p>Pilot</p>".to_owned())));
}
