//! What a dead letter says, for an operator: pure.

use std::fmt;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ChangeHint, DeadLetter, RefreshTask, WriteTask};

use crate::screen;

/// The queues that give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum QueueName {
    /// Changed records that could not be applied.
    RecordUpsert,
    /// Refreshes of orgs that could not be done, and schedules that failed.
    PipelineRefresh,
    /// Writes of records that could not be done.
    RecordWrite,
    /// Writes of notes that could not be done.
    NoteWrite,
    /// Change events that could not be read or queued.
    ChangeEvent,
    /// Notices of changes that could not be told on the bus.
    RecordEvents,
}

impl QueueName {
    /// The queue that its dead letters come from, without the stack's name; `None` where they come from a stream or from a bus.
    pub(crate) fn source(self) -> Option<String> {
        (!matches!(self, Self::RecordEvents | Self::ChangeEvent)).then(|| self.to_string())
    }

    /// What is to be done about dead letters that no queue takes back.
    pub(crate) fn instead(self) -> &'static str {
        match self {
            Self::ChangeEvent => {
                "they came from the bus; the nightly refresh brings what they tell of: list them, and drop them"
            }
            _ => "they are notices of changes that could not be told: list them, tell the platform, and drop them",
        }
    }

    /// The dead-letter queue, without the stack's name.
    pub(crate) fn dead_letters(self) -> String {
        format!("{self}-dead-letters")
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RecordUpsert => "record-upsert",
            Self::PipelineRefresh => "pipeline-refresh",
            Self::RecordWrite => "record-write",
            Self::NoteWrite => "note-write",
            Self::ChangeEvent => "change-event",
            Self::RecordEvents => "record-events",
        })
    }
}

/// What a dead letter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Hint(ChangeHint),
    Refresh(RefreshTask),
    Write(WriteTask),
    /// A change event as it came.
    Event(Event),
    /// Lambda's notice of a part of a stream, or of an invocation, that failed.
    Notice(Notice),
    /// What a schedule would have invoked its function with.
    Schedule(Schedule),
    /// Whatever it is, the function could not read it either.
    Unreadable,
}

/// Lambda's notice (Lambda Developer Guide, "Retaining discarded batches", "Adding a destination").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notice {
    request_context: RequestContext,
    timestamp: Option<Timestamp>,
    #[serde(rename = "DDBStreamBatchInfo")]
    stream: Option<StreamPart>,
    request_payload: Option<Value>,
}

/// A change event of Salesforce's as EventBridge brings it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    source: String,
    detail: Value,
}

impl Event {
    /// The org that its partner event source names: `aws.partner/salesforce.com/{org}/{name}`.
    fn org(&self) -> Option<OrgId> {
        self.source.split('/').nth(2)?.parse().ok()
    }

    fn about(&self) -> String {
        let object = self.detail.pointer("/payload/ChangeEventHeader/entityName").and_then(Value::as_str);
        object.map_or("change event".to_owned(), |object| format!("change event of {object}"))
    }
}

impl Notice {
    /// What the function was invoked with.
    fn payload(&self) -> Option<Content> {
        let payload = self.request_payload.as_ref()?;
        let event = Event::deserialize(payload).map(Content::Event);
        event.or_else(|_| Schedule::deserialize(payload).map(Content::Schedule)).ok()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    condition: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamPart {
    batch_size: u64,
    stream_arn: String,
}

/// A schedule's input.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Schedule {
    kind: String,
}

impl Content {
    /// Reads the body as the queue's function would, and else as AWS's own notices.
    pub(crate) fn of(queue: QueueName, body: &str) -> Self {
        let own = match queue {
            QueueName::RecordUpsert => serde_json::from_str(body).map(Self::Hint),
            QueueName::PipelineRefresh => serde_json::from_str(body).map(Self::Refresh),
            QueueName::RecordWrite | QueueName::NoteWrite => serde_json::from_str(body).map(Self::Write),
            QueueName::ChangeEvent => serde_json::from_str(body).map(Self::Event),
            QueueName::RecordEvents => serde_json::from_str(body).map(Self::Notice),
        };
        own.or_else(|_| serde_json::from_str(body).map(Self::Notice))
            .or_else(|_| serde_json::from_str(body).map(Self::Schedule))
            .unwrap_or(Self::Unreadable)
    }

    /// Whether it was a message of the queue: what nobody can read may have been one.
    pub(crate) fn comes_from_queue(&self) -> bool {
        !matches!(self, Self::Event(_) | Self::Notice(_) | Self::Schedule(_))
    }

    /// The org that it is about; the message group says it of what cannot be read.
    pub(crate) fn org(&self, group: Option<&str>) -> Option<OrgId> {
        match self {
            Self::Hint(hint) => Some(hint.org_id),
            Self::Refresh(task) => Some(task.org_id),
            Self::Write(task) => Some(task.org_id),
            Self::Event(event) => event.org(),
            Self::Notice(notice) => notice.payload()?.org(None),
            Self::Schedule(_) | Self::Unreadable => group?.parse().ok(),
        }
    }

    /// The body to send back: a hint may be put off as often as a new one.
    pub(crate) fn revived(self, body: String) -> String {
        match self {
            Self::Hint(hint) => serde_json::to_string(&ChangeHint { deferrals: 0, ..hint }).unwrap_or(body),
            _ => body,
        }
    }

    fn about(&self) -> String {
        match self {
            Self::Hint(hint) => match &hint.record {
                Some(record) => format!("{} {}", record.object, record.record_id),
                None => format!("delivery {}", hint.delivery_id),
            },
            Self::Refresh(task) => {
                let kind = serde_json::to_value(task.kind).ok();
                let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
                task.object.as_ref().map_or(format!("{kind} refresh"), |object| format!("{kind} refresh of {object}"))
            }
            Self::Write(task) => format!("write {}", task.write_id),
            Self::Notice(Notice { stream: Some(part), .. }) => {
                let table = part.stream_arn.split('/').nth(1).unwrap_or(&part.stream_arn);
                format!("{} of table {table}", screen::counted(part.batch_size as usize, "change", "changes"))
            }
            Self::Notice(notice) => notice.payload().map_or("an invocation".to_owned(), |payload| payload.about()),
            Self::Event(event) => event.about(),
            Self::Schedule(schedule) => format!("schedule {}", schedule.kind),
            Self::Unreadable => "cannot be read".to_owned(),
        }
    }
}

/// A dead letter as it is shown.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    id: String,
    org_id: Option<OrgId>,
    about: String,
    reason: String,
    failed_at: Option<Timestamp>,
    sent_at: Timestamp,
    age_s: i64,
}

impl Shown {
    /// What is known of it; `receives` is how often its queue hands a message out.
    pub(crate) fn of(queue: QueueName, letter: &DeadLetter, receives: Option<u32>, now: Timestamp) -> Self {
        let content = Content::of(queue, &letter.body);
        let noticed = match &content {
            Content::Notice(notice) => notice.timestamp,
            _ => None,
        };
        Self {
            id: letter.message_id.clone(),
            org_id: content.org(letter.group.as_deref()),
            about: content.about(),
            reason: reason(queue, &content, letter, receives),
            failed_at: letter.failed_at().or(noticed),
            sent_at: letter.sent_at,
            age_s: now.duration_since(letter.sent_at).as_secs().max(0),
        }
    }

    /// Its row in a table.
    pub(crate) fn cells(&self) -> [String; 3] {
        let org = self.org_id.map_or("no org".to_owned(), |org| org.to_string());
        let failed_at = self.failed_at.map_or("not known".to_owned(), screen::time);
        let short = self.id.get(..8).unwrap_or(&self.id);
        let age = screen::age(SignedDuration::from_secs(self.age_s));
        [format!("{org}\n{}", self.about), self.reason.clone(), format!("{failed_at}\n{age} {short}")]
    }
}

fn reason(queue: QueueName, content: &Content, letter: &DeadLetter, receives: Option<u32>) -> String {
    // EventBridge and its Scheduler say why in an attribute of their own.
    if let Some(reason) = letter.reason().or(letter.attributes.get("ERROR_CODE").map(String::as_str)) {
        return reason.to_owned();
    }
    match content {
        Content::Notice(notice) => notice.request_context.condition.clone(),
        Content::Schedule(_) | Content::Event(_) => "not invoked".to_owned(),
        _ => {
            // record-upsert answers for whatever it can answer for.
            let did = if queue == QueueName::RecordUpsert { "died" } else { "failed, died" };
            let times = receives.map(|receives| format!(", {receives} times")).unwrap_or_default();
            format!("the function {did} or ran out of time{times}")
        }
    }
}

#[cfg(test)]
mod tests;
