//! The cases: a function, what is silent, the event, and where its work is afterwards.

use serde_json::Value;

use crate::dependency::Dependency::{self, DynamoDb, EventBridge, Lambda, S3, Salesforce, SecretsManager, Sqs};
use crate::events::Events;

/// A function with one silent dependency.
pub(crate) struct Case {
    /// The last part of the function's name.
    pub(crate) function: &'static str,
    pub(crate) silent: Dependency,
    /// Another one that refuses connections, where the silent one is called only then.
    pub(crate) down: Option<Dependency>,
    /// The timeout in seconds. In proportion, it is divided as the deployed ones are.
    pub(crate) timeout: u64,
    pub(crate) event: fn(&Events) -> Value,
    pub(crate) kept: Kept,
    pub(crate) stage: Stage,
}

/// The place in which the work is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing was accepted: 503, and the caller sends the request again. An outbound message is not acknowledged.
    ByCaller,
    /// The write is accepted (202) and queued.
    InQueue,
    /// The event source delivers the event, or these messages of it, again.
    ByEventSource,
    /// The calling function is told that it may repeat its request.
    ByCallingFunction,
    /// The function has queued the work anew, and acknowledges.
    QueuedAnew,
    /// The response says what is left, for a person or for the next night.
    Reported,
}

/// The state of the org in which a case runs. The stages follow each other, because some end the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The org is active.
    Active,
    /// The org is active, and does not answer.
    OrgSilent,
    /// The org was closed.
    Closed,
    /// Its erasure is due.
    Erasing,
}

impl Stage {
    pub(crate) const ALL: [Self; 4] = [Self::Active, Self::OrgSilent, Self::Closed, Self::Erasing];
}

impl Case {
    const fn new(function: &'static str, silent: Dependency, event: fn(&Events) -> Value, kept: Kept) -> Self {
        let stage = if matches!(silent, Salesforce) { Stage::OrgSilent } else { Stage::Active };
        Self { function, silent, down: None, timeout: 5, event, kept, stage }
    }

    const fn while_down(self, down: Dependency) -> Self {
        Self { down: Some(down), ..self }
    }

    const fn with_timeout(self, timeout: u64) -> Self {
        Self { timeout, ..self }
    }

    const fn in_stage(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }
}

/// Every function with each of its dependencies.
pub(crate) const ALL: &[Case] = &[
    Case::new("onboarding", DynamoDb, Events::install, Kept::ByCaller),
    // The set-up of an org has fixed limits of 3 and 6 seconds, because a person waits.
    Case::new("onboarding", Lambda, Events::team_connected, Kept::Reported).with_timeout(12),
    Case::new("onboarding", Sqs, Events::team_connected, Kept::Reported),
    Case::new("onboarding", Salesforce, Events::team_connected, Kept::Reported).with_timeout(12),
    Case::new("oauth-callback", DynamoDb, Events::connect_link, Kept::ByCaller),
    Case::new("oauth-callback", Lambda, Events::disconnect, Kept::Reported),
    Case::new("token-broker", DynamoDb, Events::access_token, Kept::ByCallingFunction),
    Case::new("token-broker", SecretsManager, Events::access_token, Kept::ByCallingFunction),
    Case::new("token-broker", Salesforce, Events::refresh, Kept::ByCallingFunction),
    Case::new("connection-manager", DynamoDb, Events::revoke, Kept::ByCallingFunction),
    Case::new("connection-manager", SecretsManager, Events::exchange_code, Kept::ByCallingFunction),
    Case::new("connection-manager", Salesforce, Events::exchange_code, Kept::ByCallingFunction),
    Case::new("outbound-message", DynamoDb, Events::outbound_message, Kept::ByCaller),
    Case::new("outbound-message", Sqs, Events::outbound_message, Kept::ByCaller),
    Case::new("change-event", DynamoDb, Events::change_event, Kept::ByEventSource),
    Case::new("change-event", Sqs, Events::change_event, Kept::ByEventSource),
    Case::new("record-upsert", DynamoDb, Events::hint, Kept::ByEventSource),
    Case::new("record-upsert", Lambda, Events::hint, Kept::QueuedAnew),
    Case::new("record-upsert", Sqs, Events::unreadable_hint, Kept::ByEventSource),
    Case::new("record-upsert", Salesforce, Events::hint, Kept::QueuedAnew),
    Case::new("record-events", DynamoDb, Events::stream, Kept::ByEventSource),
    Case::new("record-events", EventBridge, Events::stream, Kept::ByEventSource),
    Case::new("record-write", DynamoDb, Events::write, Kept::ByCaller),
    Case::new("record-write", Lambda, Events::write, Kept::InQueue),
    Case::new("record-write", Sqs, Events::write, Kept::ByCaller).while_down(Lambda),
    Case::new("record-write", Salesforce, Events::write, Kept::InQueue),
    Case::new("note-write", DynamoDb, Events::note, Kept::ByCaller),
    Case::new("note-write", Lambda, Events::note, Kept::InQueue),
    Case::new("note-write", Sqs, Events::note, Kept::ByCaller).while_down(Lambda),
    Case::new("note-write", Salesforce, Events::note, Kept::InQueue),
    Case::new("file-write", DynamoDb, Events::file, Kept::ByCaller),
    Case::new("file-write", Lambda, Events::file, Kept::InQueue),
    Case::new("file-write", Sqs, Events::file, Kept::ByCaller).while_down(Lambda),
    Case::new("file-write", S3, Events::file, Kept::ByCaller),
    Case::new("file-write", Salesforce, Events::file, Kept::InQueue),
    Case::new("record-read", DynamoDb, Events::health, Kept::ByCaller),
    Case::new("record-read", Lambda, Events::describe, Kept::ByCaller),
    Case::new("record-read", Salesforce, Events::describe, Kept::ByCaller),
    Case::new("pipeline-refresh", DynamoDb, Events::refresh_task, Kept::QueuedAnew),
    Case::new("pipeline-refresh", Lambda, Events::refresh_task, Kept::QueuedAnew),
    Case::new("pipeline-refresh", Sqs, Events::nightly, Kept::ByEventSource),
    Case::new("pipeline-refresh", Salesforce, Events::refresh_task, Kept::QueuedAnew),
    Case::new("data-erasure", DynamoDb, Events::nightly, Kept::ByEventSource),
    Case::new("data-erasure", Sqs, Events::erase_org, Kept::ByCaller).in_stage(Stage::Closed),
    Case::new("data-erasure", S3, Events::staged_files_task, Kept::ByEventSource).in_stage(Stage::Erasing),
    Case::new("data-erasure", Lambda, Events::erasure_task, Kept::Reported).in_stage(Stage::Erasing),
    Case::new("org-admin", DynamoDb, Events::settings, Kept::ByCaller),
    Case::new("org-admin", Lambda, Events::changed_settings, Kept::ByCaller),
    Case::new("org-admin", Sqs, Events::changed_settings, Kept::ByCaller),
    Case::new("org-admin", Salesforce, Events::changed_settings, Kept::ByCaller),
    Case::new("event-delivery", DynamoDb, Events::bus_event, Kept::ByEventSource),
    Case::new("event-delivery", Sqs, Events::bus_event, Kept::ByEventSource),
    // The pause of an endpoint is published before it is stored.
    Case::new("event-delivery", EventBridge, Events::delivery_task, Kept::ByEventSource),
];
