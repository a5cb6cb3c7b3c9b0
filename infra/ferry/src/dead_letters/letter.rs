//! Dead letters as an operator sees them.

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ChangeHint, DeadLetter, ErasureTask, EventDeliveryTask, RefreshTask, WriteTask};

use crate::queue_name::QueueName;
use crate::screen;

/// The parsed body of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Hint(ChangeHint),
    Refresh(RefreshTask),
    Write(WriteTask),
    Erasure(ErasureTask),
    Delivery(Delivery),
    /// A Change Data Capture event as EventBridge delivered it.
    Event(Event),
    /// Lambda's notice of a failed stream batch or invocation.
    Notice(Notice),
    /// A schedule's input, undelivered.
    Schedule(Schedule),
    /// A body that the function could not parse either.
    Unreadable,
}

/// A message of `event-delivery`: a task, or an event of Ferry's as EventBridge sent it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Delivery {
    Task(EventDeliveryTask),
    Event { detail: FerryEvent },
}

/// What is shown of an event of Ferry's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct FerryEvent {
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
}

impl Delivery {
    fn org(&self) -> Option<OrgId> {
        match self {
            Self::Task(_) => None,
            Self::Event { detail } => detail.source.strip_prefix("ferry/")?.parse().ok(),
        }
    }

    fn subject(&self) -> String {
        match self {
            Self::Task(
                EventDeliveryTask::Deliver { endpoint_id, .. } | EventDeliveryTask::Resume { endpoint_id, .. },
            ) => {
                format!("deliveries to {endpoint_id}")
            }
            Self::Event { detail } => format!("{} of {}", detail.kind, detail.subject),
        }
    }
}

/// Lambda's failure notice (Lambda Developer Guide, "Retaining discarded batches", "Adding a destination").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notice {
    request_context: RequestContext,
    timestamp: Option<Timestamp>,
    #[serde(rename = "DDBStreamBatchInfo")]
    stream: Option<StreamPart>,
    request_payload: Option<Value>,
}

/// A Change Data Capture event in EventBridge's envelope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    source: String,
    detail: Value,
}

impl Event {
    /// Returns the org named by the partner event source: `aws.partner/salesforce.com/{org}/{name}`.
    fn org(&self) -> Option<OrgId> {
        self.source.split('/').nth(2)?.parse().ok()
    }

    fn subject(&self) -> String {
        let object = self.detail.pointer("/payload/ChangeEventHeader/entityName").and_then(Value::as_str);
        object.map_or("change event".to_owned(), |object| format!("change event of {object}"))
    }
}

impl Notice {
    /// Returns the input of the failed invocation.
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
    /// Parses the body as a message of the queue, else as a notice from AWS.
    pub(crate) fn parse(queue: QueueName, body: &str) -> Self {
        let own = match queue {
            QueueName::RecordUpsert => serde_json::from_str(body).map(Self::Hint),
            QueueName::PipelineRefresh => serde_json::from_str(body).map(Self::Refresh),
            QueueName::RecordWrite | QueueName::NoteWrite | QueueName::FileWrite => {
                serde_json::from_str(body).map(Self::Write)
            }
            QueueName::DataErasure => serde_json::from_str(body).map(Self::Erasure),
            QueueName::EventDelivery => serde_json::from_str(body).map(Self::Delivery),
            QueueName::ChangeEvent => serde_json::from_str(body).map(Self::Event),
            QueueName::RecordEvents => serde_json::from_str(body).map(Self::Notice),
        };
        own.or_else(|_| serde_json::from_str(body).map(Self::Notice))
            .or_else(|_| serde_json::from_str(body).map(Self::Schedule))
            .unwrap_or(Self::Unreadable)
    }

    /// Returns whether it can be sent to the queue. An unreadable body may have been a message of the queue.
    pub(crate) fn is_redrivable(&self) -> bool {
        !matches!(self, Self::Event(_) | Self::Notice(_) | Self::Schedule(_))
    }

    /// Returns the org. For an unreadable body it is taken from the message group.
    pub(crate) fn org(&self, group: Option<&str>) -> Option<OrgId> {
        match self {
            Self::Hint(hint) => Some(hint.org_id),
            Self::Refresh(task) => Some(task.org_id),
            Self::Write(task) => Some(task.org_id),
            Self::Erasure(task) => Some(task.org_id),
            Self::Delivery(delivery) => delivery.org(),
            Self::Event(event) => event.org(),
            Self::Notice(notice) => notice.payload()?.org(None),
            Self::Schedule(_) | Self::Unreadable => group?.parse().ok(),
        }
    }

    /// Returns the body to send. The deferrals of a hint or a refresh restart at zero.
    pub(crate) fn into_redriven(self, body: String) -> String {
        match self {
            Self::Hint(hint) => {
                serde_json::to_string(&ChangeHint { deferrals: store::Deferrals::default(), ..hint }).unwrap_or(body)
            }
            Self::Refresh(task) => {
                serde_json::to_string(&task.with_deferrals(store::Deferrals::default())).unwrap_or(body)
            }
            _ => body,
        }
    }

    fn subject(&self) -> String {
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
            Self::Delivery(delivery) => delivery.subject(),
            Self::Erasure(task) => format!("erasure {}", task.erasure_id),
            Self::Notice(Notice { stream: Some(part), .. }) => {
                let table = part.stream_arn.split('/').nth(1).unwrap_or(&part.stream_arn);
                format!("{} of table {table}", screen::counted(part.batch_size as usize, "change", "changes"))
            }
            Self::Notice(notice) => notice.payload().map_or("invocation".to_owned(), |payload| payload.subject()),
            Self::Event(event) => event.subject(),
            Self::Schedule(schedule) => format!("schedule {}", schedule.kind),
            Self::Unreadable => "unreadable".to_owned(),
        }
    }
}

/// A dead letter as listed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    id: String,
    org_id: Option<OrgId>,
    #[serde(rename = "about")]
    subject: String,
    reason: String,
    failed_at: Option<Timestamp>,
    sent_at: Timestamp,
    age_s: i64,
}

impl Summary {
    /// Summarizes a dead letter. `receives` is the `maxReceiveCount` of its queue.
    pub(crate) fn new(queue: QueueName, letter: &DeadLetter, receives: Option<u32>, now: Timestamp) -> Self {
        let content = Content::parse(queue, &letter.body);
        let noticed = match &content {
            Content::Notice(notice) => notice.timestamp,
            _ => None,
        };
        Self {
            id: letter.message_id.clone(),
            org_id: content.org(letter.group.as_deref()),
            subject: content.subject(),
            reason: reason(queue, &content, letter, receives),
            failed_at: letter.failed_at().or(noticed),
            sent_at: letter.sent_at,
            age_s: now.duration_since(letter.sent_at).as_secs().max(0),
        }
    }

    /// Returns the row of the table.
    pub(crate) fn cells(&self) -> [String; 3] {
        let org = self.org_id.map_or("no org".to_owned(), |org| org.to_string());
        let failed_at = self.failed_at.map_or("unknown".to_owned(), screen::time);
        let short = self.id.get(..8).unwrap_or(&self.id);
        let age = screen::age(SignedDuration::from_secs(self.age_s));
        [format!("{org}\n{}", self.subject), self.reason.clone(), format!("{failed_at}\n{age} {short}")]
    }
}

fn reason(queue: QueueName, content: &Content, letter: &DeadLetter, receives: Option<u32>) -> String {
    // EventBridge and EventBridge Scheduler store the reason in `ERROR_CODE`.
    if let Some(reason) = letter.reason().or(letter.attributes.get("ERROR_CODE").map(String::as_str)) {
        return reason.to_owned();
    }
    match content {
        Content::Notice(notice) => notice.request_context.condition.clone(),
        Content::Schedule(_) | Content::Event(_) => "function not invoked".to_owned(),
        _ => {
            // record-upsert dead-letters a message that fails with an error itself, and gives the reason.
            let failure = if queue == QueueName::RecordUpsert { "crashed" } else { "failed, crashed" };
            let times = receives.map(|receives| format!(", {receives} times")).unwrap_or_default();
            format!("the function {failure} or timed out{times}")
        }
    }
}

#[cfg(test)]
mod tests;
