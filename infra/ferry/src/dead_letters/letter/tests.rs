use serde_json::json;

use super::*;

const ORG: &str = "00D5e000000KQ2eEAG";
const NOW: &str = "2026-11-22T10:00:00Z";

fn hint(put_off: u32) -> Value {
    json!({
        "org_id": ORG, "delivery_id": "04l5e00000Gx7QzAAJ", "source": "outbound_message", "put_off": put_off,
        "record": { "object": "Account", "record_id": "0015e00000ZkM3hAAF" }, "received_at": "2026-11-21T10:00:00.000Z",
    })
}

/// As in the Lambda Developer Guide, "Retaining discarded batches for a DynamoDB event source".
fn stream_notice() -> Value {
    json!({
        "requestContext": {
            "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:ferry-record-events",
            "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 21,
        },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "version": "1.0", "timestamp": "2026-11-22T09:13:49.717Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb", "startSequenceNumber": "800000000003126276362",
            "endSequenceNumber": "800000000003126276362", "batchSize": 3,
            "streamArn": "arn:aws:dynamodb:us-east-1:123456789012:table/ferry-records/stream/2026-11-14T00:13:19.305",
        },
    })
}

/// As in the Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations".
fn invocation_notice() -> Value {
    json!({
        "version": "1.0", "timestamp": "2026-11-22T02:15:53.020Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e", "condition": "RetriesExhausted", "approximateInvokeCount": 3,
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:ferry-pipeline-refresh:$LATEST",
        },
        "requestPayload": { "kind": "nightly" },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": { "errorMessage": "timed out" },
    })
}

fn content(queue: QueueName, body: &Value) -> Content {
    Content::parse(queue, &body.to_string())
}

#[test]
fn messages_of_each_queue_are_parsed() {
    let task =
        json!({ "org_id": ORG, "kind": "backfill", "object": "Lead", "requested_at": "2026-11-21T10:00:00.000Z" });
    let write = json!({ "org_id": ORG, "write_id": "9c1d6a52-7b0e-4d5f-8f3a-61e204c7b9d3" });
    let erasure = json!({ "org_id": ORG, "erasure_id": "9c1d6a52-7b0e-4d5f-8f3a-61e204c7b9d3" });
    for (queue, body, subject) in [
        (QueueName::DataErasure, erasure, "erasure 9c1d6a52-7b0e-4d5f-8f3a-61e204c7b9d3"),
        (QueueName::RecordUpsert, hint(0), "Account 0015e00000ZkM3hAAF"),
        (QueueName::PipelineRefresh, task, "backfill refresh of Lead"),
        (QueueName::RecordWrite, write.clone(), "write 9c1d6a52-7b0e-4d5f-8f3a-61e204c7b9d3"),
        (QueueName::NoteWrite, write, "write 9c1d6a52-7b0e-4d5f-8f3a-61e204c7b9d3"),
    ] {
        let content = content(queue, &body);
        assert_eq!((content.subject().as_str(), content.is_redrivable()), (subject, true));
        assert_eq!(content.org(None), ORG.parse().ok());
    }
}

#[test]
fn events_and_tasks_for_endpoints_are_redrivable() {
    let endpoint = "we_5f0c2a1e7f534f0e9a540f3f1d0a2b11";
    let task = json!({ "task": "deliver", "tenant": "acme", "endpoint_id": endpoint, "place": "waiting#a#b" });
    let event = json!({
        "version": "0", "source": "ferry", "detail-type": "record.changed",
        "detail": { "source": format!("ferry/{ORG}"), "type": "record.changed", "subject": "Lead/00Q5e00000ZkM3hAAF" },
    });
    for (body, subject, org) in [
        (task, format!("deliveries to {endpoint}"), None),
        (event, "record.changed of Lead/00Q5e00000ZkM3hAAF".to_owned(), ORG.parse().ok()),
    ] {
        let content = content(QueueName::EventDelivery, &body);
        assert_eq!((content.subject(), content.is_redrivable(), content.org(None)), (subject, true, org));
    }
}

#[test]
fn notices_from_aws_are_not_redrivable() {
    for (queue, body, subject) in [
        (QueueName::RecordEvents, stream_notice(), "3 changes of table ferry-records"),
        (QueueName::PipelineRefresh, invocation_notice(), "schedule nightly"),
        (QueueName::PipelineRefresh, json!({ "kind": "nightly" }), "schedule nightly"),
    ] {
        let content = content(queue, &body);
        assert_eq!((content.subject().as_str(), content.is_redrivable(), content.org(None)), (subject, false, None));
    }
}

#[test]
fn change_events_have_an_org_and_object_also_in_a_notice() {
    let event = json!({
        "version": "0", "source": format!("aws.partner/salesforce.com/{ORG}/changes"), "detail-type": "AccountChangeEvent",
        "detail": { "payload": { "ChangeEventHeader": { "entityName": "Account", "recordIds": ["0015e00000ZkM3hAAF"] } } },
    });
    let mut notice = invocation_notice();
    notice["requestPayload"] = event.clone();
    for body in [event, notice] {
        let content = content(QueueName::ChangeEvent, &body);
        assert_eq!((content.subject().as_str(), content.is_redrivable()), ("change event of Account", false));
        assert_eq!(content.org(None), ORG.parse().ok());
    }
}

#[test]
fn an_unreadable_body_takes_its_org_from_the_message_group() {
    for body in ["", "{", "[]", "{\"org_id\":1}"] {
        let content = Content::parse(QueueName::RecordUpsert, body);
        assert_eq!(content, Content::Unreadable);
        assert_eq!((content.org(Some(ORG)), content.org(Some("?"))), (ORG.parse().ok(), None));
        assert!(content.is_redrivable());
        assert_eq!(content.into_redriven(body.to_owned()), body);
    }
}

#[test]
fn a_redriven_hint_restarts_its_deferral_count() {
    let dead = content(QueueName::RecordUpsert, &hint(96));
    let redriven: Value = serde_json::from_str(&dead.into_redriven(String::new())).unwrap();
    let mut fresh = hint(0);
    fresh.as_object_mut().unwrap().remove("put_off");
    assert_eq!(redriven, fresh);
}

#[test]
fn a_redriven_refresh_restarts_its_deferrals() {
    let task =
        json!({ "org_id": ORG, "kind": "nightly", "object": "Account", "requested_at": "2026-11-21T10:00:00.000Z" });
    let mut tired = task.clone();
    tired.as_object_mut().unwrap().extend(json!({ "put_off": 9, "refusals": 3 }).as_object().unwrap().clone());
    let dead = content(QueueName::PipelineRefresh, &tired);
    assert_eq!(serde_json::from_str::<Value>(&dead.into_redriven(String::new())).unwrap(), task);
}

fn summary(queue: QueueName, body: &Value, attributes: &[(&str, &str)], receives: Option<u32>) -> Summary {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let letter = DeadLetter {
        message_id: "5fea7756-0ea4-451a-a703-a558b933e274".to_owned(),
        body: body.to_string(),
        group: None,
        attributes,
        sent_at: "2026-11-22T07:00:00Z".parse().unwrap(),
        receive_count: 9,
        receipt_handle: String::new(),
    };
    Summary::new(queue, &letter, receives, NOW.parse().unwrap())
}

#[test]
fn the_reason_is_the_stated_one_or_else_derived() {
    let stated = [("reason", "row_too_large"), ("failed_at", "2026-11-22T08:30:00.000Z")];
    let stated = summary(QueueName::RecordUpsert, &hint(0), &stated, Some(6));
    assert_eq!((stated.reason.as_str(), stated.failed_at), ("row_too_large", "2026-11-22T08:30:00Z".parse().ok()));
    let cells = stated.cells();
    assert_eq!(cells[0], format!("{ORG}\nAccount 0015e00000ZkM3hAAF"));
    assert_eq!(cells[2], "2026-11-22T08:30:00Z\n3 h 5fea7756");

    let moved = summary(QueueName::RecordUpsert, &hint(0), &[], Some(6));
    assert_eq!(moved.reason, "the function crashed or timed out, 6 times");
    assert_eq!((moved.failed_at, moved.age_s), (None, 3 * 3_600));
    let noticed = summary(QueueName::RecordEvents, &stream_notice(), &[], None);
    assert_eq!(
        (noticed.reason.as_str(), noticed.failed_at),
        ("RetryAttemptsExhausted", "2026-11-22T09:13:49.717Z".parse().ok())
    );
    let schedule = json!({ "kind": "nightly" });
    let schedule = summary(QueueName::PipelineRefresh, &schedule, &[("ERROR_CODE", "AWS.Lambda.Throttled")], Some(4));
    assert_eq!(schedule.reason, "AWS.Lambda.Throttled");
}
