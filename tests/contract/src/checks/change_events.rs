//! The channel of Change Data Capture, as a client of the Streaming API sees it.

use serde_json::{Value, json};

use crate::check::{Check, Finding, Verdict, applies, holds, not_applicable, same};
use crate::org::{Org, VERSION};

const STRUCTURE: &str = "https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_message_structure.htm";
const HEADER: &str = "https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_event_fields_header.htm";
const BODY: &str = "https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_event_fields_body.htm";
const ERRORS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_streaming.meta/api_streaming/streaming_error_codes.htm";
const SESSIONS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_streaming.meta/api_streaming/streaming_handling_errors.htm";

const CHANNEL: &str = "/data/AccountChangeEvent";
/// The most answers without the wanted event, each after up to 20 seconds.
const ANSWERS: usize = 6;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a change arrives on the channel with object, records and transaction",
        source: STRUCTURE,
        relied_on: "changed records are named by the header",
        run: |org| {
            let (mut stream, account) = observed(org)?;
            let event = stream.event(&account, "CREATE")?;
            let header = json!({
                "entityName": "Account", "recordIds": [account], "changeType": "CREATE", "changeOrigin": "<text>",
                "transactionKey": "<text>", "commitUser": "<text>", "changedFields": [],
            });
            let shape = json!({"schema": "<text>", "payload": {"ChangeEventHeader": header, "Name": "<text>"}});
            let wrong = crate::pattern::mismatch(&shape, Some(&event));
            holds(wrong.is_none(), &shape.to_string(), &event)?;
            let header = &event["payload"]["ChangeEventHeader"];
            let numbers = ["sequenceNumber", "commitTimestamp", "commitNumber"];
            holds(numbers.iter().all(|name| header[name].is_u64()), "numbers of sequence and commit", header)?;
            holds(event["event"]["replayId"].is_u64(), "a replay id", &event["event"])
        },
    },
    Check {
        name: "an update has the changed fields only, and LastModifiedDate",
        source: BODY,
        relied_on: "an event does not have the whole record, which is read again",
        run: |org| {
            let (mut stream, account) = observed(org)?;
            stream.event(&account, "CREATE")?;
            org.patch(&format!("sobjects/Account/{account}"), json!({"Phone": "7"})).send()?.has_status(204)?;
            let event = stream.event(&account, "UPDATE")?;
            let payload = &event["payload"];
            same("Phone", &json!("7"), &payload["Phone"])?;
            holds(payload["LastModifiedDate"].is_string(), "LastModifiedDate", payload)?;
            holds(payload.get("Name").is_none(), "no field that has not changed", payload)?;
            let changed = &payload["ChangeEventHeader"]["changedFields"];
            let names = changed.as_array().map_or(&[][..], Vec::as_slice);
            holds(names.contains(&json!("Phone")), "changedFields with Phone", changed)
        },
    },
    Check {
        name: "a deletion has the header only",
        source: BODY,
        relied_on: "a deleted record is known by its header",
        run: |org| {
            let (mut stream, account) = observed(org)?;
            stream.event(&account, "CREATE")?;
            org.delete(&format!("sobjects/Account/{account}")).send()?.has_status(204)?;
            let event = stream.event(&account, "DELETE")?;
            let members = event["payload"].as_object().map_or(0, serde_json::Map::len);
            holds(members == 1, "ChangeEventHeader and no field", &event["payload"])
        },
    },
    Check {
        name: "the same change of several records in a request is one event or more",
        source: HEADER,
        relied_on: "recordIds may have several records, and each is queued",
        run: |org| {
            let (mut stream, account) = observed(org)?;
            let other = org.create("Account", json!({"Name": org.name("second")}))?;
            let rows = [&account, &other].map(|id| json!({"attributes": {"type": "Account"}, "id": id, "Phone": "8"}));
            org.patch("composite/sobjects", json!({"records": rows})).send()?.has_status(200)?;
            let first = stream.event(&account, "UPDATE")?;
            let listed = &first["payload"]["ChangeEventHeader"]["recordIds"];
            if listed.as_array().is_some_and(|ids| ids.contains(&json!(other))) {
                return Ok(());
            }
            stream.event(&other, "UPDATE").map(drop)
        },
    },
    Check {
        name: "a replay id that is not kept is refused as 400",
        source: ERRORS,
        relied_on: "events are lost after three days, and a refresh reads what was missed",
        run: |org| {
            let mut stream = Stream::open(org)?;
            let refused = stream.subscribe(CHANNEL, 1_000_000_000_000)?;
            let error = refused["error"].as_str().unwrap_or_default();
            holds(error.starts_with("400::The replayId {1000000000000}"), "400::The replayId {...}", &refused)
        },
    },
    Check {
        name: "a channel that does not exist is refused",
        source: ERRORS,
        relied_on: "a wrong name of a channel is noticed",
        run: |org| {
            let mut stream = Stream::open(org)?;
            let refused = stream.subscribe("/data/FerryContractChangeEvent", -1)?;
            holds(refused["successful"] == false && refused["error"].is_string(), "an error", &refused)
        },
    },
    Check {
        name: "a handshake without a valid session is denied, with 401 inside",
        source: SESSIONS,
        relied_on: "an ended session of a subscriber is told apart from other failures",
        run: |org| {
            let hello =
                json!([{"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}]);
            let path = format!("/cometd/{VERSION}");
            let denied = org.post(&path, hello).header("authorization", "Bearer 00Dcontract!invalid").send()?;
            let inside = json!([{
                "error": "403::Handshake denied", "successful": false,
                "ext": {"sfdc": {"failureReason": "401::Authentication invalid"}},
            }]);
            denied.is(200, &inside).map(drop)
        },
    },
];

/// Subscribes to the changes of accounts, and creates one.
fn observed(org: &Org) -> Result<(Stream<'_>, String), Finding> {
    let soql = "SELECT SelectedEntity FROM PlatformEventChannelMember WHERE SelectedEntity = 'AccountChangeEvent'";
    let selected = org.tooling_query(soql).map_err(|_| not_applicable("the org has no change events"))?;
    applies(!selected.list("/records").is_empty(), "Account is not selected for Change Data Capture")?;
    let mut stream = Stream::open(org)?;
    let subscribed = stream.subscribe(CHANNEL, -1)?;
    let denied = subscribed["error"].as_str().is_some_and(|error| error.starts_with("403"));
    applies(!denied, "the user may not receive the changes of accounts")?;
    holds(subscribed["successful"] == true, "a subscription", &subscribed)?;
    let account = org.create("Account", json!({"Name": org.name("observed")}))?;
    Ok((stream, account))
}

/// A client of the Streaming API.
struct Stream<'a> {
    org: &'a Org,
    client: String,
    cookies: Vec<String>,
    /// Events that were received and not yet looked for.
    received: Vec<Value>,
}

impl<'a> Stream<'a> {
    fn open(org: &'a Org) -> Result<Self, Finding> {
        let mut stream = Self { org, client: String::new(), cookies: Vec::new(), received: Vec::new() };
        let hello = json!({"version": "1.0", "supportedConnectionTypes": ["long-polling"]});
        let reply = stream.send("/meta/handshake", hello)?;
        holds(reply["successful"] == true, "a handshake", &reply)?;
        reply["clientId"].as_str().unwrap_or_default().clone_into(&mut stream.client);
        Ok(stream)
    }

    fn subscribe(&mut self, channel: &str, replay: i64) -> Result<Value, Finding> {
        self.send("/meta/subscribe", json!({"subscription": channel, "ext": {"replay": {channel: replay}}}))
    }

    /// Sends a message and returns its answer; events that come with it are kept.
    fn send(&mut self, channel: &str, mut message: Value) -> Result<Value, Finding> {
        message["channel"] = json!(channel);
        if !self.client.is_empty() {
            message["clientId"] = json!(self.client);
        }
        let request = self.org.post(&format!("/cometd/{VERSION}"), json!([message]));
        let request =
            if self.cookies.is_empty() { request } else { request.header("cookie", &self.cookies.join("; ")) };
        let answer = request.send()?.has_status(200)?;
        let set = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        self.cookies.extend(set.filter_map(|(_, value)| value.split(';').next().map(str::to_owned)));
        let (replies, events): (Vec<Value>, _) =
            answer.list("").iter().cloned().partition(|message| message["channel"] == channel);
        self.received.extend(events.into_iter().map(|event: Value| event["data"].clone()));
        replies.into_iter().next().ok_or_else(|| answer.unlike(&format!("an answer to {channel}")))
    }

    /// Waits for an event of the record.
    fn event(&mut self, record: &str, kind: &str) -> Result<Value, Finding> {
        for _ in 0..ANSWERS {
            let is_wanted = |event: &Value| {
                let header = &event["payload"]["ChangeEventHeader"];
                let records = header["recordIds"].as_array().map_or(&[][..], Vec::as_slice);
                header["changeType"] == kind && records.contains(&json!(record))
            };
            if let Some(at) = self.received.iter().position(is_wanted) {
                return Ok(self.received.remove(at));
            }
            let advice = json!({"connectionType": "long-polling", "advice": {"timeout": 20_000}});
            let reply = self.send("/meta/connect", advice)?;
            holds(reply["successful"] == true, "an answer to /meta/connect", &reply)?;
        }
        let none: Verdict = holds(false, &format!("an event {kind} of {record}"), "none");
        none.map(|()| Value::Null)
    }
}
