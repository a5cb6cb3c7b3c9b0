//! Queues the outbound messages for a change of a record.

use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;

impl Org {
    /// Queues the notifications for a user's change of a record, unless the edition has no outbound messages or the
    /// user does not have the permission "Send Outbound Messages".
    pub(crate) fn notify(&mut self, actor: &Actor, object: &str, record: RecordId) {
        if self.features.outbound_messages && !self.outbox.silent_users.contains(&actor.user) {
            let now = self.clock.now();
            self.outbox.changed(object, record, now, &mut self.ids);
        }
    }
}
