//! The requests of a run, which depend only on the seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// The external-id field of the written accounts.
pub(super) const KEY_FIELD: &str = "Ferry_External_Id__c";
/// The largest number of records in a write.
const MAX_RECORDS: usize = 3;
/// The largest number of notes with the same text and links.
const MAX_EQUAL_NOTES: usize = 3;

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of writes of records.
    pub writes: usize,
    /// The number of new notes.
    pub notes: usize,
    /// The number of reps, each with a connection of their own, who write at the same time.
    pub reps: usize,
    /// The number of records that the writes are about.
    pub records: usize,
    /// The largest number of requests whose function is killed. The same request is in progress for a minute afterwards.
    pub kills: usize,
    /// Spares the quarter of an hour for which a request that got no response may take effect: later writes of its records wait
    /// only for as long as the simulator's requests take, and the outcome of a note's creation is not lost, because the note
    /// would be looked for until then.
    pub is_short: bool,
    /// The seed of the random numbers. The same seed makes the same requests, kills and faults, at other times.
    pub seed: u64,
    /// The time within which the queued writes have to end after the last request.
    pub patience: Duration,
}

/// A request of the platform.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The idempotency key.
    pub(super) key: String,
    /// The request is sent twice at the same time.
    pub(super) is_twin: bool,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// An upsert of these records, in ascending order. Their values are chosen when the write is sent.
    Records(Vec<usize>),
    /// A new note. Notes with the same number have the same title, text and links.
    Note { text: usize, link: String },
}

impl Request {
    pub(super) fn is_note(&self) -> bool {
        matches!(self.content, Content::Note { .. })
    }
}

/// Returns the external id of a record.
pub(super) fn external_id(record: usize) -> String {
    format!("write-chaos-{record}")
}

/// Returns the title of the notes with this number.
pub(super) fn title(text: usize) -> String {
    format!("Write chaos {text}")
}

/// Returns the body of a new note.
pub(super) fn note(text: usize, link: &str) -> Value {
    json!({ "title": title(text), "text": format!("The text of note {text}.\nA second line."), "links": [link] })
}

/// The requests of each rep, in the order in which the rep sends them.
pub(super) struct Script {
    pub(super) by_rep: Vec<Vec<Request>>,
}

impl Script {
    /// Writes the script. Notes are linked to one of `note_targets`.
    pub(super) fn write(plan: Plan, note_targets: &[String]) -> Self {
        let mut random = StdRng::seed_from_u64(plan.seed);
        let mut contents: Vec<Content> = (0..plan.writes).map(|_| records(plan.records, &mut random)).collect();
        let mut text = 0;
        while contents.len() < plan.writes + plan.notes {
            text += 1;
            let link = note_targets.choose(&mut random).cloned().unwrap_or_default();
            let equal = random.random_range(1..=MAX_EQUAL_NOTES).min(plan.writes + plan.notes - contents.len());
            contents.extend((0..equal).map(|_| Content::Note { text, link: link.clone() }));
        }
        // Equal notes stay near each other, so that they are sent at about the same time.
        let mut order: Vec<usize> = (0..contents.len()).collect();
        let block = MAX_EQUAL_NOTES;
        let mut blocks: Vec<&mut [usize]> = order.chunks_mut(block).collect();
        rand::seq::SliceRandom::shuffle(&mut blocks[..], &mut random);
        let order: Vec<usize> = blocks.into_iter().flat_map(|block| block.to_vec()).collect();
        let mut by_rep = vec![Vec::new(); plan.reps];
        for (number, at) in order.into_iter().enumerate() {
            let is_twin = random.random_bool(0.1);
            let key = format!("write-chaos-{}-{at}", plan.seed);
            by_rep[number % plan.reps].push(Request { key, is_twin, content: contents[at].clone() });
        }
        Self { by_rep }
    }

    /// Returns every request.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.by_rep.iter().flatten()
    }
}

fn records(of: usize, random: &mut StdRng) -> Content {
    let count = random.random_range(1..=MAX_RECORDS);
    let mut records: Vec<usize> = (0..count).map(|_| random.random_range(0..of)).collect();
    records.sort_unstable();
    records.dedup();
    Content::Records(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        writes: 60,
        notes: 15,
        reps: 4,
        records: 8,
        kills: 1,
        is_short: true,
        seed: 7,
        patience: Duration::from_secs(1),
    };

    #[test]
    fn the_script_has_every_request_once() {
        let script = Script::write(PLAN, &["001".to_owned()]);
        let keys: std::collections::BTreeSet<&str> = script.requests().map(|request| request.key.as_str()).collect();
        assert_eq!((keys.len(), script.requests().count()), (75, 75));
        assert_eq!(script.requests().filter(|request| request.is_note()).count(), 15);
    }

    #[test]
    fn the_same_seed_writes_the_same_script() {
        let text = |plan| format!("{:?}", Script::write(plan, &["001".to_owned()]).by_rep);
        assert_eq!(text(PLAN), text(PLAN));
        assert_ne!(text(PLAN), text(Plan { seed: 8, ..PLAN }));
    }
}
