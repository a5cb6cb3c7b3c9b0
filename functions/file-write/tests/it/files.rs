//! Files are created, linked and refused.

use http::StatusCode;
use org_simulator::ObjectPermissions;
use serde_json::{Value, json};
use store::WriteState;

use crate::harness::{REP, TestContext, run};

#[test]
fn a_reps_file_is_linked_to_each_record() {
    run(async {
        let context = TestContext::new().await;
        let mut body = context.file(b"hello");
        body["description"] = json!("The deck of the kick-off");

        let (status, written) = context.create_file(Some(REP), "k", &body).await;

        assert_eq!((status, &written["owner_choice"]), (StatusCode::CREATED, &json!("rep")), "{written}");
        context.assert_one_file(&written, b"hello");
        let version =
            context.simulator.record("ContentVersion", written["content_version_id"].as_str().unwrap()).unwrap();
        assert_eq!((&version["FileType"], &version["FileExtension"]), (&json!("PDF"), &json!("pdf")));
        assert_eq!(
            (&version["Description"], &version["OwnerId"]),
            (&json!("The deck of the kick-off"), &json!(context.rep.id))
        );
        let path = format!("Ferry write {}/deck.pdf", written["write_id"].as_str().unwrap());
        assert_eq!(version["PathOnClient"], path);
        assert_eq!(context.content_of(&written["content_version_id"]).await, b"hello");
        assert_eq!(context.staged().await, 0, "the content is not kept");
    });
}

/// One describe for all files of 15 minutes; then the file and its document, and for several records the check and the links.
#[test]
fn a_file_costs_two_calls_and_its_links_two_more() {
    run(async {
        let context = TestContext::new().await;
        let mut one = context.file(b"a");
        one["links"] = json!([context.account]);
        context.create_file(None, "k0", &one).await;

        let before = context.simulator.api_calls();
        assert_eq!(context.create_file(None, "k1", &one).await.0, StatusCode::CREATED);
        assert_eq!(context.simulator.api_calls() - before, 2);
        let before = context.simulator.api_calls();
        assert_eq!(context.create_file(None, "k2", &context.file(b"a")).await.0, StatusCode::CREATED);
        assert_eq!(context.simulator.api_calls() - before, 4);
    });
}

#[test]
fn links_may_give_the_access_of_the_record() {
    run(async {
        let context = TestContext::new().await;
        let mut body = context.file(b"hello");
        body["share_type"] = json!("inferred");

        let (status, written) = context.create_file(Some(REP), "k", &body).await;

        assert_eq!(status, StatusCode::CREATED, "{written}");
        context.assert_one_file(&written, b"hello");
        let team = context.deps.ledger.salesforce.client(context.org, &store::ConnectionId::team());
        let document = written["content_document_id"].as_str().unwrap().parse().unwrap();
        let links = team.file_links(&document).await.unwrap();
        let of_records: Vec<_> = links.iter().filter(|link| !link.record.as_str().starts_with("005")).collect();
        assert!(of_records.len() == 2 && of_records.iter().all(|link| link.share_type == "I"), "{links:?}");
    });
}

#[test]
fn the_teams_user_owns_the_file_of_a_rep_whose_grant_ended() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&context.reps().connection_id());

        let (status, written) = context.create_file(Some(REP), "k", &context.file(b"hello")).await;

        assert_eq!((status, &written["connection"]), (StatusCode::CREATED, &json!("team")), "{written}");
        assert_eq!(written["owner_choice"], "team");
        let document = written["content_document_id"].as_str().unwrap();
        assert_eq!(context.simulator.record("ContentDocument", document).unwrap()["OwnerId"], context.admin.id);
    });
}

#[test]
fn a_file_is_refused_if_a_record_is_not_there() {
    run(async {
        let context = TestContext::new().await;
        let mut body = context.file(b"hello");
        body["links"] = json!([context.account, "006000000000001"]);

        let (status, problem) = context.create_file(Some(REP), "k", &body).await;

        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with("links[1]: the record does not exist"), "{problem}");
        body["links"] = json!(["006000000000001"]);
        let (status, problem) = context.create_file(Some(REP), "k2", &body).await;
        assert!(status.is_client_error() && problem["salesforce"]["codes"].is_array(), "{status} {problem}");
        assert_eq!(context.files(), 0);
    });
}

/// The four profiles: an administrator, all fields, two fields hidden, and read-only.
#[test]
fn what_a_rep_may_not_do_is_refused_before_anything_is_sent() {
    let hidden = |fields: &[&str]| ObjectPermissions {
        hidden_fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        ..ObjectPermissions::default()
    };
    let read_only = ObjectPermissions { no_create: true, no_edit: true, ..ObjectPermissions::default() };
    let profiles = [
        (None, None),
        (Some(hidden(&[])), None),
        (
            Some(hidden(&["Description", "FirstPublishLocationId"])),
            Some((StatusCode::UNPROCESSABLE_ENTITY, "Description")),
        ),
        (Some(read_only), Some((StatusCode::FORBIDDEN, "the object permission Create on ContentVersion"))),
    ];
    run(async {
        for (permissions, refused) in profiles {
            let context = TestContext::new().await;
            if let Some(permissions) = &permissions {
                context.simulator.limit_profile("Standard User", "ContentVersion", permissions).unwrap();
            }
            let acting = permissions.as_ref().map(|_| REP);
            let mut body = context.file(b"hello");
            body["description"] = json!("Deck");

            let (status, answer) = context.create_file(acting, "k", &body).await;

            let Some((expected, named)) = refused else {
                assert_eq!(status, StatusCode::CREATED, "{answer}");
                continue;
            };
            assert_eq!(status, expected, "{answer}");
            assert!(answer["detail"].as_str().unwrap().contains(named), "{answer}");
            let calls = context.calls();
            assert!(!calls.keys().any(|path| path == "sobjects/ContentVersion"), "{calls:?}");
            assert_eq!(context.files(), 0);
        }
    });
}

#[test]
fn a_file_that_does_not_fit_into_a_request_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let mut body = context.file(b"");
        body["content_base64"] = Value::from("A".repeat(5_300_000));

        let (status, problem) = context.create_file(None, "k", &body).await;

        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{problem}");
        assert!(problem["next"].as_str().unwrap().contains("file-uploads"), "{problem}");
        body["content_base64"] = Value::from("A".repeat(5_000_004));
        let (status, problem) = context.create_file(None, "k", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("file-uploads"), "{problem}");
        assert_eq!((context.simulator.api_calls(), context.staged().await), (0, 0));
    });
}

#[test]
fn the_same_key_gets_the_stored_response() {
    run(async {
        let context = TestContext::new().await;
        let first = context.create_file(Some(REP), "k", &context.file(b"hello")).await;
        let calls = context.simulator.api_calls();

        let second = context.create_file(Some(REP), "k", &context.file(b"hello")).await;

        assert_eq!(first, second);
        assert_eq!(context.simulator.api_calls(), calls);
        let (status, problem) = context.create_file(Some(REP), "k", &context.file(b"another")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let ledger = context.ledger(&first.1["write_id"]).await;
        assert_eq!(ledger.state, WriteState::Finished);
        assert!(!serde_json::to_string(&ledger).unwrap().contains("aGVsbG8"), "the content is not in the ledger");
    });
}
