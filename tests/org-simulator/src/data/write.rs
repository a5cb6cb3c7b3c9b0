//! Creates, changes and deletes records, by the rules of the data API.

mod addresses;
mod auto_number;
mod check;
mod convert;
mod delete;
mod derive;
mod duplicates;
mod integrity;
mod merge;
mod people;
mod person_account;
mod recycle_bin;
mod rules;
mod upsert;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::currencies::CURRENCY;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Access, Object};
use crate::model::store::Row;
use crate::model::value::Value;

pub(crate) use check::Purpose;
pub(crate) use convert::LeadConvert;
pub(crate) use delete::{is_deleted_with, restricts_delete};
pub(crate) use upsert::Upserted;

impl Org {
    /// Creates a record and returns its id.
    pub(crate) fn create(
        &mut self,
        actor: &Actor,
        object: &str,
        body: &Map<String, Json>,
    ) -> Result<RecordId, ApiError> {
        let object = self.object_for(actor, object)?;
        self.check_permission(actor, Permission::Create, &object)?;
        match object.name.as_str() {
            "ContentNote" => self.create_note(actor, &object, body),
            "ContentVersion" => self.create_version(actor, &object, body),
            "ContentDocumentLink" => self.create_link(actor, &object, body),
            _ => {
                let id = self.insert(actor, &object, body, Purpose::Create)?;
                self.notify(actor, &object.name, id);
                Ok(id)
            }
        }
    }

    /// Creates a record as part of loading data: audit fields may be set, and no outbound messages are queued.
    pub(crate) fn load(&mut self, actor: &Actor, object: &str, body: &Map<String, Json>) -> Result<RecordId, ApiError> {
        let object = self.object(object)?;
        self.insert(actor, &object, body, Purpose::Load)
    }

    /// The steps that all creates share.
    pub(crate) fn insert(
        &mut self,
        actor: &Actor,
        object: &Arc<Object>,
        body: &Map<String, Json>,
        purpose: Purpose,
    ) -> Result<RecordId, ApiError> {
        let (body, people) = people::take(object, body, None)?;
        let mut changes = check::parse_changes(self, actor, object, &body, purpose)?;
        // An empty value of a required picklist is replaced by the default (the tests of django-salesforce).
        changes.retain(|(at, value)| !value.is_null() || !object.fields[*at].replaces_empty_by_default());
        rules::check_parents_unlocked(self, object, &changes)?;
        let mut row = self.new_row(actor, object);
        let given_id = changes.iter().find(|(at, _)| *at == schema::ID).and_then(|(_, value)| value.as_id());
        let id = given_id.unwrap_or_else(|| self.free_id(object));
        self.stamp_new(&mut row, id, actor.user);
        self.number(object, &mut row);
        let changed: Vec<usize> = changes.iter().map(|(at, _)| *at).collect();
        for (at, value) in changes {
            row.set(at, value);
        }
        person_account::apply_record_type(self, object, &mut row, &changed)?;
        if self.features.state_and_country_picklists {
            addresses::complete(object, (None, &mut row), &changed, purpose)?;
        }
        derive::derive(self, object, None, &mut row, &changed);
        check::check_required(object, &row, &changed)?;
        check::check_unique(self, object, &row, None)?;
        integrity::check(self, actor, object, (None, &row), purpose)?;
        self.store.put(object, id, row);
        self.write_contact(actor, object, id)?;
        self.after_write(actor, &object.name, id, None)?;
        if let Some(people) = people {
            self.relate(actor, object, id, &people)?;
        }
        if purpose == Purpose::Create {
            rules::check_valid(self, object, id)?;
            duplicates::check(self, actor, object, id, (purpose, &changed))?;
            rules::assign(self, actor, object, id, purpose)?;
        }
        self.add_primary_contact(actor, object, id)?;
        Ok(id)
    }

    /// Returns a new record before a client's values are set: default values, the owner, and the default record type.
    pub(crate) fn new_row(&self, actor: &Actor, object: &Object) -> Row {
        let mut row = Row::default();
        for (at, field) in object.fields.iter().enumerate().filter(|(_, f)| !f.default.is_null()) {
            row.set(at, field.default.clone());
        }
        if object.has_owner {
            row.set(schema::OWNER, Value::Id(actor.user));
        }
        if let Some(at) = object.position(CURRENCY) {
            row.set(at, Value::text(self.user_currency(actor.user)));
        }
        self.set_default_record_type(actor, object, &mut row);
        row
    }

    fn free_id(&mut self, object: &Object) -> RecordId {
        loop {
            let id = self.ids.next(&object.key_prefix);
            if self.store.get(&object.name, id).is_none() {
                return id;
            }
        }
    }

    fn set_default_record_type(&self, actor: &Actor, object: &Object, row: &mut Row) {
        let default = self.default_record_types.get(&object.name);
        let default = default.filter(|id| self.may_use_record_type(actor, object, **id));
        if let (Some(at), Some(id)) = (object.position("RecordTypeId"), default) {
            row.set(at, Value::Id(*id));
        }
    }

    /// Creates the primary contact role from the `ContactId` of a new opportunity.
    fn add_primary_contact(&mut self, actor: &Actor, object: &Object, id: RecordId) -> Result<(), ApiError> {
        if object.name != "Opportunity" {
            return Ok(());
        }
        let contact =
            self.store.get("Opportunity", id).and_then(|row| self.value("Opportunity", row, "ContactId").as_id());
        if let Some(contact) = contact {
            let body = [
                ("OpportunityId".to_owned(), Json::from(id.as_str())),
                ("ContactId".to_owned(), Json::from(contact.as_str())),
                ("IsPrimary".to_owned(), Json::from(true)),
            ];
            let role = self.object("OpportunityContactRole")?;
            self.insert(actor, &role, &body.into_iter().collect(), Purpose::Load)?;
        }
        Ok(())
    }

    /// Changes a record.
    pub(crate) fn update(
        &mut self,
        actor: &Actor,
        object: &str,
        id: RecordId,
        body: &Map<String, Json>,
    ) -> Result<(), ApiError> {
        let object = self.object_for(actor, object)?;
        let before = Arc::clone(self.find_writeable(actor, &object, id)?);
        self.check_permission(actor, Permission::Edit, &object)?;
        if object.name == "ContentNote" {
            return self.update_note(actor, &object, &before, body);
        }
        if *self.value("Lead", &before, "IsConverted") == Value::Bool(true) && object.name == "Lead" {
            return Err(ApiError::new("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead").no_fields());
        }
        let body = match object.name.as_str() {
            "ContentVersion" => Cow::Owned(self.version_changes(actor, &before, body)?),
            _ => Cow::Borrowed(body),
        };
        let who = self.value(&object.name, &before, "WhoId").as_id();
        let (body, people) = people::take(&object, &body, who)?;
        let changes = check::parse_changes(self, actor, &object, &body, Purpose::Update)?;
        rules::check_parents_unlocked(self, &object, &changes)?;
        let mut row = (*before).clone();
        let changed: Vec<usize> = changes.iter().map(|(at, _)| *at).collect();
        for (at, value) in changes {
            row.set(at, value);
        }
        person_account::apply_record_type(self, &object, &mut row, &changed)?;
        if self.features.state_and_country_picklists {
            addresses::complete(&object, (Some(&before), &mut row), &changed, Purpose::Update)?;
        }
        derive::derive(self, &object, Some(&before), &mut row, &changed);
        check::check_required(&object, &row, &changed)?;
        check::check_unique(self, &object, &row, Some(id))?;
        integrity::check(self, actor, &object, (Some(&before), &row), Purpose::Update)?;
        self.stamp_changed(&mut row, actor.user);
        self.store.put(&object, id, row);
        self.write_contact(actor, &object, id)?;
        self.after_write(actor, &object.name, id, Some(&before))?;
        if let Some(people) = people {
            self.relate(actor, &object, id, &people)?;
        }
        rules::check_valid(self, &object, id)?;
        duplicates::check(self, actor, &object, id, (Purpose::Update, &changed))?;
        rules::assign(self, actor, &object, id, Purpose::Update)?;
        self.notify(actor, &object.name, id);
        Ok(())
    }

    /// Returns a live record that the actor may change.
    pub(crate) fn find_writeable(&self, actor: &Actor, object: &Object, id: RecordId) -> Result<&Arc<Row>, ApiError> {
        let unknown =
            || ApiError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id").status(404).no_fields();
        let row = self.store.get(&object.name, id).ok_or_else(unknown)?;
        if row.is_deleted() {
            return Err(ApiError::deleted());
        }
        if object.access == Access::ReadOnly || !self.may_see(actor, object, row) {
            return Err(ApiError::no_access());
        }
        if object.name == "Contact" && person_account::is_person(object, row) {
            // The contact of a person account is changed through the account.
            return Err(ApiError::no_access());
        }
        if !self.may_edit(actor, object, row) {
            return Err(ApiError::no_access());
        }
        rules::check_unlocked(self, id)?;
        Ok(row)
    }
}

mod notify;
#[cfg(test)]
mod tests;
