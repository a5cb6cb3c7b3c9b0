//! Change Data Capture: the objects whose changes are captured, and the change events of the last three days.
//!
//! After the Change Data Capture Developer Guide ("Change Event Message Structure", "Change Event Body Fields", "Get
//! Compound Fields in Change Events") and the Object Reference (StandardObjectNameChangeEvent).
//! There are no gap and overflow events: the org has none of their causes (events over 1 MB, changes made in the
//! database, transactions of more than 100,000 changes).

mod capture;
pub(crate) mod names;

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::model::ids::{IdSource, RecordId};

pub(crate) use capture::Origin;

/// The standard channel, which holds the events of the objects that are selected for it.
pub(crate) const STANDARD: &str = "ChangeEvents";
/// The member of a payload that describes the change; the others are the record's fields.
pub(crate) const HEADER: &str = "ChangeEventHeader";

const RETENTION: SignedDuration = SignedDuration::from_hours(72);
/// Events that are kept; above this number the oldest are dropped, which bounds the memory.
const MAX_EVENTS: usize = 200_000;

/// A custom channel (`PlatformEventChannel` of the type `data`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Channel {
    pub(crate) id: RecordId,
    /// The full name, for example `Ferry__chn`.
    pub(crate) name: String,
    pub(crate) label: String,
}

/// An object that is selected for a channel (`PlatformEventChannelMember`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: RecordId,
    /// The full name, for example `Ferry_chn_AccountChangeEvent`.
    pub(crate) name: String,
    /// The full name of the channel.
    pub(crate) channel: String,
    pub(crate) object: String,
}

/// A change event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChangeEvent {
    /// Grows with every event of the org.
    pub(crate) replay_id: u64,
    /// A UUID.
    pub(crate) id: String,
    /// The name of the event, for example `AccountChangeEvent`.
    pub(crate) name: String,
    pub(crate) object: String,
    /// The id of the event's schema, which changes with the fields of the object.
    pub(crate) schema: String,
    pub(crate) at: Timestamp,
    /// The channels for which the object was selected at the time of the change.
    pub(crate) channels: Vec<String>,
    /// The header and the changed fields.
    pub(crate) payload: Map<String, Json>,
}

impl ChangeEvent {
    /// Returns whether a channel holds the event: by the name of the event or of a channel that has the object.
    pub(crate) fn is_on(&self, channel: &str) -> bool {
        self.name == channel || self.channels.iter().any(|known| known == channel)
    }

    /// Returns the message of the Streaming API.
    pub(crate) fn message(&self) -> Json {
        json!({"schema": self.schema, "payload": self.payload, "event": {"replayId": self.replay_id}})
    }
}

/// The channels of an org, what is selected for them, and the events.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ChangeEvents {
    channels: Vec<Channel>,
    members: Vec<Member>,
    events: VecDeque<ChangeEvent>,
    last_replay_id: u64,
    /// Transactions with captured changes.
    commits: u64,
}

impl ChangeEvents {
    pub(crate) fn channels(&self) -> &[Channel] {
        &self.channels
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Returns the custom channel with that full name.
    pub(crate) fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// Adds a custom channel, whose name is not in use.
    pub(crate) fn add_channel(&mut self, name: &str, label: &str, ids: &mut IdSource) -> RecordId {
        let id = ids.next("0YL");
        self.channels.push(Channel { id, name: name.to_owned(), label: label.to_owned() });
        id
    }

    /// Removes a custom channel with its members.
    pub(crate) fn remove_channel(&mut self, id: RecordId) {
        let Some(at) = self.channels.iter().position(|channel| channel.id == id) else { return };
        let channel = self.channels.remove(at);
        self.members.retain(|member| member.channel != channel.name);
    }

    /// Selects an object for a channel that exists and does not have it.
    pub(crate) fn select(&mut self, (channel, object, name): (&str, &str, &str), ids: &mut IdSource) -> RecordId {
        let id = ids.next("0v8");
        let [name, channel, object] = [name, channel, object].map(str::to_owned);
        self.members.push(Member { id, name, channel, object });
        id
    }

    pub(crate) fn remove_member(&mut self, id: RecordId) {
        self.members.retain(|member| member.id != id);
    }

    /// Returns the same selection without events, as a copy of the org has it.
    pub(crate) fn without_events(self) -> Self {
        Self { channels: self.channels, members: self.members, ..Self::default() }
    }

    /// Returns the channels for which an object is selected.
    fn channels_of(&self, object: &str) -> Vec<String> {
        let members = self.members.iter().filter(|member| member.object == object);
        members.map(|member| member.channel.clone()).collect()
    }

    fn append(&mut self, event: ChangeEvent) {
        self.last_replay_id += 1;
        self.events.push_back(ChangeEvent { replay_id: self.last_replay_id, ..event });
        if self.events.len() > MAX_EVENTS {
            tracing::warn!("there are too many change events, the oldest is dropped");
            self.events.pop_front();
        }
    }

    /// Drops the events that are older than three days.
    pub(crate) fn drop_old(&mut self, now: Timestamp) {
        let Ok(oldest) = now.checked_sub(RETENTION) else { return };
        while self.events.front().is_some_and(|event| event.at < oldest) {
            self.events.pop_front();
        }
    }

    /// Returns the replay id of the newest event.
    pub(crate) fn last_replay_id(&self) -> u64 {
        self.last_replay_id
    }

    /// Returns whether an event with that replay id is kept.
    pub(crate) fn has(&self, replay_id: u64) -> bool {
        self.events.binary_search_by_key(&replay_id, |event| event.replay_id).is_ok()
    }

    /// Returns the events of a channel after a replay id, oldest first.
    pub(crate) fn after(&self, replay_id: u64, channel: &str) -> impl Iterator<Item = &ChangeEvent> {
        let from = self.events.partition_point(|event| event.replay_id <= replay_id);
        self.events.range(from..).filter(move |event| event.is_on(channel))
    }
}
