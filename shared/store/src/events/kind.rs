//! The types of the published events.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Declares the types in one table, so that none can lack a name or be missing in [`EventKind::ALL`].
macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)+) => {
        /// The type of an event, and the `DetailType` that rules on the bus match.
        ///
        /// `infra/events` has a schema of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl EventKind {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the name, for example `record.changed`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

event_kinds! {
    /// The mirror has the record for the first time, or fields differ.
    RecordChanged = "record.changed";
    /// The record is in the recycle bin, or purged.
    RecordDeleted = "record.deleted";
    /// The record was merged into another one.
    RecordMerged = "record.merged";
    /// The record was undeleted.
    RecordRestored = "record.restored";
    /// A user gave consent.
    ConnectionConnected = "connection.connected";
    /// The user has to connect again.
    ConnectionReauthRequired = "connection.reauth_required";
    /// A person has to act before the connection can be used.
    ConnectionBlocked = "connection.blocked";
    /// The condition that blocked the connection is over.
    ConnectionUnblocked = "connection.unblocked";
    /// The connection was ended on purpose.
    ConnectionDisconnected = "connection.disconnected";
    /// The app of the connection will be stopped.
    ConnectionUpgradeRequired = "connection.upgrade_required";
    /// A license message has named an org without a tenant.
    OrgClaimed = "org.claimed";
    /// An administrator has connected the org.
    OrgActive = "org.active";
    /// The package was removed.
    OrgUninstalled = "org.uninstalled";
    /// The tenant or the operator ended the connection of the org.
    OrgDisconnected = "org.disconnected";
    /// The license has other values.
    OrgLicenseChanged = "org.license_changed";
    /// A copy of the org was seen.
    OrgCopyDetected = "org.copy_detected";
    /// The org's data were erased.
    OrgErased = "org.erased";
    /// A pipeline has other stages or names, is new, or was removed.
    PipelineChanged = "pipeline.changed";
    /// A write that was answered 202 was made for every record.
    WriteSucceeded = "write.succeeded";
    /// A write that was answered 202 has failed, at least for a record.
    WriteFailed = "write.failed";
    /// An audit of an object has ended, or cannot go on.
    AuditCompleted = "audit.completed";
    /// Fields of a mirrored object are new, hidden, visible again, or of another type.
    ObjectFieldsChanged = "object.fields_changed";
    /// A share of the org's API calls is used.
    BudgetWarning = "budget.warning";
    /// A webhook endpoint of the platform was paused.
    WebhookEndpointPaused = "webhook_endpoint.paused";
    /// The platform asked for a test of a webhook endpoint; sent to that endpoint only.
    WebhookEndpointTest = "webhook_endpoint.test";
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or("there is no such type of event")
    }
}
