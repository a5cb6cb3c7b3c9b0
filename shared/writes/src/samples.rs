//! A write, for the tests of this crate.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::{NewWrite, Write, WriteKind};

/// Returns the time of the tests.
pub(crate) fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// Returns a write in its first attempt, which was requested now.
pub(crate) fn requested() -> Write {
    let write = NewWrite {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        idempotency_key: "k".parse().unwrap(),
        kind: WriteKind::Records,
        object: None,
        platform_user: None,
        request: json!({}),
        retry_of: None,
        now: now(),
        claim_ttl: SignedDuration::from_secs(60),
    };
    write.first_attempt()
}
