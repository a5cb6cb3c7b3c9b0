//! Change Data Capture and Event Relay.

use serde_json::{Value, json};

use crate::check::{Check, Finding, applies, holds, not_applicable};
use crate::org::{Org, query_path};

const CHANNELS: &str = "https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_subscribe_channels.htm";
const RELAY: &str = "not documented: rules and handlers that users of Event Relay publish";
const FEEDBACK: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_eventrelayfeedback.htm";
const OVERFLOW: &str = "https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_other_events_overflow.htm";
const BUS: &str = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "an object's change event has a header and the object's fields",
        source: "https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_message_structure.htm",
        relied_on: "changed records are named by the header",
        run: |org| {
            let found = org.get("sobjects/AccountChangeEvent/describe").send()?;
            applies(found.status == 200, "the org has no change events")?;
            for name in ["ReplayId", "ChangeEventHeader", "Name"] {
                holds(
                    found.list("/fields").iter().any(|field| field["name"] == name),
                    &format!("a field {name}"),
                    "none",
                )?;
            }
            Ok(())
        },
    },
    Check {
        name: "a channel of the type data holds the events of its members",
        source: CHANNELS,
        relied_on: "the admin chooses the objects whose changes are relayed",
        run: |org| {
            let soql = "SELECT Id, DeveloperName, ChannelType FROM PlatformEventChannel";
            let found = org.get(&format!("tooling/{}", query_path(soql))).send()?;
            applies(found.status == 200 && !found.list("/records").is_empty(), "the org has no channel of its own")?;
            let known = |row: &Value| matches!(row["ChannelType"].as_str(), Some("data" | "event"));
            holds(found.list("/records").iter().all(known), "channels of the type data or event", found.shown())
        },
    },
    Check {
        name: "a relay names its partner event source with org and channel",
        source: FEEDBACK,
        relied_on: "the org of a relayed event is known by its source",
        run: |org| {
            let found = org.get(&query_path("SELECT RemoteResource, Status FROM EventRelayFeedback")).send()?;
            applies(found.status == 200 && !found.list("/records").is_empty(), "the org has no event relay")?;
            let begins = format!("aws.partner/salesforce.com/{}/", org.id);
            let right = |row: &Value| row["RemoteResource"].as_str().is_some_and(|source| source.starts_with(&begins));
            holds(found.list("/records").iter().all(right), &format!("{begins}..."), found.shown())
        },
    },
    Check {
        name: "a relayed event has the change in detail.payload",
        source: RELAY,
        relied_on: "the header of a change is looked for there first",
        run: |org| {
            let event = relayed(org)?;
            let header = &event["detail"]["payload"]["ChangeEventHeader"];
            holds(
                header["entityName"].is_string() && header["recordIds"].is_array(),
                "detail.payload.ChangeEventHeader",
                &event,
            )
        },
    },
    Check {
        name: "a relayed event names its type, its schema and its id",
        source: RELAY,
        relied_on: "events of other types are ignored",
        run: |org| {
            let event = relayed(org)?;
            let shape =
                json!({"detail-type": "<contains ChangeEvent>", "detail": {"schemaId": "<text>", "id": "<text>"}});
            let wrong = crate::pattern::mismatch(&shape, Some(&event));
            holds(wrong.is_none(), &shape.to_string(), &event)
        },
    },
    Check {
        name: "a rule forwards events to another bus with their source unchanged",
        source: BUS,
        relied_on: "the bus of the stack receives events with the org in the source",
        run: |org| {
            let event = relayed(org)?;
            let source = event["source"].as_str().unwrap_or_default();
            holds(
                source.starts_with("aws.partner/salesforce.com/00D"),
                "aws.partner/salesforce.com/{org}/{channel}",
                source,
            )
        },
    },
    Check {
        name: "an overflow event has 000000000000000AAA for its records",
        source: OVERFLOW,
        relied_on: "what is no record id is ignored, and the object is read again",
        run: |org| {
            let event = relayed(org)?;
            let header = &event["detail"]["payload"]["ChangeEventHeader"];
            applies(header["changeType"] == "GAP_OVERFLOW", "the event of the file is no overflow event")?;
            holds(header["recordIds"] == json!(["000000000000000AAA"]), "recordIds [000000000000000AAA]", header)
        },
    },
    Check {
        name: "PutEvents refuses a source that begins with aws.",
        source: "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html",
        relied_on: "nobody but Salesforce sends events with a partner's source",
        run: |org| {
            let bus = org.target.event_bus.as_ref();
            let bus = bus.ok_or_else(|| not_applicable("no event bus of Amazon EventBridge is given (--event-bus)"))?;
            let entry = json!([
                {
                    "Source": "aws.partner/salesforce.com/contract", "DetailType": "Contract", "Detail": "{}",
                    "EventBusName": bus,
                },
            ]);
            let arguments = ["events", "put-events", "--output", "json", "--entries", &entry.to_string()];
            let output = std::process::Command::new("aws").args(arguments).output();
            let output = output.map_err(|error| Finding::NotRun(format!("the AWS CLI: {error}")))?;
            let text = String::from_utf8_lossy(if output.stdout.is_empty() { &output.stderr } else { &output.stdout });
            let failed = serde_json::from_str(&text).is_ok_and(|answer: Value| answer["FailedEntryCount"] == 1);
            holds(failed, "FailedEntryCount 1", text)
        },
    },
];

/// Returns the event of the operator's file, as it arrived on Amazon EventBridge.
fn relayed(org: &Org) -> Result<Value, Finding> {
    let path = org.target.relayed_event.as_ref();
    let path = path.ok_or_else(|| not_applicable("no event from Amazon EventBridge is given (--relayed-event)"))?;
    let text = std::fs::read(path).map_err(|error| Finding::NotRun(format!("the event: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| Finding::NotRun(format!("the event: {error}")))
}
