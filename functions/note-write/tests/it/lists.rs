//! The notes of a record, the versions of a note, and its formats.

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{REP, TestContext, run};

#[test]
fn the_notes_of_a_record_are_listed_with_the_classic_ones() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(Some(REP), "k", "Met R&D").await;
        let classic = json!({ "ParentId": context.account, "Title": "Old", "Body": "As it was" });
        let classic = context.create(&context.admin, "Note", &classic);
        let path = format!("/v1/orgs/{}/records/Account/{}/notes", context.org, context.account);
        let calls = context.simulator.api_calls();

        let (status, list) = context.send("GET", &path, None, Value::Null).await;

        assert_eq!((status, context.simulator.api_calls() - calls), (StatusCode::OK, 2), "{list}");
        let notes = list["notes"].as_array().unwrap();
        let of = |kind: &str| notes.iter().find(|note| note["kind"] == kind).unwrap();
        let enhanced = of("enhanced");
        assert_eq!((&enhanced["note_id"], &enhanced["title"]), (&written["note_id"], &json!("Call")));
        assert_eq!((&enhanced["preview"], &enhanced["share_type"]), (&json!("Met R&D"), &json!("viewer")));
        assert_eq!(enhanced["owner_id"], json!(context.rep.id));
        assert!(enhanced["owner_name"].is_string() && enhanced["version_id"].is_string(), "{enhanced}");
        let old = of("classic");
        assert_eq!(
            (&old["note_id"], &old["title"], &old["preview"]),
            (&json!(classic), &json!("Old"), &json!("As it was"))
        );
        assert_eq!((notes.len(), &list["more"]), (2, &json!(false)));
    });
}

#[test]
fn a_version_is_listed_and_read() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(Some(REP), "k", "Old").await;
        let id = written["note_id"].as_str().unwrap();
        let path = format!("/v1/orgs/{}/notes/{id}", context.org);
        let change = context.send("PATCH", &format!("{path}?as={REP}"), None, json!({ "markdown": "# New" })).await;
        assert_eq!(change.0, StatusCode::OK, "{change:?}");
        assert_eq!(change.1["changes"], json!([{ "kind": "heading_to_bold", "count": 1 }]));

        let (status, list) = context.send("GET", &format!("{path}/versions"), None, Value::Null).await;

        let versions = list["versions"].as_array().unwrap();
        assert_eq!((status, versions.len()), (StatusCode::OK, 2), "{list}");
        assert_eq!((&versions[0]["number"], &versions[0]["is_latest"]), (&json!(2), &json!(true)));
        assert_eq!((&versions[1]["number"], &versions[1]["bytes"]), (&json!(1), &json!(3)));
        assert_eq!(versions[1]["modified_by_id"], json!(context.rep.id));
        let first = versions[1]["version_id"].as_str().unwrap();
        let (_, note) = context.send("GET", &format!("{path}?version={first}&format=text"), None, Value::Null).await;
        assert_eq!((&note["text"], &note["html"]), (&json!("Old"), &Value::Null));
        let (status, _) = context.send("GET", &format!("{path}?version=068000000000001"), None, Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_note_is_read_in_each_format() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/notes", context.org);
        let html = "<h2>Next</h2><table><tr><th>Who</th><th>What</th></tr><tr><td>Ann</td><td>offer</td></tr></table>";
        let body = json!({ "title": "T", "html": html, "links": [context.account] });
        let (status, written) = context.send("POST", &path, Some("k"), body).await;
        assert_eq!(status, StatusCode::CREATED);
        let changes = json!([{ "kind": "heading_to_bold", "count": 1 }, { "kind": "table_to_lines", "count": 1 }]);
        assert_eq!(written["changes"], changes);
        let path = format!("{path}/{}", written["note_id"].as_str().unwrap());
        for (format, content) in [
            ("html", "<b>Next</b><br><b>Who</b> | <b>What</b><br>Ann | offer"),
            ("text", "Next\nWho | What\nAnn | offer"),
            ("markdown", "**Next**\\\n**Who** \\| **What**\\\nAnn \\| offer"),
        ] {
            let (status, note) = context.send("GET", &format!("{path}?format={format}"), None, Value::Null).await;
            assert_eq!((status, note[format].as_str()), (StatusCode::OK, Some(content)), "{note}");
        }
        assert_eq!(
            context.send("GET", &format!("{path}?format=pdf"), None, Value::Null).await.0,
            StatusCode::BAD_REQUEST
        );
    });
}

#[test]
fn a_note_that_is_not_shared_with_the_rep_is_told_apart() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(None, "k", "Hi").await;
        for record in [&context.account, &context.opportunity] {
            let path =
                format!("/v1/orgs/{}/notes/{}/links/{record}", context.org, written["note_id"].as_str().unwrap());
            assert_eq!(context.send("DELETE", &path, None, Value::Null).await.0, StatusCode::OK);
        }

        let (status, problem) = context.read(Some(REP), &written["note_id"]).await;

        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::FORBIDDEN, &json!("urn:ferry:problem:salesforce_forbidden")),
            "{problem}"
        );
        assert_eq!(problem["detail"], "the note is not shared with the connection's user");
        assert_eq!(context.read(Some(REP), &json!("069000000000001")).await.0, StatusCode::NOT_FOUND);
    });
}
