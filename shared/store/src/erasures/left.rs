//! The list of everything that an erasure leaves, and the reasons.

use serde::Serialize;

use super::{Erasure, ErasureState};

/// Something that an erasure leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// A stable code.
    pub what: &'static str,
    /// A text for people.
    pub note: &'static str,
}

/// Returns what is left after the erasure, in the order of importance.
pub(super) fn left(erasure: &Erasure) -> Vec<Left> {
    let stopped = (erasure.state == ErasureState::Stopped).then_some(STOPPED);
    let connections = (erasure.connections_left > 0).then_some(CONNECTIONS);
    let own = if erasure.of_record { OF_RECORD } else { OF_ORG };
    stopped.into_iter().chain(connections).chain(own.iter().chain(OF_ANY).cloned()).collect()
}

const STOPPED: Left = Left {
    what: "data",
    note: "The org was connected again, so the rest of its data is kept. Disconnect it to erase the data.",
};
const CONNECTIONS: Left = Left {
    what: "connections",
    note: "Salesforce did not revoke some grants, so their connections and tokens are kept. Disconnect the org again, then \
           repeat the request.",
};
const OF_ORG: &[Left] = &[
    Left {
        what: "org",
        note: "The org's id, tenant, environment, state and license, so that no other tenant can take the org over.",
    },
    Left {
        what: "queues",
        note: "Messages with ids, for up to 14 days. They change nothing, because the org is not active.",
    },
    Left {
        what: "links",
        note: "Connect links that name only the tenant, and sessions of the tenant's admins. They expire within seven days.",
    },
];
const OF_RECORD: &[Left] = &[
    Left { what: "salesforce", note: "The record itself. Delete it in Salesforce; Ferry does not." },
    Left {
        what: "marker",
        note: "The record's id, without fields, so that no refresh brings the record back. It is deleted with the org's data.",
    },
    Left {
        what: "other_records",
        note: "Fields of other mirrored records that name the person or hold the record's id.",
    },
    Left {
        what: "writes",
        note: "Writes that are not finished yet: repeat the request once they are. Writes that name the person only by \
               values such as an email address: Ferry searches for the record's id.",
    },
];
const OF_ANY: &[Left] = &[
    Left { what: "backups", note: "Point-in-time recovery of the tables, for up to 35 days." },
    Left { what: "logs", note: "Log lines with ids and no field values, until they expire (LogRetentionDays)." },
    Left {
        what: "events",
        note: "Events that were published before. Ferry has no copy; archives of the event bus are the vendor's.",
    },
];
