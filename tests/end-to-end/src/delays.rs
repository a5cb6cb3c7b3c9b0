//! Shortens what a function waits for in real time, on the way to the emulator. The function's binary stays as it is.
//!
//! A deferral delays its message by up to 15 minutes: a function finds SQS through the variable [`ENDPOINT`]. A write whose
//! request got no response is waited for until 11 minutes after the deadline of its attempt: a function finds DynamoDB through
//! the variable [`TABLES_ENDPOINT`].

use anyhow::Result;
use bench::Proxy;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The variable through which the AWS SDK finds SQS.
pub(crate) const ENDPOINT: &str = "AWS_ENDPOINT_URL_SQS";
/// The variable through which the AWS SDK finds DynamoDB.
pub(crate) const TABLES_ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";
/// The time that is left out: a request of the simulator takes effect before the deadline of its attempt, 60 seconds.
const LEFT_OUT: SignedDuration = SignedDuration::from_mins(11);
/// The value of an update that says until when a write is waited for.
const UNSETTLED_UNTIL: &str = ":set_unsettled_until";
/// The number by which delays are divided: 15 minutes become 9 seconds.
const DIVISOR: u64 = 100;

/// Starts a proxy for SQS that shortens the delays of messages, so that a run does not wait for a quarter of an hour of real time.
pub(crate) async fn shorten(emulator: &str) -> Result<Proxy> {
    Proxy::start_editing(emulator, |name, body| {
        if !name.starts_with("SendMessage") {
            return body;
        }
        let Ok(mut request) = serde_json::from_slice::<Value>(&body) else { return body };
        divide(&mut request);
        request["Entries"].as_array_mut().into_iter().flatten().for_each(divide);
        if request["Entries"].is_null() {
            request.as_object_mut().and_then(|request| request.remove("Entries"));
        }
        serde_json::to_vec(&request).map_or(body, Into::into)
    })
    .await
}

/// Starts a proxy for DynamoDB that lets writes wait for requests without a response only until the deadline of their attempt.
pub(crate) async fn settle_early(emulator: &str) -> Result<Proxy> {
    Proxy::start_editing(emulator, |name, body| {
        if !name.starts_with("UpdateItem") {
            return body;
        }
        let Ok(mut request) = serde_json::from_slice::<Value>(&body) else { return body };
        if !bring_forward(&mut request["ExpressionAttributeValues"][UNSETTLED_UNTIL]["S"]) {
            return body;
        }
        serde_json::to_vec(&request).map_or(body, Into::into)
    })
    .await
}

/// Leaves out the time in which no request of the simulator takes effect any more. Returns `false` if the value is no time.
fn bring_forward(value: &mut Value) -> bool {
    let Some(time) = value.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else { return false };
    *value = store::time::format(time - LEFT_OUT).into();
    true
}

/// Divides the delay of a message, rounding up.
fn divide(message: &mut Value) {
    if let Some(seconds) = message["DelaySeconds"].as_u64() {
        message["DelaySeconds"] = seconds.div_ceil(DIVISOR).into();
    } else if let Some(message) = message.as_object_mut() {
        message.remove("DelaySeconds");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delay_is_divided_and_rounded_up() {
        let shortened = |seconds: u64| {
            let mut message = json!({ "MessageBody": "{}", "DelaySeconds": seconds });
            divide(&mut message);
            message["DelaySeconds"].as_u64().unwrap()
        };
        assert_eq!([0, 1, 15, 100, 101, 900].map(shortened), [0, 1, 1, 1, 2, 9]);
    }

    #[test]
    fn a_late_request_is_waited_for_until_its_deadline() {
        let mut value = json!("2026-11-22T10:12:00.000Z");
        assert!(bring_forward(&mut value));
        assert_eq!(value, "2026-11-22T10:01:00.000Z");
        assert!(!bring_forward(&mut Value::Null));
    }

    #[test]
    fn a_message_without_a_delay_is_unchanged() {
        let mut message = json!({ "MessageBody": "{}" });
        divide(&mut message);
        assert_eq!(message, json!({ "MessageBody": "{}" }));
    }
}
