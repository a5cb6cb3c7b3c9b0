use serde_json::json;

use super::*;

fn defects(body: Value) -> Vec<String> {
    NewFileRequest::parse(body).unwrap_err().iter().map(ToString::to_string).collect()
}

fn body() -> Value {
    json!({ "title": " Deck ", "file_name": "deck.pdf", "content_base64": "aGVsbG8=", "links": ["006000000000001"] })
}

#[test]
fn a_file_is_read_from_its_body() {
    let NewFileRequest { file, content } = NewFileRequest::parse(body()).unwrap();
    assert_eq!((file.title.as_str(), file.file_name.as_str()), ("Deck", "deck.pdf"));
    assert_eq!((file.share_type, file.description), (ShareType::Viewer, None));
    assert_eq!(content, Content::Bytes(b"hello".to_vec()));
    assert_eq!(format!("{content:?}"), "Bytes(5)", "the content is not shown");
}

#[test]
fn every_defect_of_a_file_is_named() {
    let wrong = json!({ "title": "", "file_name": "a/b.pdf", "links": ["x"], "share_type": "collaborator",
        "description": "x".repeat(1_001) });
    let expected = [
        "title: the title is empty",
        "file_name: must be a name without a path: no slashes or control characters",
        "content_base64: content_base64 or upload_id is required",
        "description: the description is longer than 1,000 characters",
        "share_type: must be viewer or inferred",
        "links[0]: must be a record id",
    ];
    assert_eq!(defects(wrong), expected);
}

#[test]
fn content_is_base64_or_an_upload_and_not_both() {
    let with = |name: &str, value: Value| {
        let mut body = body();
        body[name] = value;
        body
    };
    let both = with("upload_id", json!("6c1f9b1e-52a4-4c1f-8a9a-0d6c5f2b7e11"));
    assert_eq!(defects(both), ["upload_id: content_base64 and upload_id must not both be present"]);
    assert_eq!(defects(with("content_base64", json!("?"))), ["content_base64: must be base64 with padding"]);
    assert_eq!(defects(with("content_base64", json!(""))), ["content_base64: the file is empty"]);
    let large = BASE64_STANDARD.encode(vec![0; MAX_CONTENT_BYTES + 1]);
    assert!(defects(with("content_base64", json!(large)))[0].contains("file-uploads"));
    let largest = BASE64_STANDARD.encode(vec![0; MAX_CONTENT_BYTES]);
    assert_eq!(largest.len(), 5_000_000);
    assert!(NewFileRequest::parse(with("content_base64", json!(largest))).is_ok());
}

#[test]
fn a_file_with_a_notes_extension_is_refused() {
    let mut note = body();
    note["file_name"] = json!("call.SNOTE");
    assert!(defects(note)[0].contains("is a note"));
}

#[test]
fn a_file_has_1_to_100_links_each_once() {
    let linked = |count: usize| {
        let mut body = body();
        body["links"] = (0..count).map(|n| json!(format!("006000000000{n:03}"))).collect();
        NewFileRequest::parse(body)
    };
    assert!(linked(1).is_ok() && linked(100).is_ok());
    assert!(linked(0).is_err() && linked(101).is_err());
    let mut twice = body();
    twice["links"] = json!(["006000000000001", "006000000000001AAA"]);
    assert_eq!(defects(twice), ["links[1]: the record is linked more than once"]);
}

#[test]
fn an_upload_says_what_it_will_be() {
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let body = json!({ "file_name": "call.mp4", "content_type": "video/mp4", "size": 3, "sha256": sha256 });
    let UploadRequest(content) = UploadRequest::parse(body).unwrap();
    assert_eq!((content.size, content.content_type.as_str()), (3, "video/mp4"));
    assert_eq!(content.sha256, Some(Sha256Digest::of(b"abc")));
}

#[test]
fn every_defect_of_an_upload_is_named() {
    let parse = |body| UploadRequest::parse(body).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>();
    let wrong = json!({ "file_name": "", "content_type": "video/mp4\r\nx: y", "size": 0, "sha256": "12" });
    let expected = [
        "file_name: the file name is empty",
        "content_type: must be a media type without parameters, such as video/mp4",
        "size: must be 1 to 268,435,456 bytes",
        "sha256: must be 64 hexadecimal digits",
    ];
    assert_eq!(parse(wrong), expected);
    let large = json!({ "file_name": "a", "content_type": "video/mp4", "size": MAX_FILE_BYTES + 1 });
    assert_eq!(parse(large).len(), 1);
    assert!(parse(json!({ "size": "3" }))[0].starts_with("the body must be"));
}
