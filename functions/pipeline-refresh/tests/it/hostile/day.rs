//! An org that does what no scan likes: many records with one `SystemModstamp`, late commits, deletions of every kind, and fields
//! that appear and vanish.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use org_simulator::ObjectPermissions;
use rand::RngExt as _;
use salesforce::{ObjectName, RecordId};
use serde_json::json;
use store::RefreshKind;

use super::comparison::Differences;
use super::worker::Worker;
use super::{CONTACT, OBJECTS};
use crate::harness::{ACCOUNT, TestContext};

/// The time between the `SystemModstamp` of a late commit and the commit.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Fields of accounts: one that is renamed, with its new name, one that the team sees later, and one that is hidden from it.
const OLD_NAME: &str = "Tier__c";
const NEW_NAME: &str = "Level__c";
const SHOWN: &str = "Score__c";
const HIDDEN: &str = "Region__c";
/// A field that is added to accounts.
const ADDED: &str = "Added__c";
/// A formula that changes with the account's parent.
const FORMULA: &str = "Parent_Name__c";

pub(crate) struct HostileOrg {
    accounts: Vec<String>,
    /// Contacts that are not deleted with an account.
    contacts: Vec<String>,
    gone: BTreeSet<(ObjectName, String)>,
    /// The accounts that were deleted past the recycle bin after they were mirrored.
    purged: BTreeSet<RecordId>,
    night: usize,
}

impl HostileOrg {
    /// Fills the org. All records have one `SystemModstamp`, because the clock stands still.
    pub(crate) fn fill(context: &TestContext, rows: usize) -> Self {
        let text = |name: &str| json!({ "name": name, "type": "string", "length": 80 });
        let formula = json!({ "name": FORMULA, "type": "string", "formula": "Parent.Name" });
        let fields = [text(OLD_NAME), text(NEW_NAME), text(SHOWN), text(HIDDEN), formula];
        context.simulator.define_object(json!({ "name": "Account", "fields": fields })).unwrap();
        let account = |n: usize| {
            let value = format!("{}", n % 7);
            let fields = json!({
                "Name": format!("Account {n}"), OLD_NAME: value, NEW_NAME: value, SHOWN: value, HIDDEN: value,
            });
            context.create(&context.admin, "Account", &fields)
        };
        let accounts: Vec<String> = (0..rows).map(account).collect();
        let contact = |n: usize| {
            let fields = json!({ "LastName": format!("Without an account {n}") });
            context.create(&context.admin, "Contact", &fields)
        };
        let contacts = (0..rows / 4).map(contact).collect();
        for (n, account) in accounts[..40].iter().enumerate() {
            let fields = json!({ "LastName": format!("Contact {n}"), "AccountId": account });
            context.create(&context.admin, "Contact", &fields);
            context.update("Account", &accounts[n + 40], &json!({ "ParentId": account }));
        }
        see_all_but(context, &[NEW_NAME, SHOWN]);
        let mut org = Self { accounts, contacts, gone: BTreeSet::new(), purged: BTreeSet::new(), night: 0 };
        org.delete(context, 0..5);
        org
    }

    fn delete(&mut self, context: &TestContext, accounts: std::ops::Range<usize>) {
        for id in &self.accounts[accounts] {
            context.delete("Account", id);
            self.gone.insert((ACCOUNT, id.clone()));
        }
    }

    /// Changes the org in every way between two nights.
    pub(crate) async fn live_through_a_day(&mut self, worker: &mut Worker) {
        let context = &worker.context;
        for id in &self.accounts[100..] {
            context.rename(id, "Renamed by a data loader");
        }
        for id in &self.contacts {
            context.update("Contact", id, &json!({ "Title": "Changed by a data loader" }));
        }
        self.delete(context, 5..25);
        let admin = context.admin.username.clone();
        for id in &self.accounts[0..3] {
            context.simulator.undelete_record(&admin, "Account", id).unwrap();
            self.gone.remove(&(ACCOUNT, id.clone()));
        }
        for pair in self.accounts[25..35].chunks(2) {
            context.simulator.merge_records(&admin, "Account", &pair[0], &[&pair[1]]).unwrap();
            // The formula of the account below it changes as well.
            context.rename(&pair[0], "Merged");
            self.gone.insert((ACCOUNT, pair[1].clone()));
        }
        for id in &self.accounts[35..40] {
            context.simulator.purge_record(&admin, "Account", id).unwrap();
            self.gone.insert((ACCOUNT, id.clone()));
            self.purged.insert(id.parse().unwrap());
        }
        self.empty_the_bin(context).await;
        see_all_but(context, &[OLD_NAME, HIDDEN]);
        let added = json!({ "name": ADDED, "type": "double" });
        context.simulator.define_object(json!({ "name": "Account", "fields": [added] })).unwrap();
        for id in &self.accounts[60..70] {
            context.update("Account", id, &json!({ ADDED: 12.5 }));
        }
        let hidden =
            ObjectPermissions { hidden_record_types: vec!["Renewal".to_owned()], ..ObjectPermissions::default() };
        context.simulator.limit_profile("System Administrator", "Opportunity", &hidden).unwrap();
        self.commit_late(worker).await;
    }

    /// Deletes contacts, and empties the recycle bin before anybody has seen them there.
    async fn empty_the_bin(&mut self, context: &TestContext) {
        for n in 0..5 {
            let fields = json!({ "LastName": format!("Purged {n}") });
            let id = context.create(&context.admin, "Contact", &fields);
            context.simulator.purge_record(&context.admin.username, "Contact", &id).unwrap();
            self.gone.insert((CONTACT, id));
        }
    }

    /// Changes records in a transaction that commits after a poll has passed their `SystemModstamp`.
    async fn commit_late(&mut self, worker: &mut Worker) {
        // The org's clock stands still meanwhile, as the time of a transaction that has begun.
        worker.context.clock.advance(LATE);
        let task = worker.context.task(RefreshKind::Poll);
        worker.context.deps.queues.frequent.send(&task, std::time::Duration::ZERO).await.unwrap();
        worker.work(|_| ()).await;
        self.change(worker);
        worker.context.simulator.advance_clock(LATE);
    }

    /// Creates, changes and deletes records while a night runs, some of them in a transaction that commits late.
    pub(crate) fn change_at_night(&mut self, worker: &mut Worker) {
        self.night += 1;
        if self.night > 15 || worker.random.random_bool(0.5) {
            return;
        }
        let is_late = worker.random.random_bool(0.5);
        if is_late {
            worker.context.clock.advance(LATE);
        }
        self.change(worker);
        if is_late {
            worker.context.simulator.advance_clock(LATE);
        }
    }

    fn change(&mut self, worker: &mut Worker) {
        let (context, random) = (&worker.context, &mut worker.random);
        for n in 0..3 {
            let id = &self.accounts[random.random_range(70..self.accounts.len())];
            if !self.gone.contains(&(ACCOUNT, id.clone())) {
                context.rename(id, &format!("Changed at night {} {n}", self.night));
            }
        }
        // No later backfill of new fields reads a contact, so that only the scans do.
        let id = &self.contacts[random.random_range(0..self.contacts.len())];
        context.update("Contact", id, &json!({ "Title": format!("Changed at night {}", self.night) }));
        let at = self.accounts.len();
        self.accounts.push(context.create(&context.admin, "Account", &json!({ "Name": "Created at night" })));
        if random.random_bool(0.5) {
            self.delete(context, at..at + 1);
        }
    }

    /// Compares the mirror with the org. Rows of purged records are left.
    pub(crate) async fn assert_mirrored_but_what_no_scan_sees(&self, context: &TestContext) {
        self.assert_equal(context, &self.purged).await;
    }

    /// Compares the mirror with the org.
    pub(crate) async fn assert_mirrored(&self, context: &TestContext) {
        self.assert_equal(context, &BTreeSet::new()).await;
        for (object, id) in &self.gone {
            let row = context.deps.records.load(context.org, object, id.parse().unwrap()).await.unwrap();
            assert!(row.is_none_or(|row| row.deleted), "{object} {id} is live");
        }
    }

    async fn assert_equal(&self, context: &TestContext, surplus: &BTreeSet<RecordId>) {
        for object in OBJECTS {
            let Differences { fields, surplus: found } = context.compare(&object).await;
            assert!(fields.is_empty(), "{} differences: {:#?}", fields.len(), &fields[..fields.len().min(20)]);
            let expected = if object == ACCOUNT { surplus } else { &BTreeSet::new() };
            assert_eq!(&found, expected, "{object}");
        }
        let pipelines = context.deps.pipelines.list(context.org).await.unwrap();
        let kept: Vec<_> = pipelines.iter().filter(|pipeline| !pipeline.is_available).collect();
        assert!(kept.len() == 1 && kept[0].developer_name == "Renewal" && !kept[0].stages.is_empty(), "{kept:#?}");
    }
}

/// Hides these fields of accounts from the team, and no others.
fn see_all_but(context: &TestContext, fields: &[&str]) {
    let hidden_fields = fields.iter().map(|field| (*field).to_owned()).collect();
    let permissions = ObjectPermissions { hidden_fields, ..ObjectPermissions::default() };
    context.simulator.limit_profile("System Administrator", "Account", &permissions).unwrap();
}
