//! The operations of the function, as the ledger and the queue store them.

use salesforce::{Client, ObjectName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::Route;
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, WriteOperation};

use crate::{Deps, Upsert};

/// A write of records. Its stored form has one member with the operation's name; that of an upsert is the upsert itself, as
/// version 0.1.0 stored it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordWrite {
    /// An upsert of records of one object.
    #[serde(untagged)]
    Upsert(Upsert),
}

impl WriteOperation for RecordWrite {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        match self {
            Self::Upsert(upsert) => upsert.kind(),
        }
    }

    fn object(&self) -> Option<&ObjectName> {
        match self {
            Self::Upsert(upsert) => upsert.object(),
        }
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        match self {
            Self::Upsert(upsert) => upsert.require_allowed(deps),
        }
    }

    fn names_owner(&self) -> bool {
        match self {
            Self::Upsert(upsert) => upsert.names_owner(),
        }
    }

    fn records(&self) -> Vec<RecordKey> {
        match self {
            Self::Upsert(upsert) => upsert.records(),
        }
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        match self {
            Self::Upsert(upsert) => upsert.execute(deps, client, route, write).await,
        }
    }

    fn remaining(&self, outcome: &Value) -> Option<Self> {
        match self {
            Self::Upsert(upsert) => upsert.remaining(outcome).map(Self::Upsert),
        }
    }

    fn needs_lookup(&self, write: &Write) -> bool {
        match self {
            Self::Upsert(upsert) => upsert.needs_lookup(write),
        }
    }
}
