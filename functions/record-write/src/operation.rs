//! The operations of the function, as the ledger and the queue store them.

use salesforce::{Client, ObjectName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, WriteOperation};

use crate::rows;
use crate::{ConvertLead, Create, Delete, Deps, Graph, MergeRecords, Undelete, Upsert};

/// A write of records. Its stored form has one member with the operation's name; that of an upsert is the upsert itself, as
/// version 0.1.0 stored it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordWrite {
    /// New records of one object, by client keys.
    Create(Create),
    /// Records of several objects that refer to each other, all or none.
    Graph(Graph),
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

impl From<Create> for RecordWrite {
    fn from(create: Create) -> Self {
        Self::Create(create)
    }
}

impl From<Graph> for RecordWrite {
    fn from(graph: Graph) -> Self {
        Self::Graph(graph)
    }
}

impl From<Upsert> for RecordWrite {
    fn from(upsert: Upsert) -> Self {
        Self::Upsert(upsert)
    }
}

/// Evaluates an expression with the operation of the variant.
macro_rules! with_operation {
    ($write:ident, $operation:ident => $value:expr) => {
        match $write {
            RecordWrite::Create($operation) => $value,
            RecordWrite::Graph($operation) => $value,
            RecordWrite::Delete($operation) => $value,
            RecordWrite::Undelete($operation) => $value,
            RecordWrite::Merge($operation) => $value,
            RecordWrite::ConvertLead($operation) => $value,
            RecordWrite::Upsert($operation) => $value,
        }
    };
}

impl WriteOperation for RecordWrite {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        with_operation!(self, operation => operation.kind())
    }

    fn object(&self) -> Option<&ObjectName> {
        with_operation!(self, operation => operation.object())
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        with_operation!(self, operation => operation.require_allowed(deps))
    }

    fn names_owner(&self) -> bool {
        with_operation!(self, operation => operation.names_owner())
    }

    fn records(&self) -> Vec<RecordKey> {
        with_operation!(self, operation => operation.records())
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        with_operation!(self, operation => operation.execute(deps, client, route, write).await)
    }

    fn remaining(&self, outcome: &Value) -> Option<Self> {
        match self {
            Self::Upsert(upsert) => upsert.remaining(outcome).map(Self::Upsert),
            Self::Create(create) => create.remaining(outcome).map(Self::Create),
            // What a graph creates has no key that would tell it from the records of an earlier request.
            Self::Graph(graph) => rows::is_open(outcome).then(|| self.clone()).filter(|_| !graph.0.creates()),
            Self::Delete(_) | Self::Undelete(_) | Self::Merge(_) | Self::ConvertLead(_) => {
                rows::is_open(outcome).then(|| self.clone())
            }
        }
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        with_operation!(self, operation => operation.needs_lookup(write))
    }
}
