//! One org: its schema, records, users and the state of everything that goes on in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::Clock;
use crate::api::bulk::Bulk;
use crate::api::query::Cursors;
use crate::api::rest::{RecentItems, SchemaChange};
use crate::data::write::RecycleBin;
use crate::identity::oauth::{Apps, Logins};
use crate::messages::packages::{InstallRequests, InstalledPackage};
use crate::model::access::Profiles;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::faults::Faults;
use crate::model::ids::{IdSource, RecordId};
use crate::model::kind::{Features, OrgKind};
use crate::model::limits::ApiLimits;
use crate::model::outbox::Outbox;
use crate::model::passwords::Passwords;
use crate::model::random::Random;
use crate::model::request_log::RequestLog;
use crate::model::rules::Rules;
use crate::model::schema::{Object, RecordTypeInfo, Schema};
use crate::model::store::{Row, Store};
use crate::model::transaction::Savepoint;
use crate::model::value::Value;
use crate::model::write_options::WriteOptions;
use crate::model::{datetime, schema};

/// The record type every org has for every object.
pub(crate) const MASTER_RECORD_TYPE: &str = "012000000000000AAA";
const ADMIN_PROFILE: &str = "System Administrator";

/// The whole state of an org. It lives behind one lock; a request is one turn at it.
pub(crate) struct Org {
    pub(crate) id: RecordId,
    /// Where the org is reached, without a trailing slash.
    pub(crate) base_url: String,
    /// Where it was first reached and still logs people in, after it was moved to another instance.
    pub(crate) login_url: Option<String>,
    pub(crate) kind: OrgKind,
    /// What is switched on.
    pub(crate) features: Features,
    /// Whatever is left to chance.
    pub(crate) random: Random,
    pub(crate) clock: Clock,
    pub(crate) schema: Schema,
    pub(crate) store: Store,
    pub(crate) ids: IdSource,
    pub(crate) outbox: Outbox,
    pub(crate) logins: Logins,
    pub(crate) limits: ApiLimits,
    pub(crate) cursors: Cursors,
    pub(crate) faults: Faults,
    pub(crate) package: Option<InstalledPackage>,
    pub(crate) install_requests: InstallRequests,
    pub(crate) bulk: Bulk,
    pub(crate) log: RequestLog,
    /// Objects of which a user who is no admin sees only the records he or she owns.
    pub(crate) private: BTreeSet<String>,
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
    /// The record type a new record gets when it names none.
    pub(crate) default_record_types: BTreeMap<String, RecordId>,
}

/// What is settled before an org exists.
#[derive(Default)]
pub(crate) struct Birth {
    pub(crate) base_url: String,
    pub(crate) clock: Clock,
    pub(crate) kind: OrgKind,
    pub(crate) features: Features,
    pub(crate) ids: IdSource,
    pub(crate) random: Random,
    /// The apps of the realm.
    pub(crate) apps: Apps,
}

impl Org {
    /// An empty production org, alone in its realm.
    #[cfg(test)]
    pub(crate) fn new(base_url: String, clock: Clock) -> Self {
        Self::born(Birth { base_url, clock, ..Birth::default() })
    }

    /// An empty org.
    pub(crate) fn born(birth: Birth) -> Self {
        let mut ids = birth.ids;
        let random = birth.random;
        Self {
            id: ids.next("00D"),
            base_url: birth.base_url,
            login_url: None,
            kind: birth.kind,
            features: birth.features,
            clock: birth.clock,
            schema: Schema::standard().with_features(&birth.features),
            store: Store::default(),
            ids,
            outbox: Outbox::default(),
            logins: Logins::new(birth.apps, random.fork("logins")),
            random,
            limits: ApiLimits::of(birth.kind),
            cursors: Cursors::default(),
            faults: Faults::default(),
            package: None,
            install_requests: InstallRequests::default(),
            bulk: Bulk::default(),
            log: RequestLog::default(),
            private: BTreeSet::new(),
            profiles: Profiles::default(),
            rules: Rules::default(),
            bin: RecycleBin::default(),
            passwords: Passwords::default(),
            recent: RecentItems::default(),
            schema_change: SchemaChange::default(),
            numbers: BTreeMap::new(),
            stages_of: BTreeMap::new(),
            default_record_types: BTreeMap::new(),
        }
    }

    /// The org's time in whole seconds, as record stamps have it.
    pub(crate) fn stamp(&self) -> Timestamp {
        datetime::whole_seconds(self.clock.now())
    }

    pub(crate) fn object(&self, name: &str) -> Result<Arc<Object>, ApiError> {
        self.schema.object(name).cloned().ok_or_else(|| ApiError::invalid_type(name))
    }

    pub(crate) fn savepoint(&self) -> Savepoint {
        Savepoint(self.store.mark(), self.outbox.mark())
    }

    /// Undoes all writes, and the notifications they queued, since the savepoint.
    pub(crate) fn rollback(&mut self, to: &Savepoint) {
        self.store.rollback(to.0);
        self.outbox.rollback(to.1);
    }

    /// Whether the actor may see the record.
    pub(crate) fn may_see(&self, actor: &Actor, object: &Object, row: &Row) -> bool {
        if object.name == "ContentNote" {
            return self.may_see_note(actor, row);
        }
        actor.is_admin || !self.private.contains(&object.name) || row.get(schema::OWNER).as_id() == Some(actor.user)
    }

    /// A record the actor sees, deleted or not.
    pub(crate) fn visible(&self, actor: &Actor, object: &Object, id: RecordId) -> Option<&Arc<Row>> {
        self.store.get(&object.name, id).filter(|row| self.may_see(actor, object, row))
    }

    /// A live record of any kind, found by the prefix of its id.
    pub(crate) fn live_record(&self, id: RecordId) -> Option<(&Arc<Object>, &Arc<Row>)> {
        let object = self.schema.by_prefix(id.key_prefix())?;
        let row = self.store.get(&object.name, id)?;
        (!row.is_deleted()).then_some((object, row))
    }

    /// Writes a setup record, such as a user or a record type, without the data API's checks.
    pub(crate) fn insert_setup(&mut self, object: &str, fields: &[(&str, Value)]) -> RecordId {
        let Some(object) = self.schema.object(object).cloned() else { return self.id };
        let id = if object.name == "Organization" { self.id } else { self.ids.next(&object.key_prefix) };
        let mut row = Row::default();
        for (at, field) in object.fields.iter().enumerate() {
            row.set(at, field.default.clone());
        }
        for (name, value) in fields {
            if let Some(at) = object.position(name) {
                row.set(at, value.clone());
            }
        }
        let author = self.first_user().unwrap_or(id);
        self.stamp_new(&mut row, id, author);
        self.store.put(&object, id, row);
        self.store.commit();
        id
    }

    /// Sets the fields every new record has.
    pub(crate) fn stamp_new(&self, row: &mut Row, id: RecordId, author: RecordId) {
        let now = Value::Instant(self.stamp());
        row.set(schema::ID, Value::Id(id));
        row.set(schema::IS_DELETED, Value::Bool(false));
        row.set(schema::CREATED_DATE, now.clone());
        row.set(schema::CREATED_BY, Value::Id(author));
        self.stamp_changed(row, author);
        row.set(schema::MODSTAMP, now);
    }

    /// Sets the fields that every change of a record sets.
    pub(crate) fn stamp_changed(&self, row: &mut Row, author: RecordId) {
        let now = Value::Instant(self.stamp());
        row.set(schema::MODIFIED_DATE, now.clone());
        row.set(schema::MODIFIED_BY, Value::Id(author));
        row.set(schema::MODSTAMP, now);
    }

    fn first_user(&self) -> Option<RecordId> {
        self.store.table("User")?.rows().next()?.id()
    }

    /// The profile of an admin or of everybody else, made when first needed.
    pub(crate) fn profile(&mut self, is_admin: bool) -> RecordId {
        self.profile_named(if is_admin { ADMIN_PROFILE } else { "Standard User" })
    }

    /// The profile of that name, made when first needed.
    pub(crate) fn profile_named(&mut self, name: &str) -> RecordId {
        match self.setup_record("Profile", "Name", name) {
            Some(row) => row.id().unwrap_or(self.id),
            None => self.insert_setup("Profile", &[("Name", Value::text(name)), ("UserType", Value::text("Standard"))]),
        }
    }

    /// The first setup record with that text in a field.
    pub(crate) fn setup_record(&self, object: &str, field: &str, text: &str) -> Option<&Arc<Row>> {
        let at = self.schema.object(object)?.position(field)?;
        self.store.table(object)?.rows().find(|row| row.get(at).as_text().eq_ignore_ascii_case(text))
    }

    /// Value of a field by its names; null where there is none.
    pub(crate) fn value<'a>(&self, object: &str, row: &'a Row, field: &str) -> &'a Value {
        let at = self.schema.object(object).and_then(|o| o.position(field));
        at.map_or(&Value::Null, |at| row.get(at))
    }

    /// The user as an actor; `None` when there is no such active user.
    pub(crate) fn actor(&self, user: RecordId) -> Option<Actor> {
        let row = self.store.get("User", user)?;
        if *self.value("User", row, "IsActive") != Value::Bool(true) {
            return None;
        }
        let profile = self.value("User", row, "ProfileId").as_id()?;
        let name = self.value("Profile", self.store.get("Profile", profile)?, "Name");
        Some(Actor { user, profile, is_admin: name.as_text() == ADMIN_PROFILE, write: WriteOptions::default() })
    }

    /// The id of an active user, by login name.
    pub(crate) fn user_named(&self, username: &str) -> Option<RecordId> {
        self.setup_record("User", "Username", username)?.id()
    }

    /// A record as the data API renders it, with all its fields and without `attributes`.
    pub(crate) fn render_all(&self, object: &Object, row: &Row, version: &str) -> Map<String, Json> {
        let render = |(at, field): (usize, &schema::Field)| (field.name.clone(), object.shown(row, at, version));
        object.fields.iter().enumerate().map(render).collect()
    }

    /// A record as the actor may see it.
    pub(crate) fn render_for(&self, actor: &Actor, object: &Object, row: &Row, version: &str) -> Map<String, Json> {
        let mut fields = self.render_all(object, row, version);
        fields.retain(|name, _| object.field(name).is_some_and(|field| self.may_read_field(actor, object, field)));
        fields
    }

    /// Record types of an object, the master last.
    pub(crate) fn record_types(&self, object: &Object) -> Vec<RecordTypeInfo> {
        let default = self.default_record_types.get(&object.name);
        let rows = self.store.table("RecordType").into_iter().flat_map(|table| table.rows());
        let own = rows.filter(|row| self.value("RecordType", row, "SobjectType").as_text() == object.name);
        let mut infos: Vec<RecordTypeInfo> = own
            .filter_map(|row| {
                let text = |field| self.value("RecordType", row, field).as_text().to_owned();
                let id = row.id()?;
                Some(RecordTypeInfo {
                    id: id.to_string(),
                    name: text("Name"),
                    developer_name: text("DeveloperName"),
                    active: *self.value("RecordType", row, "IsActive") == Value::Bool(true),
                    is_default: default == Some(&id),
                    is_master: false,
                })
            })
            .collect();
        infos.push(RecordTypeInfo {
            id: MASTER_RECORD_TYPE.to_owned(),
            name: "Master".to_owned(),
            developer_name: "Master".to_owned(),
            active: true,
            is_default: default.is_none(),
            is_master: true,
        });
        infos
    }
}
