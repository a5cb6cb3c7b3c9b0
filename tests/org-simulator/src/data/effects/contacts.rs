//! The direct relation of a contact and its account (`AccountContactRelation`).
//!
//! Source: the object's page in the Object Reference. That the direct relation with the former account is deleted, not made
//! indirect, is unverified.

use std::sync::Arc;

use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::store::Row;
use crate::model::value::Value;

const RELATION: &str = "AccountContactRelation";

impl Org {
    pub(super) fn contact_written(&mut self, actor: &Actor, id: RecordId, before: Option<&Row>) {
        let Some(row) = self.store.get("Contact", id).map(Arc::clone) else { return };
        let old = before.and_then(|row| self.value("Contact", row, "AccountId").as_id());
        let new = self.value("Contact", &row, "AccountId").as_id();
        let Some(object) = self.schema.object(RELATION).cloned().filter(|_| old != new) else { return };
        let relations = self.rows_below(RELATION, "ContactId", id);
        let to = |account: Option<RecordId>| {
            let theirs = |row: &&Arc<Row>| self.value(RELATION, row, "AccountId").as_id() == account;
            relations.iter().find(theirs).filter(|_| account.is_some()).and_then(|row| row.id())
        };
        let (former, known) = (to(old), to(new));
        if let Some(former) = former {
            self.store.purge(&object, former);
        }
        let direct = ("IsDirect", Value::Bool(true));
        match (known, new) {
            (Some(known), _) => self.set_fields(RELATION, known, &[direct]),
            (None, Some(account)) => {
                let fields = [
                    ("AccountId", Value::Id(account)),
                    ("ContactId", Value::Id(id)),
                    direct,
                    ("IsActive", Value::Bool(true)),
                ];
                self.insert_row(Some(actor.user), RELATION, &fields);
            }
            (None, None) => {}
        }
    }
}
