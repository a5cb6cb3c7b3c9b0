//! The interface between the ledger and the operations that write to Salesforce.

use jiff::SignedDuration;
use salesforce::{Client, ObjectName, Retry};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::Route;
use store::{PlatformUser, RecordKey, Write, WriteKind};

use crate::{Deps, Error};

/// The time that one attempt may take, longer than a request or most functions may run. Afterwards another attempt may begin.
pub(crate) const ATTEMPT_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);

/// The result of an attempt that reached Salesforce.
#[derive(Clone, Debug, PartialEq)]
pub enum Attempted {
    /// Every record is decided. The outcome, whose members the response contains.
    Completed(Value),
    /// Some records are to be tried again.
    Partial {
        /// The outcome of every record: of the decided ones as it is, of the others as it stands if no later attempt decides
        /// them. The next attempt finds it as the `response` of the write.
        outcome: Value,
        /// The retry that the undecided records allow.
        retry: Retry,
    },
}

/// An operation that writes to Salesforce.
pub trait WriteOperation: Serialize + DeserializeOwned + Send + Sync {
    /// The dependencies of the function.
    type Deps: AsRef<Deps> + Sync;

    /// The time that an attempt from the queue may take, longer than the function may run. Afterwards another one may begin.
    const QUEUED_ATTEMPT_TIMEOUT: SignedDuration = ATTEMPT_TIMEOUT;

    /// Returns the kind of write.
    fn kind(&self) -> WriteKind;

    /// Returns the object, if all records are of one object.
    fn object(&self) -> Option<&ObjectName>;

    /// Returns the records that the operation changes. Writes of one record are made in the order of their requests.
    fn records(&self) -> Vec<RecordKey> {
        Vec::new()
    }

    /// Checks whether this installation carries out such operations.
    ///
    /// # Errors
    /// The installation does not. Nothing was stored.
    fn require_allowed(&self, _: &Self::Deps) -> Result<(), Error> {
        Ok(())
    }

    /// Returns whether what the operation creates can name an owner.
    fn names_owner(&self) -> bool {
        true
    }

    /// Makes one attempt through this connection.
    fn execute(
        &self,
        deps: &Self::Deps,
        client: &Client,
        route: &Route,
        write: &Write,
    ) -> impl Future<Output = Result<Attempted, Error>> + Send;

    /// Returns the operation that makes what this one has not made, for a retry; `outcome` is that of the write, which has failed,
    /// or of which some records were not written. `None` if nothing of it may succeed without a change, or must not be repeated.
    fn remaining(&self, _outcome: &Value) -> Option<Self> {
        None
    }

    /// Returns whether an earlier attempt may have created something that the next attempt has to look for. `false` for an
    /// operation that is safe to repeat.
    fn needs_lookup(&self, write: &Write) -> bool;
}

impl<O: WriteOperation> WriteRequest<O> {
    /// Returns the stored form of the request that makes what the write has not made.
    pub(crate) fn remaining(&self, outcome: &Value) -> Option<Value> {
        let operation = self.operation.remaining(outcome)?;
        let Self { platform_user, only_as_user, .. } = self;
        let request = WriteRequest { platform_user: platform_user.clone(), only_as_user: *only_as_user, operation };
        serde_json::to_value(request).ok()
    }
}

/// Reads a stored request. Serde reads a number of more than 64 bits inside a flattened member only from text.
pub(crate) fn stored<O: WriteOperation>(request: &Value) -> Result<WriteRequest<O>, serde_json::Error> {
    serde_json::from_str(&request.to_string())
}

/// A write request, as the ledger and the queue store it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteRequest<O> {
    /// The acting user.
    pub platform_user: Option<PlatformUser>,
    /// The acting user's own token requested the write, so only that user's connection may make it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_as_user: bool,
    /// The operation.
    #[serde(flatten)]
    pub operation: O,
}
