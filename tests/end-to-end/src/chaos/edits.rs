//! What people do in the org: they create, change, delete, bring back and merge records.

use anyhow::Result;
use org_simulator::Simulator;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};

/// The objects that are edited.
pub(super) const OBJECTS: [&str; 4] = ["Account", "Contact", "Lead", "Opportunity"];
/// Those whose records can be merged.
const MERGED: [&str; 3] = ["Account", "Contact", "Lead"];
/// As many records as there are to edit before most of the edits are changes.
const FIRST: usize = 120;

/// A record of the org.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    pub(super) object: &'static str,
    pub(super) id: String,
}

/// The edits so far.
pub(super) struct Edits<'a> {
    simulator: &'a Simulator,
    username: &'a str,
    random: StdRng,
    alive: Vec<Known>,
    binned: Vec<Known>,
    merged: Vec<Known>,
    made: usize,
}

impl<'a> Edits<'a> {
    pub(super) fn new(simulator: &'a Simulator, username: &'a str, seed: u64) -> Self {
        let (alive, binned, merged) = (Vec::new(), Vec::new(), Vec::new());
        Self { simulator, username, random: StdRng::seed_from_u64(seed), alive, binned, merged, made: 0 }
    }

    /// How many edits were made.
    pub(super) fn made(&self) -> usize {
        self.made
    }

    /// The records that are there.
    pub(super) fn alive(&self) -> &[Known] {
        &self.alive
    }

    /// Every record that ever was.
    pub(super) fn all(&self) -> Vec<Known> {
        [&self.alive, &self.binned, &self.merged].into_iter().flatten().cloned().collect()
    }

    /// Makes one edit.
    pub(super) fn step(&mut self) -> Result<()> {
        self.made += 1;
        match self.random.random_range(0..100) {
            _ if self.alive.len() < FIRST => self.create(),
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
        self.alive.push(Known { object, id });
        Ok(())
    }

    /// A change that can be seen, or now and then one that cannot: somebody saves what is there.
    fn change(&mut self) -> Result<()> {
        let Some(known) = self.alive.choose(&mut self.random).cloned() else { return self.create() };
        let value = self.random.random_range(0..1_000);
        self.touch(&known, value)
    }

    fn touch(&self, known: &Known, value: u32) -> Result<()> {
        let fields = match known.object {
            "Opportunity" if value.is_multiple_of(3) => {
                json!({ "StageName": if value.is_multiple_of(2) { "Qualification" } else { "Closed Won" } })
            }
            "Opportunity" => json!({ "Amount": f64::from(value) }),
            _ => json!({ "Phone": format!("+44 20 {}", value % 10) }),
        };
        Ok(self.simulator.update_record(self.username, known.object, &known.id, &map(&fields))?)
    }

    fn delete(&mut self) -> Result<()> {
        let known = self.alive.swap_remove(self.random.random_range(0..self.alive.len()));
        self.simulator.delete_record(self.username, known.object, &known.id)?;
        self.binned.push(known);
        Ok(())
    }

    /// Brings a record back, and changes it: bringing it back alone tells nobody.
    fn undelete(&mut self) -> Result<()> {
        if self.binned.is_empty() {
            return self.change();
        }
        let known = self.binned.swap_remove(self.random.random_range(0..self.binned.len()));
        self.simulator.undelete_record(self.username, known.object, &known.id)?;
        let value = self.random.random_range(0..1_000);
        self.touch(&known, value)?;
        self.alive.push(known);
        Ok(())
    }

    fn merge(&mut self) -> Result<()> {
        let object = MERGED[self.random.random_range(0..MERGED.len())];
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
