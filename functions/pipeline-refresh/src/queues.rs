//! The queues of refresh tasks, so that long work does not delay short work, and those of writes.

use std::time::Duration;

use jiff::Timestamp;
use store::{NewDeadLetter, Queue, RefreshKind, RefreshTask, WriteKind, WriteTask};

/// The queues of tasks, and that of their dead letters.
#[derive(Clone, Debug)]
pub struct Queues {
    /// Refreshes of one night, of objects whose change events were incomplete, and audits.
    pub refreshes: Queue<RefreshTask>,
    /// First copies, and the readings of computed fields.
    pub backfills: Queue<RefreshTask>,
    /// Short and frequent work: polls, and the hourly upkeep of connections.
    pub frequent: Queue<RefreshTask>,
    /// The dead letters of all three queues.
    pub dead_letters: Queue<RefreshTask>,
    /// Accepted writes of records.
    pub record_writes: Queue<WriteTask>,
    /// Accepted writes of notes.
    pub note_writes: Queue<WriteTask>,
    /// Accepted writes of files.
    pub file_writes: Queue<WriteTask>,
}

impl Queues {
    /// Returns the queue of a task.
    pub(crate) fn of(&self, kind: RefreshKind) -> &Queue<RefreshTask> {
        match kind {
            RefreshKind::Nightly | RefreshKind::Incremental | RefreshKind::Audit | RefreshKind::ConfirmedAudit => {
                &self.refreshes
            }
            RefreshKind::Backfill | RefreshKind::Computed => &self.backfills,
            RefreshKind::Poll | RefreshKind::Connections => &self.frequent,
        }
    }

    /// Returns the queue of a write.
    pub(crate) fn of_writes(&self, kind: WriteKind) -> &Queue<WriteTask> {
        match kind {
            WriteKind::Records
            | WriteKind::RecordGraph
            | WriteKind::Delete
            | WriteKind::Undelete
            | WriteKind::Merge
            | WriteKind::ConvertLead => &self.record_writes,
            WriteKind::Note
            | WriteKind::NoteUpdate
            | WriteKind::NoteDeletion
            | WriteKind::NoteLink
            | WriteKind::NoteLinkRemoval => &self.note_writes,
            WriteKind::File => &self.file_writes,
        }
    }

    /// Queues a task. One that continues a backfill goes to the queue of backfills, whatever its kind.
    pub(crate) async fn send(&self, task: &RefreshTask, is_copy: bool, delay: Duration) -> Result<(), store::Error> {
        let queue = if is_copy { &self.backfills } else { self.of(task.kind) };
        queue.send(task, delay).await
    }

    /// Queues the dead letter of a task or an unreadable message.
    pub(crate) async fn send_dead_letter(
        &self,
        letter: NewDeadLetter,
        deadline: Timestamp,
    ) -> Result<(), store::Error> {
        match self.dead_letters.send_dead_letters(&[letter], deadline).await?.len() {
            0 => Ok(()),
            missing => Err(store::Error::NotAllQueued { missing, total: 1 }),
        }
    }
}
