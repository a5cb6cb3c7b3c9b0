//! The outbound messages that a change of a record sets off.

use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;

impl Org {
    /// Queues what a user's change of a record sets off, unless the edition has no outbound messages or the user's profile
    /// lacks "Send Outbound Messages".
    pub(crate) fn notify(&mut self, actor: &Actor, object: &str, record: RecordId) {
        if self.features.outbound_messages && !self.outbox.silent_users.contains(&actor.user) {
            let now = self.clock.now();
            self.outbox.changed(object, record, now, &mut self.ids);
        }
    }
}
