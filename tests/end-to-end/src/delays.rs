//! Shortens the delays of queued messages. A deferral delays its message by up to 15 minutes, which the emulator waits in real time.
//!
//! A function finds SQS through the variable [`ENDPOINT`], so its binary and its other calls stay as they are.

use anyhow::Result;
use bench::Proxy;
use serde_json::Value;

/// The variable through which the AWS SDK finds SQS.
pub(crate) const ENDPOINT: &str = "AWS_ENDPOINT_URL_SQS";
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
    fn a_message_without_a_delay_is_unchanged() {
        let mut message = json!({ "MessageBody": "{}" });
        divide(&mut message);
        assert_eq!(message, json!({ "MessageBody": "{}" }));
    }
}
