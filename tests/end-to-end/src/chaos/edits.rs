//! Random edits in the org: records are created, changed, deleted, undeleted and merged.

use anyhow::Result;
use org_simulator::Simulator;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};

/// The objects that are edited.
pub(super) const OBJECTS: [&str; 4] = ["Account", "Contact", "Lead", "Opportunity"];
/// The objects whose records can be merged.
const MERGEABLE: [&str; 3] = ["Account", "Contact", "Lead"];
/// The number of live records below which every edit creates one.
const MIN_LIVE: usize = 120;

/// A record of the org.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EditedRecord {
    pub(super) object: &'static str,
    pub(super) id: String,
}

/// The edits so far.
pub(super) struct Edits<'a> {
    simulator: &'a Simulator,
    username: &'a str,
    random: StdRng,
    alive: Vec<EditedRecord>,
    binned: Vec<EditedRecord>,
    merged: Vec<EditedRecord>,
    made: usize,
}

impl<'a> Edits<'a> {
    pub(super) fn new(simulator: &'a Simulator, username: &'a str, seed: u64) -> Self {
        let (alive, binned, merged) = (Vec::new(), Vec::new(), Vec::new());
        Self { simulator, username, random: StdRng::seed_from_u64(seed), alive, binned, merged, made: 0 }
    }

    /// Returns the number of edits.
    pub(super) fn made(&self) -> usize {
        self.made
    }

    /// Returns the live records.
    pub(super) fn alive(&self) -> &[EditedRecord] {
        &self.alive
    }

    /// Returns every record, also those deleted or merged.
    pub(super) fn all(&self) -> Vec<EditedRecord> {
        [&self.alive, &self.binned, &self.merged].into_iter().flatten().cloned().collect()
    }

    /// Makes one edit.
    pub(super) fn step(&mut self) -> Result<()> {
        self.made += 1;
        match self.random.random_range(0..100) {
            _ if self.alive.len() < MIN_LIVE => self.create(),
            0..4 => self.create(),
            4..7 => self.delete(),
            7..10 => self.undelete(),
            10..12 => self.merge(),
            _ => self.change(),
        }
    }

    fn create(&mut self) -> Result<()> {
        let object = OBJECTS[self.random.random_range(0..OBJECTS.len())];
        let name = format!("{object} {}", self.made);
        let fields = match object {
            "Account" => json!({ "Name": name }),
            "Contact" => json!({ "LastName": name }),
            "Lead" => json!({ "LastName": name, "Company": name }),
            _ => json!({ "Name": name, "StageName": "Prospecting", "CloseDate": "2027-01-31" }),
        };
        let id = self.simulator.create_record(self.username, object, &map(&fields))?;
        self.alive.push(EditedRecord { object, id });
        Ok(())
    }

    /// Updates a random record. Some updates change no value.
    fn change(&mut self) -> Result<()> {
        let Some(record) = self.alive.choose(&mut self.random).cloned() else { return self.create() };
        let value = self.random.random_range(0..1_000);
        self.touch(&record, value)
    }

    fn touch(&self, record: &EditedRecord, value: u32) -> Result<()> {
        let fields = match record.object {
            "Opportunity" if value.is_multiple_of(3) => {
                json!({ "StageName": if value.is_multiple_of(2) { "Qualification" } else { "Closed Won" } })
            }
            "Opportunity" => json!({ "Amount": f64::from(value) }),
            _ => json!({ "Phone": format!("+44 20 {}", value % 10) }),
        };
        Ok(self.simulator.update_record(self.username, record.object, &record.id, &map(&fields))?)
    }

    fn delete(&mut self) -> Result<()> {
        let record = self.alive.swap_remove(self.random.random_range(0..self.alive.len()));
        self.simulator.delete_record(self.username, record.object, &record.id)?;
        self.binned.push(record);
        Ok(())
    }

    /// Undeletes a record and changes it, since an undelete alone sends no notification.
    fn undelete(&mut self) -> Result<()> {
        if self.binned.is_empty() {
            return self.change();
        }
        let record = self.binned.swap_remove(self.random.random_range(0..self.binned.len()));
        self.simulator.undelete_record(self.username, record.object, &record.id)?;
        let value = self.random.random_range(0..1_000);
        self.touch(&record, value)?;
        self.alive.push(record);
        Ok(())
    }

    fn merge(&mut self) -> Result<()> {
        let object = MERGEABLE[self.random.random_range(0..MERGEABLE.len())];
        let of_object: Vec<usize> = (0..self.alive.len()).filter(|at| self.alive[*at].object == object).collect();
        let pair: Vec<usize> = of_object.sample(&mut self.random, 2).copied().collect();
        let [master, loser] = pair[..] else { return self.change() };
        let (master, loser_id) = (self.alive[master].clone(), self.alive[loser].id.clone());
        self.simulator.merge_records(self.username, object, &master.id, &[&loser_id])?;
        let loser = self.alive.swap_remove(loser);
        self.merged.push(loser);
        let value = self.random.random_range(0..1_000);
        self.touch(&master, value)
    }
}

fn map(fields: &Value) -> Map<String, Value> {
    fields.as_object().cloned().unwrap_or_default()
}
