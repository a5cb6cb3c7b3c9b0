//! One org: its schema, records and users, and the state of the APIs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::Clock;
use crate::model::access::KnownAccess;
use crate::model::bulk::Bulk;
use crate::model::change_events::ChangeEvents;
use crate::model::cursors::Cursors;
use crate::model::datetime;
use crate::model::errors::ApiError;
use crate::model::faults::Faults;
use crate::model::ids::{IdSource, RecordId};
use crate::model::kind::{Features, OrgKind};
use crate::model::late::LateRequest;
use crate::model::limits::{Allowance, Running};
use crate::model::logins::Logins;
use crate::model::logins::apps::Apps;
use crate::model::outbox::Outbox;
use crate::model::packages::{InstallRequests, InstalledPackage};
use crate::model::passwords::Passwords;
use crate::model::profiles::Profiles;
use crate::model::random::Random;
use crate::model::recent::RecentItems;
use crate::model::recycle_bin::RecycleBin;
use crate::model::request_log::RequestLog;
use crate::model::rules::Rules;
use crate::model::schema::{self, Object, Schema};
use crate::model::schema_change::SchemaChange;
use crate::model::sharing::Sharing;
use crate::model::store::{Row, Store};
use crate::model::streams::Streams;
use crate::model::value::Value;

/// The key prefix of the ids in histories, for which describe shows none.
const HISTORY_PREFIX: &str = "017";

pub(crate) const ADMIN_PROFILE: &str = "System Administrator";

/// The whole state of an org. One lock guards it; a request takes the lock once.
pub(crate) struct Org {
    pub(crate) id: RecordId,
    /// The address of the org, without a trailing slash.
    pub(crate) base_url: String,
    /// The first address of the org, at which users still log in after a move to another instance.
    pub(crate) login_url: Option<String>,
    pub(crate) kind: OrgKind,
    /// The features that are enabled.
    pub(crate) features: Features,
    /// The source of the org's random values.
    pub(crate) random: Random,
    pub(crate) clock: Clock,
    pub(crate) schema: Schema,
    pub(crate) store: Store,
    pub(crate) ids: IdSource,
    pub(crate) outbox: Outbox,
    pub(crate) change_events: ChangeEvents,
    /// The clients of the Streaming API.
    pub(crate) streams: Streams,
    pub(crate) logins: Logins,
    /// The limit on API calls.
    pub(crate) limits: Allowance,
    pub(crate) running: Running,
    pub(crate) cursors: Cursors,
    pub(crate) faults: Faults,
    /// Requests that take effect later, oldest first.
    pub(crate) late: Vec<LateRequest>,
    pub(crate) package: Option<InstalledPackage>,
    pub(crate) install_requests: InstallRequests,
    pub(crate) bulk: Bulk,
    pub(crate) log: RequestLog,
    pub(crate) sharing: Sharing,
    /// The access of the user who last asked.
    pub(crate) known_access: RefCell<Option<KnownAccess>>,
    pub(crate) profiles: Profiles,
    pub(crate) rules: Rules,
    pub(crate) bin: RecycleBin,
    pub(crate) passwords: Passwords,
    pub(crate) recent: RecentItems,
    pub(crate) schema_change: SchemaChange,
    /// The next number of each auto-number field, by object and field.
    pub(crate) numbers: BTreeMap<String, u64>,
    /// Stages of each business process, in order.
    pub(crate) stages_of: BTreeMap<RecordId, Vec<String>>,
    /// The stage of a new opportunity, by business process.
    pub(crate) default_stages: BTreeMap<RecordId, String>,
    /// The record type of a new record that names none, by object.
    pub(crate) default_record_types: BTreeMap<String, RecordId>,
}

/// The values from which a new org is made.
#[derive(Default)]
pub(crate) struct OrgSeed {
    /// The address at which the org is reached, without a trailing slash.
    pub(crate) base_url: String,
    pub(crate) clock: Clock,
    pub(crate) kind: OrgKind,
    pub(crate) features: Features,
    /// The source of the record ids, which differ from those of every other org of the realm.
    pub(crate) ids: IdSource,
    /// The source of codes, tokens and secrets.
    pub(crate) random: Random,
    /// The apps of the realm.
    pub(crate) apps: Apps,
}

impl Org {
    /// Returns an empty production org, alone in its realm.
    #[cfg(test)]
    pub(crate) fn production(base_url: String, clock: Clock) -> Self {
        Self::new(OrgSeed { base_url, clock, ..OrgSeed::default() })
    }

    /// Returns an empty org.
    pub(crate) fn new(seed: OrgSeed) -> Self {
        let OrgSeed { base_url, clock, kind, features, mut ids, random, apps } = seed;
        Self {
            id: ids.next("00D"),
            base_url,
            login_url: None,
            kind,
            features,
            clock,
            schema: Schema::standard().with_features(&features),
            store: Store::default(),
            ids,
            outbox: Outbox::default(),
            change_events: ChangeEvents::default(),
            streams: Streams::default(),
            logins: Logins::new(apps, random.fork("logins")),
            random,
            limits: Allowance::of_api_calls(kind),
            running: Running::of(kind),
            cursors: Cursors::default(),
            faults: Faults::default(),
            late: Vec::new(),
            package: None,
            install_requests: InstallRequests::default(),
            bulk: Bulk::default(),
            log: RequestLog::default(),
            sharing: Sharing::default(),
            known_access: RefCell::default(),
            profiles: Profiles::default(),
            rules: Rules::default(),
            bin: RecycleBin::default(),
            passwords: Passwords::default(),
            recent: RecentItems::default(),
            schema_change: SchemaChange::default(),
            numbers: BTreeMap::new(),
            stages_of: BTreeMap::new(),
            default_stages: BTreeMap::new(),
            default_record_types: BTreeMap::new(),
        }
    }

    /// Returns the org's time in whole seconds, as a record's system fields store it.
    pub(crate) fn stamp(&self) -> Timestamp {
        datetime::whole_seconds(self.clock.now())
    }

    pub(crate) fn object(&self, name: &str) -> Result<Arc<Object>, ApiError> {
        self.schema.object(name).cloned().ok_or_else(|| ApiError::invalid_type(name))
    }

    /// Returns a live record of any object, found by the key prefix of its id.
    pub(crate) fn live_record(&self, id: RecordId) -> Option<(&Arc<Object>, &Arc<Row>)> {
        let object = self.schema.by_prefix(id.key_prefix())?;
        let row = self.store.get(&object.name, id)?;
        (!row.is_deleted()).then_some((object, row))
    }

    /// Inserts a setup record, such as a user or a record type, without the data API's checks.
    pub(crate) fn insert_setup(&mut self, object: &str, fields: &[(&str, Value)]) -> RecordId {
        let author = self.first_user();
        let id = self.insert_row(author, object, fields);
        self.store.commit();
        id
    }

    /// Inserts a record that Salesforce itself writes, without the data API's checks; a failed transaction undoes it.
    pub(crate) fn insert_row(&mut self, author: Option<RecordId>, object: &str, fields: &[(&str, Value)]) -> RecordId {
        let Some(object) = self.schema.object(object).cloned() else { return self.id };
        let id = match object.described_prefix() {
            _ if object.name == "Organization" => self.id,
            prefix => self.ids.next(prefix.unwrap_or(HISTORY_PREFIX)),
        };
        let mut row = Row::default();
        for (at, field) in object.fields.iter().enumerate() {
            row.set(at, field.default.clone());
        }
        for (name, value) in fields {
            if let Some(at) = object.position(name) {
                row.set(at, value.clone());
            }
        }
        self.stamp_new(&mut row, id, author.unwrap_or(id));
        self.store.put(&object, id, row);
        id
    }

    /// Sets fields of a record as Salesforce itself does: without a change of the time stamps.
    pub(crate) fn set_fields(&mut self, object: &str, id: RecordId, fields: &[(&str, Value)]) {
        let Some(object) = self.schema.object(object).cloned() else { return };
        let Some(mut row) = self.store.get(&object.name, id).map(|row| Row::clone(row)) else { return };
        for (name, value) in fields {
            if let Some(at) = object.position(name) {
                row.set(at, value.clone());
            }
        }
        self.store.put(&object, id, row);
    }

    /// Returns the live records of an object whose reference has that value.
    pub(crate) fn rows_below(&self, object: &str, reference: &str, parent: RecordId) -> Vec<Arc<Row>> {
        let Some(object) = self.schema.object(object) else { return Vec::new() };
        let Some((at, field)) = object.position(reference).and_then(|at| Some((at, object.fields.get(at)?))) else {
            return Vec::new();
        };
        let Some(table) = self.store.table(&object.name) else { return Vec::new() };
        if field.indexed() {
            return table.find(at, &Value::Id(parent)).iter().filter_map(|id| table.get(*id)).map(Arc::clone).collect();
        }
        let rows = table.rows().filter(|row| !row.is_deleted() && row.get(at).as_id() == Some(parent));
        rows.map(Arc::clone).collect()
    }

    /// Sets the system fields of a new record.
    pub(crate) fn stamp_new(&self, row: &mut Row, id: RecordId, author: RecordId) {
        let now = Value::Instant(self.stamp());
        row.set(schema::ID, Value::Id(id));
        row.set(schema::IS_DELETED, Value::Bool(false));
        row.set(schema::CREATED_DATE, now.clone());
        row.set(schema::CREATED_BY, Value::Id(author));
        self.stamp_changed(row, author);
        row.set(schema::MODSTAMP, now);
    }

    /// Sets the system fields that every change of a record updates.
    pub(crate) fn stamp_changed(&self, row: &mut Row, author: RecordId) {
        let now = Value::Instant(self.stamp());
        row.set(schema::MODIFIED_DATE, now.clone());
        row.set(schema::MODIFIED_BY, Value::Id(author));
        row.set(schema::MODSTAMP, now);
    }

    /// Makes the first user the author of the setup records that are older than the user.
    pub(crate) fn author_setup(&mut self) {
        let Some(user) = self.first_user() else { return };
        let objects: Vec<Arc<Object>> = self.schema.objects().cloned().collect();
        for object in objects {
            let rows: Vec<Arc<Row>> =
                self.store.table(&object.name).into_iter().flat_map(|t| t.rows().cloned()).collect();
            for (id, before) in rows.into_iter().filter_map(|row| row.id().map(|id| (id, row))) {
                let mut row = (*before).clone();
                for at in [schema::CREATED_BY, schema::MODIFIED_BY] {
                    if row.get(at).as_id().is_some_and(|author| author.key_prefix() != "005") {
                        row.set(at, Value::Id(user));
                    }
                }
                self.store.put(&object, id, row);
            }
        }
        self.store.commit();
    }

    pub(crate) fn first_user(&self) -> Option<RecordId> {
        self.store.table("User")?.rows().next()?.id()
    }

    /// Returns the first setup record with that text in a field.
    pub(crate) fn setup_record(&self, object: &str, field: &str, text: &str) -> Option<&Arc<Row>> {
        let at = self.schema.object(object)?.position(field)?;
        self.store.table(object)?.rows().find(|row| row.get(at).as_text().eq_ignore_ascii_case(text))
    }

    /// Returns the value of a field by the names of object and field; null when the field does not exist.
    pub(crate) fn value<'a>(&self, object: &str, row: &'a Row, field: &str) -> &'a Value {
        let at = self.schema.object(object).and_then(|o| o.position(field));
        at.map_or(&Value::Null, |at| row.get(at))
    }
}
