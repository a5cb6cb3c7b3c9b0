//! A batch of a stream that Lambda gave up, as it stores it in the bucket.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The records of a failed batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FailedBatch {
    /// The name of the table.
    pub(crate) table: String,
    /// The time at which Lambda gave the batch up.
    pub(crate) failed_at: Timestamp,
    /// The records as the function got them.
    pub(crate) records: Vec<Value>,
}

/// The invocation record: metadata, and the invocation's event as JSON in a text.
#[derive(Deserialize)]
struct InvocationRecord {
    timestamp: Timestamp,
    #[serde(rename = "DDBStreamBatchInfo")]
    stream: StreamPart,
    payload: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamPart {
    stream_arn: String,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

impl FailedBatch {
    /// Parses an object of the bucket; `None` for one that is no failed batch of a DynamoDB stream.
    pub(crate) fn parse(object: &[u8]) -> Option<Self> {
        let record: InvocationRecord = serde_json::from_slice(object).ok()?;
        let payload: Payload = serde_json::from_str(&record.payload).ok()?;
        let table = record.stream.stream_arn.split('/').nth(1)?.to_owned();
        Some(Self { table, failed_at: record.timestamp, records: payload.records })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The example of an S3 destination in the AWS Lambda Developer Guide, "Retain discarded records for a DynamoDB event
    /// source", with a payload.
    fn documented(payload: &Value) -> Value {
        json!({
            "requestContext": {
                "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
                "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:myfunction",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 1,
            },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "version": "1.0",
            "timestamp": "2019-11-14T00:13:49.717Z",
            "DDBStreamBatchInfo": {
                "shardId": "shardId-00000001573689847184-864758bb",
                "startSequenceNumber": "800000000003126276362",
                "endSequenceNumber": "800000000003126276362",
                "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
                "approximateArrivalOfLastRecord": "2019-11-14T00:13:19Z",
                "batchSize": 1,
                "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019-11-14T00:04:06.388",
            },
            "payload": payload,
        })
    }

    #[test]
    fn the_documented_format_is_read() {
        let event = json!({ "Records": [{ "eventID": "1" }, { "eventID": "2" }] });
        let object = documented(&json!(event.to_string())).to_string();

        let expected = FailedBatch {
            table: "mytable".to_owned(),
            failed_at: "2019-11-14T00:13:49.717Z".parse().unwrap(),
            records: vec![json!({ "eventID": "1" }), json!({ "eventID": "2" })],
        };
        assert_eq!(FailedBatch::parse(object.as_bytes()), Some(expected));
    }

    #[test]
    fn another_object_is_no_batch() {
        let without_payload = documented(&Value::Null).to_string();
        for object in ["", "{}", "[1]", without_payload.as_str()] {
            assert_eq!(FailedBatch::parse(object.as_bytes()), None, "{object}");
        }
    }
}
