//! Transactions: writes take effect as a whole or not at all.

use crate::Error;
use crate::model::org::Org;
use crate::model::outbox::OutboxMark;
use crate::model::store::Mark;

/// A state of the org to roll back to.
pub(crate) struct Savepoint(pub(super) Mark, pub(super) OutboxMark);

/// Runs a write as one transaction.
pub(crate) fn transaction<T>(org: &mut Org, write: impl FnOnce(&mut Org) -> Result<T, Error>) -> Result<T, Error> {
    let start = org.savepoint();
    let outcome = write(org);
    if outcome.is_err() {
        org.rollback(&start);
    }
    org.store.commit();
    outcome
}
