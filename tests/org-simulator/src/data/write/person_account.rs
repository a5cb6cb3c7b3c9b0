//! Person accounts: an account that represents a person, with a contact for the same person. (The rules are
//! unverified.)

use std::sync::Arc;

use serde_json::Map;

use super::{Purpose, derive};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object, PERSON_FIELDS, PERSON_NAME};
use crate::model::store::Row;
use crate::model::value::Value;

const DEVELOPER_NAME: &str = "PersonAccount";

/// Returns whether a record is a person account, or the contact of one.
pub(super) fn is_person(object: &Object, row: &Row) -> bool {
    object.position("IsPersonAccount").is_some_and(|at| *row.get(at) == Value::Bool(true))
}

/// Marks a new account as a person account when its record type says so, and rejects fields of the other kind of
/// account.
pub(super) fn settle(org: &Org, object: &Object, row: &mut Row, changed: &[usize]) -> Result<(), ApiError> {
    let Some(flag) = object.position("IsPersonAccount").filter(|_| object.name == "Account") else { return Ok(()) };
    let record_type = object.position("RecordTypeId").and_then(|at| row.get(at).as_id());
    let person = *row.get(flag) == Value::Bool(true) || record_type.is_some() && record_type == person_type(org);
    row.set(flag, Value::Bool(person));
    let foreign = |name: &str| {
        let personal = PERSON_NAME.contains(&name) || PERSON_FIELDS.iter().any(|(field, ..)| *field == name);
        if person { name == "Name" } else { personal }
    };
    let named = changed.iter().filter_map(|at| object.fields.get(*at)).map(|field| field.name.as_str());
    let refused: Vec<String> = named.filter(|name| foreign(name)).map(str::to_owned).collect();
    if !refused.is_empty() {
        return Err(ApiError::not_writeable(refused));
    }
    let last_name = object.position("LastName").is_some_and(|at| row.get(at).is_null());
    if person && last_name {
        let message = "Required fields are missing: [LastName]";
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", message).fields(["LastName"]));
    }
    Ok(())
}

/// Returns the record type of person accounts.
pub(super) fn person_type(org: &Org) -> Option<RecordId> {
    org.setup_record("RecordType", "DeveloperName", DEVELOPER_NAME)?.id()
}

impl Org {
    /// Creates or updates the contact of a person account.
    pub(super) fn write_twin(&mut self, actor: &Actor, object: &Object, id: RecordId) -> Result<(), ApiError> {
        let account = self.store.get("Account", id).filter(|row| object.name == "Account" && is_person(object, row));
        let Some(account) = account.map(Arc::clone) else { return Ok(()) };
        let contact = self.object("Contact")?;
        let pairs = PERSON_NAME.iter().map(|name| (*name, *name));
        let pairs = pairs.chain(PERSON_FIELDS.iter().map(|(name, _, twin)| (*name, *twin)));
        let known = self.value("Account", &account, "PersonContactId").as_id();
        let twin = match known {
            Some(twin) => twin,
            None => {
                let last = self.value("Account", &account, "LastName").as_text();
                let body = Map::from_iter([
                    ("LastName".to_owned(), last.into()),
                    ("AccountId".to_owned(), id.as_str().into()),
                ]);
                self.insert(actor, &contact, &body, Purpose::Load)?
            }
        };
        let Some(mut row) = self.store.get("Contact", twin).map(|row| (**row).clone()) else { return Ok(()) };
        let mut set = |name: &str, value: Value| {
            if let Some(at) = contact.position(name) {
                row.set(at, value);
            }
        };
        set("IsPersonAccount", Value::Bool(true));
        set("OwnerId", account.get(schema::OWNER).clone());
        for (from, to) in pairs {
            set(to, self.value("Account", &account, from).clone());
        }
        derive::derive(self, &contact, None, &mut row, &[]);
        self.stamp_changed(&mut row, actor.user);
        self.store.put(&contact, twin, row);
        self.notify(actor, "Contact", twin);
        let (Some(at), None, Some(object)) =
            (object.position("PersonContactId"), known, self.schema.object("Account").cloned())
        else {
            return Ok(());
        };
        let mut account = (*account).clone();
        account.set(at, Value::Id(twin));
        self.store.put(&object, id, account);
        Ok(())
    }
}
