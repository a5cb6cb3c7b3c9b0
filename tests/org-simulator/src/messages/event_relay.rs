//! The channels of change events, and their events in the form in which Event Relay publishes them on Amazon EventBridge.
//!
//! The simulator does not send them: the admin API returns them. A relay has a custom channel (Event Relay guide, "Event
//! Relay Configuration and Event Channels"), whose id is in the name of the partner event source (Object Reference,
//! EventRelayFeedback). Salesforce shows no message; the members of `detail` are those that users of Event Relay show.

use serde_json::{Value as Json, json};

use crate::Error;
use crate::model::change_events::names::{event_name, object_of_event};
use crate::model::change_events::{ChangeEvent, STANDARD};
use crate::model::datetime;
use crate::model::ids::RecordId;
use crate::model::org::Org;

/// Adds a custom channel.
///
/// # Errors
/// The name is in use, or is not a developer name with the suffix `__chn`.
pub(crate) fn add_channel(org: &mut Org, name: &str, label: &str) -> Result<RecordId, Error> {
    let refused = |reason: &str| Err(Error::Invalid { what: "channel", reason: format!("{name}: {reason}") });
    let stem = name.strip_suffix("__chn").unwrap_or_default();
    if !is_developer_name(stem) {
        return refused("the name must be a developer name with the suffix __chn");
    }
    if org.change_events.channel(name).is_some() {
        return refused("the name is in use");
    }
    Ok(org.change_events.add_channel(name, label, &mut org.ids))
}

/// Selects the object of a change event for a channel; without a name, the member gets that of the documentation.
///
/// # Errors
/// The channel or the event does not exist, or the object is already selected for the channel.
pub(crate) fn select(org: &mut Org, (channel, event): (&str, &str), name: Option<&str>) -> Result<RecordId, Error> {
    if channel != STANDARD && org.change_events.channel(channel).is_none() {
        return Err(Error::Unknown { what: "channel", name: channel.to_owned() });
    }
    let object = object_of_event(org, event).map(|object| object.name.clone());
    let object = object.ok_or_else(|| Error::Unknown { what: "change event", name: event.to_owned() })?;
    let usual = format!("{}_{}", channel.replace("__", "_"), event.replace("__", "_"));
    let name = name.unwrap_or(&usual);
    let mut members = org.change_events.members().iter();
    if members.any(|known| known.name == name || (&*known.channel, &known.object) == (channel, &object)) {
        let reason = format!("{name}: the name is in use, or {channel} has {event} already");
        return Err(Error::Invalid { what: "channel member", reason });
    }
    Ok(org.change_events.select((channel, &object, name), &mut org.ids))
}

/// Selects objects for a channel, which is added if it does not exist; those that are selected stay so.
///
/// # Errors
/// An object is unknown or has no change events, or the channel's name is invalid.
pub(crate) fn capture(org: &mut Org, channel: &str, objects: &[&str]) -> Result<(), Error> {
    let event = |object: &&str| {
        let name = org.schema.object(object).and_then(|object| event_name(&object.name));
        name.ok_or_else(|| Error::Unknown { what: "object with change events", name: (*object).to_owned() })
    };
    let events = objects.iter().map(event).collect::<Result<Vec<String>, Error>>()?;
    if channel != STANDARD && org.change_events.channel(channel).is_none() {
        add_channel(org, channel, channel.trim_end_matches("__chn"))?;
    }
    for event in events {
        let object = object_of_event(org, &event).map(|object| object.name.as_str());
        let mut members = org.change_events.members().iter();
        if !members.any(|known| known.channel == channel && Some(known.object.as_str()) == object) {
            select(org, (channel, &event), None)?;
        }
    }
    Ok(())
}

/// Returns the events that a custom channel holds, oldest first, as EventBridge delivers them.
///
/// # Errors
/// There is no such custom channel.
pub(crate) fn relayed(org: &mut Org, channel: &str) -> Result<Vec<Json>, Error> {
    org.change_events.drop_old(org.clock.now());
    let known = org.change_events.channel(channel);
    let id = known.ok_or_else(|| Error::Unknown { what: "custom channel", name: channel.to_owned() })?.id;
    let source = format!("aws.partner/salesforce.com/{}/{id}", org.id);
    Ok(org.change_events.after(0, channel).map(|event| envelope(event, &source)).collect())
}

fn envelope(event: &ChangeEvent, source: &str) -> Json {
    json!({
        "version": "0", "id": event.id, "detail-type": event.name, "source": source, "account": "000000000000",
        "time": datetime::whole_seconds(event.at).to_string(), "region": "us-east-1", "resources": [],
        "detail": {"payload": event.payload, "schemaId": event.schema, "id": event.id},
    })
}

/// Returns whether the text has letters, digits and single underscores only, begins with a letter and ends with no
/// underscore.
fn is_developer_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with('_')
        && !text.contains("__")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
