//! The handle's methods for Change Data Capture.

use serde_json::Value;

use super::Simulator;
use crate::Error;
use crate::messages::event_relay;

impl Simulator {
    /// Selects objects for a channel of change events: the standard one (`ChangeEvents`), or a custom one
    /// (`Ferry__chn`), which is added if it does not exist.
    pub fn capture_changes(&self, channel: &str, objects: &[&str]) -> Result<(), Error> {
        event_relay::capture(&mut self.shared.org(), channel, objects)
    }

    /// Returns the change events of a custom channel of the last three days, oldest first, as Event Relay publishes them
    /// on Amazon EventBridge.
    pub fn relayed_events(&self, channel: &str) -> Result<Vec<Value>, Error> {
        event_relay::relayed(&mut self.shared.org(), channel)
    }
}
