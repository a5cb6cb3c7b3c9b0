//! Looks whether records are in the recycle bin. Only a query that includes deleted records proves it.

use salesforce::{Client, FieldName, ObjectName, RecordId, Soql, soql};

const IS_DELETED: FieldName = FieldName::from_static("IsDeleted");
const MASTER: FieldName = FieldName::from_static("MasterRecordId");

/// The state of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It exists.
    Live,
    /// It is in the recycle bin.
    Deleted {
        /// The record that it was merged into.
        master: Option<RecordId>,
    },
    /// Salesforce shows no such record: it never existed, has been removed for good, or is not visible to the connection's user.
    Unknown,
}

/// Returns the states of records of an object, in the order of the ids. `merges` says that records of the object can be merged.
pub(crate) async fn states(
    client: &Client,
    object: &ObjectName,
    ids: &[RecordId],
    merges: bool,
) -> Result<Vec<State>, salesforce::Error> {
    let mut fields = vec![FieldName::ID, IS_DELETED];
    fields.extend(merges.then_some(MASTER));
    let these = soql::in_(&FieldName::ID, ids.iter().map(soql::Literal::from));
    let rows = client.query_all(&Soql::select(&fields).from(object).where_(these)).await?.records;
    let state = |id: &RecordId| match rows.iter().find(|row| row.id == *id) {
        None => State::Unknown,
        Some(row) if row.fields.get(IS_DELETED.as_str()).and_then(serde_json::Value::as_bool) == Some(true) => {
            State::Deleted { master: row.text(MASTER.as_str()).and_then(|id| id.parse().ok()) }
        }
        Some(_) => State::Live,
    };
    Ok(ids.iter().map(state).collect())
}

/// Returns the state of one record.
pub(crate) async fn state(client: &Client, object: &ObjectName, id: RecordId) -> Result<State, salesforce::Error> {
    let states = states(client, object, &[id], false).await?;
    Ok(states.first().copied().unwrap_or(State::Unknown))
}
