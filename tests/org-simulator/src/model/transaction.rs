//! Transactions: writes that are committed or rolled back as a whole.

use crate::Error;
use crate::model::change_events::Origin;
use crate::model::org::Org;
use crate::model::outbox::OutboxMark;
use crate::model::store::Mark;

/// A state of the org, for a rollback.
pub(crate) struct Savepoint(pub(crate) Mark, pub(crate) OutboxMark);

/// Runs a write as a transaction: committed on success, rolled back on an error.
pub(crate) fn transaction<T>(org: &mut Org, write: impl FnOnce(&mut Org) -> Result<T, Error>) -> Result<T, Error> {
    let start = org.savepoint();
    let outcome = write(org);
    if outcome.is_err() {
        org.rollback(&start);
    }
    org.commit(Origin::default());
    outcome
}

impl Org {
    pub(crate) fn savepoint(&self) -> Savepoint {
        Savepoint(self.store.mark(), self.outbox.mark())
    }

    /// Undoes all writes since the savepoint, and the notifications that they queued.
    pub(crate) fn rollback(&mut self, to: &Savepoint) {
        self.store.rollback(to.0);
        self.outbox.rollback(to.1);
    }
}
