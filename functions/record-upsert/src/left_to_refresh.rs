//! Decides which hints that wait for a person are left to the refresh. Pure.
//!
//! While a connection cannot be used until a person acts, its hints are sent again every few minutes, in the workers that
//! all orgs share. An org whose team is gone for months would fill them. So a hint waits for [`LONGEST_WAIT`]; then the scan
//! of its object reads the record, once the connection can be used again.
//!
//! That scan reads the record, because the change was committed before its hint arrived. Either a complete scan began after
//! that, and has read it; or the next scan begins where the last complete one began, minus its overlap, and reads it: the
//! cursor of an object moves only after the rows before it are stored (`pipeline-refresh`, `scan.rs`). A hint of an object that
//! is not scanned goes on waiting.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, Retry};
use store::{ChangeHint, Cursor, CursorName, DeliveryOutcome};

use crate::disposition::Disposition;

/// The time after its arrival for which a hint waits for a person.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Returns whether the hint has to wait for a person, and has waited for long enough.
#[must_use]
pub fn is_due(hint: &ChangeHint, disposition: &Disposition, now: Timestamp) -> bool {
    let waits_for_a_person = matches!(disposition, Disposition::Deferred { retry: Retry::NeedsHuman, .. });
    waits_for_a_person && now.duration_since(hint.received_at) >= LONGEST_WAIT
}

/// Returns the objects that the refresh scans: those of the configuration of which a scan of the org has stored a page. A
/// configured object may be one that cannot be scanned.
#[must_use]
pub fn scanned(mirrored: &[ObjectName], cursors: &[Cursor]) -> BTreeSet<ObjectName> {
    let is_scanned = |object: &&ObjectName| {
        let names = [CursorName::incremental(object), CursorName::backfill(object)];
        let mut of_object = cursors.iter().filter(|cursor| names.contains(&cursor.cursor_name));
        of_object.any(|cursor| cursor.covered_until.is_some() || cursor.checkpoint.is_some())
    };
    mirrored.iter().filter(is_scanned).cloned().collect()
}

/// Returns the outcome of a hint that is left to the refresh; `None` if it is not.
#[must_use]
pub fn outcome(
    hint: &ChangeHint,
    disposition: &Disposition,
    scanned: &BTreeSet<ObjectName>,
    now: Timestamp,
) -> Option<DeliveryOutcome> {
    let is_scanned = hint.record.as_ref().is_some_and(|record| scanned.contains(&record.object));
    match disposition {
        Disposition::Deferred { reason, .. } if is_scanned && is_due(hint, disposition, now) => {
            Some(DeliveryOutcome::LeftToRefresh { reason: reason.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use store::{Deferrals, RecordRef, Source};

    use super::*;

    const OBJECTS: [&str; 3] = ["Account", "Contact", "Invoice__c"];

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn hint(object: &str, age: SignedDuration) -> ChangeHint {
        ChangeHint {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            delivery_id: "04l5e00000Gx7QzAAJ".parse().unwrap(),
            source: Source::OutboundMessage,
            record: Some(RecordRef {
                object: object.parse().unwrap(),
                record_id: "0015e00000ZkM3hAAF".parse().unwrap(),
            }),
            received_at: now() - age,
            deferrals: Deferrals { count: 1_000, ..Deferrals::default() },
        }
    }

    fn deferred(retry: Retry) -> Disposition {
        Disposition::Deferred { reason: "reconnect_required".to_owned(), retry }
    }

    fn cursor(name: CursorName, covered_until: Option<Timestamp>, checkpoint: Option<&str>) -> Cursor {
        Cursor {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            cursor_name: name,
            progress: None,
            position: None,
            checkpoint: checkpoint.map(str::to_owned),
            covered_until,
            failure: Some("reconnect_required".to_owned()),
            failing_since: Some(now()),
            updated_at: now(),
        }
    }

    proptest! {
        #[test]
        fn only_what_a_scan_reads_is_left_after_three_days(
            object in prop::sample::select(OBJECTS.to_vec()),
            scanned in prop::sample::subsequence(OBJECTS.to_vec(), 0..=OBJECTS.len()),
            minutes in 0..10_000_i64,
            retry in prop::sample::select(vec![Retry::NeedsHuman, Retry::After(Duration::ZERO), Retry::Unknown(Duration::ZERO)]),
        ) {
            let hint = hint(object, SignedDuration::from_mins(minutes));
            let scanned_objects = scanned.iter().map(|object| object.parse().unwrap()).collect();

            let outcome = outcome(&hint, &deferred(retry), &scanned_objects, now());

            let is_left = retry == Retry::NeedsHuman && minutes >= 3 * 24 * 60 && scanned.contains(&object);
            let expected = is_left.then(|| DeliveryOutcome::LeftToRefresh { reason: "reconnect_required".to_owned() });
            prop_assert_eq!(outcome, expected);
        }
    }

    #[test]
    fn an_object_is_scanned_once_a_page_of_it_is_stored() {
        let [account, contact, invoice] = OBJECTS.map(|object| object.parse::<ObjectName>().unwrap());
        let lead: ObjectName = "Lead".parse().unwrap();
        let cursors = [
            cursor(CursorName::backfill(&account), Some(now()), None),
            cursor(CursorName::incremental(&contact), None, Some("{}")),
            // It cannot be scanned, or the connection was blocked before the first page.
            cursor(CursorName::backfill(&invoice), None, None),
            // It is not mirrored any more.
            cursor(CursorName::backfill(&lead), Some(now()), None),
            cursor(CursorName::poll(), Some(now()), None),
        ];

        let scanned = scanned(&[account.clone(), contact.clone(), invoice], &cursors);

        assert_eq!(scanned, BTreeSet::from([account, contact]));
    }

    #[test]
    fn the_spelling_of_an_object_does_not_matter() {
        let configured: ObjectName = "account".parse().unwrap();
        let cursors = [cursor(CursorName::backfill(&configured), Some(now()), None)];

        let scanned = scanned(&[configured], &cursors);

        assert!(outcome(&hint("Account", LONGEST_WAIT), &deferred(Retry::NeedsHuman), &scanned, now()).is_some());
    }

    #[test]
    fn a_hint_without_a_record_is_never_left() {
        let hint = ChangeHint { record: None, ..hint("Account", LONGEST_WAIT) };
        let scanned = BTreeSet::from(["Account".parse().unwrap()]);
        assert_eq!(outcome(&hint, &deferred(Retry::NeedsHuman), &scanned, now()), None);
    }
}
