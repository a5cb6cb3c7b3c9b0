use super::*;

fn note(title: &str, links: usize) -> NewNote {
    let link =
        |n: usize| NoteLink { record: format!("0065e0000{n:06}").parse().unwrap(), share_type: ShareType::Viewer };
    NewNote {
        title: title.to_owned(),
        html: NoteHtml::from_text("Line 1\nLine & 2").html,
        links: (0..links).map(link).collect(),
        mark: None,
    }
}

#[test]
fn a_note_and_its_links_are_one_request() {
    let request = create_request(&note(" Call ", 1)).unwrap();
    let expected = json!({"allOrNone": true, "compositeRequest": [
        {"method": "POST", "url": "sobjects/ContentNote", "referenceId": "note",
         "body": {"Title": "Call", "Content": BASE64_STANDARD.encode("Line 1<br>Line &amp; 2")}},
        {"method": "POST", "url": "sobjects/ContentDocumentLink", "referenceId": "link_0",
         "body": {"ContentDocumentId": "@{note.id}", "LinkedEntityId": "0065e0000000000AAA",
                  "ShareType": "V", "Visibility": "InternalUsers"}},
    ]});
    assert_eq!(serde_json::to_value(&request).unwrap(), expected);
}

#[test]
fn a_mark_is_set_on_the_first_version_in_the_same_request() {
    let marked = NewNote { mark: Some("Ferry write 1".to_owned()), ..note("Call", 100) };
    let parts = serde_json::to_value(create_request(&marked).unwrap()).unwrap()["compositeRequest"].clone();
    let expected = json!([
        {"method": "GET", "url": "sobjects/ContentNote/@{note.id}?fields=LatestPublishedVersionId", "referenceId": "version"},
        {"method": "PATCH", "url": "sobjects/ContentVersion/@{version.LatestPublishedVersionId}", "referenceId": "mark",
         "body": {"Description": "Ferry write 1"}},
    ]);
    assert_eq!(parts.as_array().unwrap()[1..3], *expected.as_array().unwrap());
    assert_eq!(parts.as_array().unwrap().len(), crate::composite::MAX_SUBREQUESTS, "the first 22 links");
}

#[test]
fn a_link_has_its_share_type() {
    let mut note = note("Call", 3);
    note.links[1].share_type = ShareType::Collaborator;
    note.links[2].share_type = ShareType::Inferred;
    let request = serde_json::to_value(create_request(&note).unwrap()).unwrap();
    let share_type = |part: usize| request["compositeRequest"][part]["body"]["ShareType"].clone();
    assert_eq!([share_type(1), share_type(2), share_type(3)], ["V", "C", "I"]);
}

/// A part whose body is a page.
fn odd_part(reference: &str) -> CompositeResponse {
    CompositeResponse { reference_id: reference.to_owned(), status: 404, body: json!("<html></html>") }
}

#[test]
fn only_a_refusal_of_the_mark_itself_drops_it() {
    let responses = |part: &str, code: &str| {
        let response = |reference: &str| {
            let code = if reference == part { code } else { "PROCESSING_HALTED" };
            CompositeResponse {
                reference_id: reference.to_owned(),
                status: 400,
                body: json!([{"errorCode": code, "message": ""}]),
            }
        };
        ["note", "version", "mark", "link_0"].map(response)
    };
    let is_mark =
        |part, code| created_note(&responses(part, code), &note("Call", 1)).is_err_and(|refused| refused.is_mark);
    assert!(is_mark("mark", "INSUFFICIENT_ACCESS_OR_READONLY"));
    assert!(is_mark("version", "NOT_FOUND"));
    assert!(!is_mark("mark", "UNABLE_TO_LOCK_ROW"));
    assert!(!is_mark("mark", "ENTITY_IS_LOCKED"));
    let page = |status| CompositeResponse { status, ..odd_part("mark") };
    for status in [403, 404, 500, 503] {
        assert!(created_note(&[page(status)], &note("Call", 1)).is_err_and(|refused| !refused.is_mark), "{status}");
    }
    assert!(!is_mark("note", "REQUIRED_FIELD_MISSING"));
    assert!(!is_mark("link_0", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"));
}

#[test]
fn a_refused_link_is_named() {
    let note = note("Call", 2);
    let refused = |reference: &str, code: &str| CompositeResponse {
        reference_id: reference.to_owned(),
        status: 400,
        body: json!([{"errorCode": code, "message": ""}]),
    };
    let responses = [
        refused("note", "PROCESSING_HALTED"),
        refused("link_0", "PROCESSING_HALTED"),
        refused("link_1", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"),
    ];
    let error = created_note(&responses, &note).unwrap_err().error;
    assert_eq!(error.link, Some(note.links[1].record));
}

#[test]
fn an_invalid_note_is_not_sent() {
    assert!(create_request(&note("Call", 100)).is_ok());
    assert!(create_request(&note("Call", 101)).is_err());
    assert!(create_request(&note("Call", 0)).is_err());
    assert!(create_request(&note(" ", 1)).is_err());
    assert!(create_request(&note(&"ü".repeat(255), 1)).is_ok());
    assert!(create_request(&note(&"ü".repeat(256), 1)).is_err());
}
