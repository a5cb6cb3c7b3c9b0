//! Names of the queues that have dead letters.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// A source of dead letters: a queue, a stream or an event bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum QueueName {
    /// Changed records that were not applied to the mirror.
    RecordUpsert,
    /// Refreshes of orgs, and schedules whose invocation failed.
    PipelineRefresh,
    /// Writes of records.
    RecordWrite,
    /// Writes of notes.
    NoteWrite,
    /// Writes of files.
    FileWrite,
    /// Erasures of the data of orgs and persons.
    DataErasure,
    /// Events for the platform's webhook endpoints.
    EventDelivery,
    /// Change Data Capture events that were not queued.
    ChangeEvent,
    /// Notices of unpublished events that version 0.1.0 stored; now see `cargo ferry replay-events`.
    RecordEvents,
}

impl QueueName {
    /// The queue to which dead letters are sent back, without the stack's name. `None` if they come from a stream or a bus.
    pub(crate) fn source(self) -> Option<String> {
        (!matches!(self, Self::RecordEvents | Self::ChangeEvent)).then(|| self.to_string())
    }

    /// Advice for dead letters that cannot be redriven.
    pub(crate) fn alternative(self) -> &'static str {
        match self {
            Self::ChangeEvent => {
                "they are events of a bus, and the nightly refresh reads the same changes: list them, then drop them"
            }
            _ => {
                "they are notices of unpublished changes, without the changes: publish the state of the records with \
                 `cargo ferry replay-events --from-mirror`, then drop them"
            }
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
            Self::FileWrite => "file-write",
            Self::DataErasure => "data-erasure",
            Self::EventDelivery => "event-delivery",
            Self::ChangeEvent => "change-event",
            Self::RecordEvents => "record-events",
        })
    }
}
