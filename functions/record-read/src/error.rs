//! Errors of reads.

use jiff::Timestamp;
use runtime::{InvalidCursor, Problem, ProblemCode};
use salesforce::{FieldName, ObjectName, RecordId};
use store::OrgState;
use store::owner_policy::RouteError;

/// An error of a read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A query parameter is invalid.
    #[error("could not read the query parameters: {0}")]
    Invalid(&'static str),
    /// A parameter is invalid; the text names it and says what it must be.
    #[error("could not read the query parameters: {0}")]
    Parameter(String),
    /// Salesforce does not know the field, or hides it from the connection's user.
    #[error("could not read {object}: it has no field {field}, or the field is hidden from the connection's user")]
    FieldHidden {
        /// The object.
        object: ObjectName,
        /// The field.
        field: FieldName,
    },
    /// The resource, for example a `record`, does not exist or is not visible to the connection's user.
    #[error("could not load the {0}: it does not exist or is not visible")]
    NotFound(&'static str),
    /// Salesforce does not know the object, or hides it from the connection's user.
    #[error("could not load the object {0}: it does not exist or is hidden from the connection's user")]
    ObjectHidden(ObjectName),
    /// The user may not create records of the requested record type, or it does not exist.
    #[error(
        "could not build the form: the object has no record type with this id or name that the connection's user may choose"
    )]
    NoRecordType {
        /// The developer names of those that the user may choose.
        offered: Vec<String>,
    },
    /// The field is no external id of the object, so that its values do not identify records.
    #[error("could not compare the field {0}: it is no external id that the connection's user can see")]
    NoExternalId(FieldName),
    /// Several records have the value of an external id.
    #[error("could not choose a record: several records have this value")]
    SeveralRecords(Vec<RecordId>),
    /// The mirror has no record with this id.
    #[error("could not load the record: the mirror has no record of {0} with this id")]
    NotInMirror(ObjectName),
    /// The object is not mirrored.
    #[error("could not load the record: {0} is not mirrored")]
    NotMirrored(ObjectName),
    /// The rep has no connection.
    #[error("could not load the rep's connection: the rep has to connect first")]
    RepNotConnected,
    /// The record was deleted, and possibly merged into another one.
    #[error("could not load the record: it was deleted in Salesforce")]
    Deleted {
        /// The record that it was merged into.
        merged_into: Option<RecordId>,
    },
    /// The position in the change feed is before the oldest change that it has.
    #[error("could not read the changes: the feed begins at {}", store::time::format(*oldest))]
    CursorExpired {
        /// The time of the oldest change.
        oldest: Timestamp,
    },
    /// The org is not active, so neither Salesforce nor the mirror is read.
    #[error("could not read records: the org is not active")]
    OrgNotActive(OrgState),
    /// No connection may be used until a person has connected.
    #[error("could not choose a connection")]
    NoRoute(#[source] RouteError),
    /// Salesforce refused the request or was unavailable.
    #[error(transparent)]
    Salesforce(#[from] salesforce::Error),
    /// Ferry's own state could not be read.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<InvalidCursor> for Error {
    fn from(invalid: InvalidCursor) -> Self {
        Self::Invalid(match invalid {
            InvalidCursor::OfAnotherList => {
                "after is the cursor of another list: send it with the same filters and sort"
            }
            InvalidCursor::NotACursor => "after must be the value of next in the previous page",
        })
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(detail) => Self::invalid(*detail),
            Error::Parameter(detail) => Self::invalid(detail.clone()),
            Error::FieldHidden { object, field } => Self::new(ProblemCode::FieldNotVisible)
                .detail(format!("{object} has no field {field}, or it is hidden from the connection's user")),
            Error::NotFound(resource) => Self::not_found(resource),
            Error::ObjectHidden(object) => Self::new(ProblemCode::ObjectNotVisible)
                .detail(format!("the object {object} does not exist or is hidden from the connection's user")),
            Error::NoRecordType { offered } => {
                let detail = "the object has no record type with this id or name that the connection's user may choose";
                let missing = Self::new(ProblemCode::NotFound).detail(detail);
                match offered.as_slice() {
                    [] => missing.next("Leave `record_type` out: the object has no record types."),
                    offered => missing.next(format!("Choose one of {}.", offered.join(", "))),
                }
            }
            Error::NoExternalId(field) => Self::new(ProblemCode::FieldNotVisible)
                .detail(format!("the connection's user sees no external id with the name {field}"))
                .next("Name a field that is an external id: `external_id` is true in the description of its object."),
            Error::SeveralRecords(ids) => Self::new(ProblemCode::SeveralRecords).detail(several(ids)),
            Error::NotInMirror(object) => Self::new(ProblemCode::NotFound)
                .detail(format!("the mirror has no record of {object} with this id"))
                .next("Check the id. A new record is in the mirror after a few seconds; with `as` it is read from Salesforce."),
            Error::NotMirrored(object) => Self::new(ProblemCode::NotFound)
                .detail(format!("{object} is not mirrored"))
                .next(
                    "Read the record from Salesforce with `as`, or ask the operator of this installation to add the object \
                     to the template parameter MirroredObjects.",
                ),
            Error::RepNotConnected => Self::not_found("connection of this rep").next(RouteError::RepMustConnect.next()),
            Error::Deleted { merged_into } => {
                let deleted = Self::new(ProblemCode::RecordDeleted);
                match merged_into {
                    Some(id) => deleted.detail(format!("it was merged into {id}")),
                    None => deleted,
                }
            }
            Error::CursorExpired { oldest } => Self::new(ProblemCode::CursorExpired)
                .detail(format!("the feed begins at {}", store::time::format(*oldest))),
            Error::OrgNotActive(state) => Self::org_not_active(*state),
            Error::NoRoute(error) => Self::from(error),
            Error::Salesforce(error) => Self::from(error),
            Error::Store(error) => Self::from(error),
        }
    }
}

/// Names the first records; the last of the list only shows that there are more.
fn several(ids: &[RecordId]) -> String {
    const MAX_NAMED: usize = 10;
    let named: Vec<String> = ids.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    let more = if ids.len() > MAX_NAMED { ", ..." } else { "" };
    format!("the records with this value: {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_record_names_the_one_it_was_merged_into() {
        let merged_into = Some("001D000000IRFma".parse().unwrap());
        let problem = Problem::from(&Error::Deleted { merged_into });
        assert_eq!(problem.code, ProblemCode::RecordDeleted);
        assert_eq!(problem.detail.as_deref(), Some("it was merged into 001D000000IRFmaIAH"));
    }

    #[test]
    fn an_ended_grant_requires_a_reconnect() {
        let problem = Problem::from(&Error::NoRoute(RouteError::RepMustReconnect));
        assert_eq!(problem.code, ProblemCode::ReconnectRequired);
    }
}
