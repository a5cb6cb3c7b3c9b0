//! The permissions that an operation needs on objects, checked before Salesforce is asked to change something.

use runtime::Schema;
use salesforce::{Client, ObjectName, ObjectSummary, RecordId};
use store::Write;
use store::owner_policy::Route;
use writes::{Defect, Error, Hidden};

use crate::Deps;

/// A permission of the connection's user on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Create,
    Edit,
    Delete,
    /// To restore records from the recycle bin, which goes with the right to delete them.
    Restore,
}

impl Right {
    fn is_granted(self, object: &ObjectSummary) -> bool {
        match self {
            Self::Create => object.createable,
            Self::Edit => object.updateable,
            Self::Delete => object.deletable,
            Self::Restore => object.undeletable,
        }
    }

    /// Returns the name of the object permission in Setup.
    fn permission(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Edit => "Edit",
            Self::Delete | Self::Restore => "Delete",
        }
    }
}

/// Describes the objects as the connection's user sees them, those of `also` too, and checks the rights. Costs no call while the
/// describes are remembered. What a remembered describe does not grant is asked for again, because it may have been granted
/// meanwhile.
///
/// # Errors
/// [`Error::Hidden`], [`Error::MissingPermission`]; those of the describe.
pub(crate) async fn require(
    deps: &Deps,
    client: &Client,
    (route, write): (&Route, &Write),
    rights: &[(ObjectName, Right)],
    also: &[ObjectName],
) -> Result<Schema, Error> {
    let key = (write.org_id, &route.write_route.connection_id);
    let objects: Vec<ObjectName> = rights.iter().map(|(object, _)| object).chain(also).cloned().collect();
    let now = deps.ledger.clock.now();
    let (known, unknown) = deps.metadata.schemas.get(key, &objects, now);
    if unknown.is_empty() {
        if check(&known, rights).is_ok() {
            return Ok(known);
        }
        deps.metadata.schemas.forget(key, &objects);
    }
    let (schema, failed) = deps.metadata.schemas.load(client, key, &objects, now).await?;
    let is_needed = |object: &ObjectName| rights.iter().any(|(needed, _)| needed == object);
    match failed.into_iter().find(|(object, _)| is_needed(object)) {
        Some((_, error)) => Err(error.into()),
        None => check(&schema, rights).map(|()| schema),
    }
}

/// Checks that the ids are those of records of the object. An operation that names records by their ids alone would otherwise
/// change records of an object that may not be written. `place` is the place in the request.
///
/// # Errors
/// [`Error::Invalid`].
pub(crate) fn require_ids(schema: &Schema, object: &ObjectName, place: &str, ids: &[RecordId]) -> Result<(), Error> {
    let prefix = schema.object(object).and_then(|describe| describe.summary.key_prefix.as_deref());
    if ids.iter().all(|id| Some(id.key_prefix()) == prefix) {
        return Ok(());
    }
    Err(Error::Invalid(vec![Defect::field(place, "must be the id of a record of this object")]))
}

fn check(schema: &Schema, rights: &[(ObjectName, Right)]) -> Result<(), Error> {
    for (object, right) in rights {
        let Some(describe) = schema.object(object) else {
            return Err(Error::Hidden(Hidden::Object(object.clone())));
        };
        if !right.is_granted(&describe.summary) {
            return Err(Error::MissingPermission { object: object.clone(), permission: right.permission() });
        }
    }
    Ok(())
}
