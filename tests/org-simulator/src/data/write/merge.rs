//! Merges up to three records into one: the others go to the recycle bin, and references to them point to the master
//! record.

use serde_json::{Map, Value as Json};

use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::value::Value;

/// Objects whose records can be merged (SOAP API guide, merge).
const MERGEABLE: [&str; 4] = ["Account", "Case", "Contact", "Lead"];
const MAX_LOSERS: usize = 2;

/// The result of a merge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merged {
    pub(crate) losers: Vec<RecordId>,
    /// Records that pointed to a losing record and now point to the master record.
    pub(crate) redirected: Vec<RecordId>,
}

impl Org {
    /// Merges `losers` into `master`, which gets the given fields.
    pub(crate) fn merge(
        &mut self,
        actor: &Actor,
        object: &str,
        (master, losers): (RecordId, &[RecordId]),
        fields: &Map<String, Json>,
    ) -> Result<Merged, ApiError> {
        let object = self.object_for(actor, object)?;
        if !MERGEABLE.contains(&object.name.as_str()) {
            return Err(ApiError::new("INVALID_TYPE", format!("entity type cannot be merged: {}", object.label)));
        }
        if losers.is_empty() || losers.len() > MAX_LOSERS {
            let message = format!("between 1 and {MAX_LOSERS} records can be merged into another one");
            return Err(ApiError::new("INVALID_ARGUMENT_TYPE", message));
        }
        if losers.contains(&master) {
            return Err(
                ApiError::new("INVALID_CROSS_REFERENCE_KEY", "a record cannot be merged into itself").no_fields()
            );
        }
        self.writeable(actor, &object, master)?;
        self.permit(actor, Permission::Delete, &object)?;
        self.permit(actor, Permission::Edit, &object)?;
        for loser in losers {
            self.writeable(actor, &object, *loser)?;
        }
        self.update(actor, &object.name, master, fields)?;
        let mut redirected = Vec::new();
        for loser in losers {
            redirected.extend(self.redirect(actor, *loser, master));
            self.merge_twins(actor, *loser, master)?;
            self.set_deleted(actor, &object, (*loser, None), true);
            let row = self.store.get(&object.name, *loser).zip(object.position("MasterRecordId"));
            if let Some((row, at)) = row {
                let mut row = (**row).clone();
                row.set(at, Value::Id(master));
                self.store.put(&object, *loser, row);
            }
        }
        redirected.sort_unstable();
        redirected.dedup();
        Ok(Merged { losers: losers.to_vec(), redirected })
    }

    /// Merges the contacts of merged person accounts.
    fn merge_twins(&mut self, actor: &Actor, loser: RecordId, master: RecordId) -> Result<(), ApiError> {
        let twin = |org: &Self, id| {
            org.store.get("Account", id).and_then(|row| org.value("Account", row, "PersonContactId").as_id())
        };
        match (twin(self, loser), twin(self, master)) {
            (Some(from), Some(to)) => {
                self.redirect(actor, from, to);
                let contact = self.object("Contact")?;
                self.set_deleted(actor, &contact, (from, Some(loser)), true);
                Ok(())
            }
            (None, None) => Ok(()),
            // The code is unverified.
            _ => {
                let message = "a person account and a business account cannot be merged";
                Err(ApiError::new("INVALID_CROSS_REFERENCE_KEY", message).no_fields())
            }
        }
    }
}
