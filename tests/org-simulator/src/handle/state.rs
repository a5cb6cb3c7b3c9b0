//! The saved state of a realm: its orgs with their users, schema, records, logins, outbound messages and change events,
//! its apps and its clock.
//!
//! Not saved, because a restart ends them: open query cursors, clients of the Streaming API, bulk jobs and settings,
//! requests to install packages, faults, the request log, the client certificate, and the move of an org.

pub(crate) mod file;
mod sandbox;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Clock;
use crate::identity::realm::Realm;
use crate::model::change_events::ChangeEvents;
use crate::model::ids::{IdSource, RecordId};
use crate::model::kind::{Features, OrgKind};
use crate::model::limits::Allowance;
use crate::model::logins::Logins;
use crate::model::logins::apps::{App, Apps};
use crate::model::org::{Org, OrgSeed};
use crate::model::outbox::Outbox;
use crate::model::packages::InstalledPackage;
use crate::model::passwords::Passwords;
use crate::model::profiles::Profiles;
use crate::model::random::Random;
use crate::model::recent::RecentItems;
use crate::model::recycle_bin::RecycleBin;
use crate::model::rules::Rules;
use crate::model::schema::{self, Object};
use crate::model::sharing::{Sharing, SharingDefault};
use crate::model::store::Row;
use crate::model::value::Value;

/// The saved state of a realm.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedRealm {
    /// The time by which its clock was moved, in milliseconds.
    pub(crate) moved_ms: i64,
    /// The number of orgs that were ever created in it.
    pub(crate) made: u32,
    pub(crate) apps: Vec<App>,
    pub(crate) orgs: Vec<SavedOrg>,
}

/// The saved state of an org.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedOrg {
    pub(crate) id: RecordId,
    pub(crate) kind: OrgKind,
    pub(crate) features: Features,
    random: Random,
    ids: IdSource,
    /// Objects that differ from those of a new org.
    objects: Vec<Object>,
    tables: Vec<SavedTable>,
    /// Objects with private sharing, in a state of an older version.
    #[serde(default, skip_serializing)]
    private: BTreeSet<String>,
    #[serde(default)]
    sharing: Sharing,
    profiles: Profiles,
    rules: Rules,
    package: Option<InstalledPackage>,
    bin: RecycleBin,
    passwords: Passwords,
    #[serde(default)]
    recent: RecentItems,
    /// The last number of each auto-number field.
    numbers: BTreeMap<String, u64>,
    stages_of: BTreeMap<RecordId, Vec<String>>,
    #[serde(default)]
    default_stages: BTreeMap<RecordId, String>,
    default_record_types: BTreeMap<String, RecordId>,
    limits: Allowance,
    logins: Logins,
    outbox: Outbox,
    #[serde(default)]
    change_events: ChangeEvents,
}

/// The records of one object.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedTable {
    object: String,
    /// The field names, in the order of the values of each row.
    fields: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl SavedRealm {
    pub(crate) fn of(realm: &Realm) -> Self {
        let orgs = realm.orgs().iter().map(|shared| SavedOrg::of(&shared.org())).collect();
        Self { moved_ms: realm.clock().moved_ms(), made: realm.created_orgs(), apps: realm.apps().all(), orgs }
    }
}

impl SavedOrg {
    pub(crate) fn of(org: &Org) -> Self {
        Self {
            id: org.id,
            kind: org.kind,
            features: org.features,
            random: org.random.clone(),
            ids: org.ids.clone(),
            objects: org.schema.additions(),
            tables: org.schema.objects().filter_map(|object| SavedTable::of(org, object)).collect(),
            private: BTreeSet::new(),
            sharing: org.sharing.clone(),
            profiles: org.profiles.clone(),
            rules: org.rules.clone(),
            package: org.package.clone(),
            bin: org.bin.clone(),
            passwords: org.passwords.clone(),
            recent: org.recent.clone(),
            numbers: org.numbers.clone(),
            stages_of: org.stages_of.clone(),
            default_stages: org.default_stages.clone(),
            default_record_types: org.default_record_types.clone(),
            limits: org.limits.clone(),
            logins: org.logins.clone(),
            outbox: org.outbox.clone(),
            change_events: org.change_events.clone(),
        }
    }

    /// Restores the org, with a new address and clock.
    pub(crate) fn restore(self, base_url: String, clock: Clock, apps: Apps) -> Org {
        let (kind, features, random) = (self.kind, self.features, self.random);
        let seed = OrgSeed { base_url, clock, kind, features, random, apps: apps.clone(), ..OrgSeed::default() };
        let mut org = Org::new(seed);
        (org.id, org.ids, org.sharing, org.profiles) = (self.id, self.ids, self.sharing, self.profiles);
        org.sharing.defaults.extend(self.private.into_iter().map(|object| (object, SharingDefault::Private)));
        (org.rules, org.limits) = (self.rules, self.limits);
        (org.stages_of, org.default_stages) = (self.stages_of, self.default_stages);
        (org.package, org.bin, org.passwords, org.numbers) = (self.package, self.bin, self.passwords, self.numbers);
        (org.default_record_types, org.outbox) = (self.default_record_types, self.outbox);
        (org.recent, org.change_events) = (self.recent, self.change_events);
        org.logins = self.logins.with_apps(apps);
        org.schema.restore(self.objects);
        for table in self.tables {
            table.restore(&mut org);
        }
        org.add_missing_rights();
        org.add_missing_setup();
        org
    }
}

impl SavedTable {
    /// Returns the records of an object; `None` when it has none.
    fn of(org: &Org, object: &Object) -> Option<Self> {
        let table = org.store.table(&object.name)?;
        let values = |row: &Row| (0..object.fields.len()).map(|at| row.get(at).clone()).collect();
        let rows: Vec<Vec<Value>> = table.rows().map(|row| values(row)).collect();
        let fields = object.fields.iter().map(|field| field.name.clone()).collect();
        (!rows.is_empty()).then(|| Self { object: object.name.clone(), fields, rows })
    }

    fn restore(self, org: &mut Org) {
        let Some(object) = org.schema.object(&self.object).cloned() else { return };
        let positions: Vec<Option<usize>> = self.fields.iter().map(|name| object.position(name)).collect();
        for values in self.rows {
            let mut row = Row::default();
            for (at, value) in positions.iter().zip(values) {
                if let Some(at) = at {
                    row.set(*at, value);
                }
            }
            if let Some(id) = row.get(schema::ID).as_id() {
                org.store.put(&object, id, row);
            }
        }
        org.store.commit();
    }

    /// Changes the value of a field in every row.
    fn change(&mut self, field: &str, change: impl Fn(&Value) -> Value) {
        let Some(at) = self.fields.iter().position(|name| name == field) else { return };
        for value in self.rows.iter_mut().filter_map(|row| row.get_mut(at)) {
            *value = change(value);
        }
    }
}

#[cfg(test)]
mod tests;
