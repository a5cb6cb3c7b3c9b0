//! The deletion of a record, and its restoration from the recycle bin.

use salesforce::soap::partner::Decision;
use salesforce::{Client, ObjectName, RecordId, SaveOutcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::origins::Origin;
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, WriteOperation};

use crate::Deps;
use crate::access::{self, Right};
use crate::decided::{self, Decided, Request};
use crate::deleted::{self, State};
use crate::effects::Effects;

/// The deletion of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// The object.
    pub object: ObjectName,
    /// The record.
    pub id: RecordId,
}

/// The restoration of a record from the recycle bin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelete {
    /// The object.
    pub object: ObjectName,
    /// The record.
    pub id: RecordId,
}

impl WriteOperation for Delete {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        WriteKind::Delete
    }

    fn object(&self) -> Option<&ObjectName> {
        Some(&self.object)
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        deps.writable_objects.require(&self.object)
    }

    fn names_owner(&self) -> bool {
        false
    }

    fn records(&self) -> Vec<RecordKey> {
        vec![RecordKey::of_id(&self.object, self.id)]
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let rights = [(self.object.clone(), Right::Delete)];
        let schema = access::require(deps, client, (route, write), &rights, &[]).await?;
        access::require_ids(&schema, &self.object, "id", &[self.id])?;
        let effects = Effects { deps, route, write };
        let from = deps.ledger.clock.now();
        let already_deleted = match decided::decide(deps, write, &Deletion { this: self, client }).await? {
            Decided::Done(was_deleted) => was_deleted,
            Decided::Before(_) => true,
            Decided::Refused(row) => return Ok(decided::undone(row, None)),
            Decided::Deferred(row, retry) => return Ok(decided::undone(row, Some(retry))),
        };
        effects.publish(&self.object, &[origin(effects, self.id, from, Vec::new())]).await;
        Ok(decided::done(self.id, [("already_deleted", Value::from(already_deleted))]))
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

impl WriteOperation for Undelete {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        WriteKind::Undelete
    }

    fn object(&self) -> Option<&ObjectName> {
        Some(&self.object)
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        deps.writable_objects.require(&self.object)
    }

    fn names_owner(&self) -> bool {
        false
    }

    fn records(&self) -> Vec<RecordKey> {
        vec![RecordKey::of_id(&self.object, self.id)]
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let rights = [(self.object.clone(), Right::Restore)];
        let schema = access::require(deps, client, (route, write), &rights, &[]).await?;
        access::require_ids(&schema, &self.object, "id", &[self.id])?;
        let effects = Effects { deps, route, write };
        let from = deps.ledger.clock.now();
        let already_restored = match decided::decide(deps, write, &Restoration { this: self, client }).await? {
            Decided::Done(()) => false,
            Decided::Before(()) => true,
            Decided::Refused(row) => return Ok(decided::undone(row, None)),
            Decided::Deferred(row, retry) => return Ok(decided::undone(row, Some(retry))),
        };
        effects.publish(&self.object, &[origin(effects, self.id, from, Vec::new())]).await;
        Ok(decided::done(self.id, [("already_restored", Value::from(already_restored))]))
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

struct Deletion<'a> {
    this: &'a Delete,
    client: &'a Client,
}

impl Request for Deletion<'_> {
    /// `true` if the record was in the recycle bin already.
    type Done = bool;

    async fn send(&self) -> Result<Decision<bool>, salesforce::Error> {
        let outcome = self.client.delete(&[self.this.id]).await?.pop();
        Ok(match outcome {
            Some(SaveOutcome { success: true, .. }) => Ok(false),
            Some(SaveOutcome { errors, .. }) if errors.iter().any(|error| error.code == "ENTITY_IS_DELETED") => {
                Ok(true)
            }
            outcome => Err(outcome.map(|outcome| outcome.errors).unwrap_or_default()),
        })
    }

    async fn look(&self) -> Result<Option<bool>, Error> {
        match deleted::state(self.client, &self.this.object, self.this.id).await? {
            State::Deleted { .. } => Ok(Some(true)),
            State::Live => Ok(None),
            State::Unknown => Err(Error::NotFound("record")),
        }
    }

    fn advice(&self, code: &str) -> Option<&'static str> {
        code.starts_with("INSUFFICIENT_ACCESS").then_some(
            "Have an administrator of the org allow the connection's user to delete the record: the owner, those above the owner in the role hierarchy, and users with Modify All may.",
        )
    }
}

struct Restoration<'a> {
    this: &'a Undelete,
    client: &'a Client,
}

impl Request for Restoration<'_> {
    type Done = ();

    async fn send(&self) -> Result<Decision<()>, salesforce::Error> {
        let outcome = self.client.undelete(&[self.this.id]).await?.pop();
        Ok(match outcome {
            Some(SaveOutcome { success: true, .. }) => Ok(()),
            outcome => Err(outcome.map(|outcome| outcome.errors).unwrap_or_default()),
        })
    }

    async fn look(&self) -> Result<Option<()>, Error> {
        match deleted::state(self.client, &self.this.object, self.this.id).await? {
            State::Live => Ok(Some(())),
            State::Deleted { .. } => Ok(None),
            State::Unknown => Err(Error::NotInRecycleBin),
        }
    }

    fn advice(&self, code: &str) -> Option<&'static str> {
        code.starts_with("INSUFFICIENT_ACCESS")
            .then_some("Have an administrator of the org restore the record, or allow the connection's user to.")
    }
}

/// Returns the origin of a change of a record by the call that has ended now.
pub(crate) fn origin(
    effects: Effects<'_>,
    id: RecordId,
    from: jiff::Timestamp,
    fields: Vec<String>,
) -> (RecordId, Origin) {
    let call = effects.call_since(from);
    (id, Origin { write_id: call.write_id, user_id: call.user_id, from: call.from, to: call.to, fields })
}
