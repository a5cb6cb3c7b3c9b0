//! Dependencies.

use runtime::{Aws, Schemas};
use salesforce::notes::NOTE;
use salesforce::{Client, ObjectDescribe, OrgId};
use store::ConnectionId;
use writes::{Config, Error, NoteError};

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The dependencies of the ledger, which include the Salesforce clients.
    pub ledger: writes::Deps,
    /// What each connection's user may do with notes, remembered for a while.
    pub schemas: Schemas,
}

impl From<writes::Deps> for Deps {
    fn from(ledger: writes::Deps) -> Self {
        Self { ledger, schemas: Schemas::default() }
    }
}

impl AsRef<writes::Deps> for Deps {
    fn as_ref(&self) -> &writes::Deps {
        &self.ledger
    }
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    ///
    /// # Errors
    /// The machine has no usable TLS configuration.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, salesforce::Error> {
        writes::Deps::new(aws, config).map(Self::from)
    }

    /// Checks that notes are switched on, and that the connection's user may do this with them. Costs a call in 15 minutes.
    ///
    /// # Errors
    /// [`NoteError::Disabled`], [`NoteError::NotPermitted`], or that of the call.
    pub(crate) async fn require_notes(
        &self,
        client: &Client,
        key: (OrgId, &ConnectionId),
        action: Action,
    ) -> Result<(), Error> {
        let now = self.ledger.clock.now();
        let (mut schema, unknown) = self.schemas.get(key, &[NOTE], now);
        if !unknown.is_empty() {
            match client.find_object(&NOTE).await? {
                // That notes are switched off is not remembered, so that they work as soon as they are on.
                None => return Err(NoteError::Disabled.into()),
                found => self.schemas.insert(key, [(NOTE, found)], now, &mut schema),
            }
        }
        let is_allowed = |notes: &ObjectDescribe| match action {
            Action::Create => notes.summary.createable,
            Action::Change => notes.summary.updateable,
            Action::Other => true,
        };
        match schema.object(&NOTE) {
            Some(notes) if is_allowed(notes) => Ok(()),
            Some(_) => Err(NoteError::NotPermitted(action.text()).into()),
            None => Err(NoteError::Disabled.into()),
        }
    }
}

/// An action for which a permission is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Create a note.
    Create,
    /// Change a note.
    Change,
    /// Delete or link a note: who owns it or may edit it may do that.
    Other,
}

impl Action {
    fn text(self) -> &'static str {
        match self {
            Self::Create => "create notes",
            Self::Change => "change notes",
            Self::Other => "use notes",
        }
    }
}
