//! The operations of the function, as the ledger and the queue store them.

use salesforce::{Client, ObjectName};
use serde::{Deserialize, Serialize};
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, WriteOperation};

use crate::{ConvertLead, Delete, Deps, MergeRecords, Undelete, Upsert};

/// A write of records. Its stored form has one member with the operation's name; that of an upsert is the upsert itself, as
/// version 0.1.0 stored it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordWrite {
    /// The deletion of a record.
    Delete(Delete),
    /// The restoration of a record from the recycle bin.
    Undelete(Undelete),
    /// A merge of records.
    Merge(MergeRecords),
    /// The conversion of a lead.
    ConvertLead(ConvertLead),
    /// An upsert of records of one object.
    #[serde(untagged)]
    Upsert(Upsert),
}

impl WriteOperation for RecordWrite {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        match self {
            Self::Delete(delete) => delete.kind(),
            Self::Undelete(undelete) => undelete.kind(),
            Self::Merge(merge) => merge.kind(),
            Self::ConvertLead(conversion) => conversion.kind(),
            Self::Upsert(upsert) => upsert.kind(),
        }
    }

    fn object(&self) -> Option<&ObjectName> {
        match self {
            Self::Delete(delete) => delete.object(),
            Self::Undelete(undelete) => undelete.object(),
            Self::Merge(merge) => merge.object(),
            Self::ConvertLead(conversion) => conversion.object(),
            Self::Upsert(upsert) => upsert.object(),
        }
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        match self {
            Self::Delete(delete) => delete.require_allowed(deps),
            Self::Undelete(undelete) => undelete.require_allowed(deps),
            Self::Merge(merge) => merge.require_allowed(deps),
            Self::ConvertLead(conversion) => conversion.require_allowed(deps),
            Self::Upsert(upsert) => upsert.require_allowed(deps),
        }
    }

    fn names_owner(&self) -> bool {
        match self {
            Self::Delete(delete) => delete.names_owner(),
            Self::Undelete(undelete) => undelete.names_owner(),
            Self::Merge(merge) => merge.names_owner(),
            Self::ConvertLead(conversion) => conversion.names_owner(),
            Self::Upsert(upsert) => upsert.names_owner(),
        }
    }

    fn records(&self) -> Vec<RecordKey> {
        match self {
            Self::Delete(delete) => delete.records(),
            Self::Undelete(undelete) => undelete.records(),
            Self::Merge(merge) => merge.records(),
            Self::ConvertLead(conversion) => conversion.records(),
            Self::Upsert(upsert) => upsert.records(),
        }
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        match self {
            Self::Delete(delete) => delete.execute(deps, client, route, write).await,
            Self::Undelete(undelete) => undelete.execute(deps, client, route, write).await,
            Self::Merge(merge) => merge.execute(deps, client, route, write).await,
            Self::ConvertLead(conversion) => conversion.execute(deps, client, route, write).await,
            Self::Upsert(upsert) => upsert.execute(deps, client, route, write).await,
        }
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        match self {
            Self::Delete(delete) => delete.needs_lookup(write),
            Self::Undelete(undelete) => undelete.needs_lookup(write),
            Self::Merge(merge) => merge.needs_lookup(write),
            Self::ConvertLead(conversion) => conversion.needs_lookup(write),
            Self::Upsert(upsert) => upsert.needs_lookup(write),
        }
    }
}
