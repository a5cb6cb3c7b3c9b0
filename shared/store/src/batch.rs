//! Batched AWS calls: their size limits, and the pauses between attempts.

use std::time::Duration;

use salesforce::Backoff;

/// The entries of one call.
pub(crate) const MAX_ENTRIES: usize = 10;
/// The bytes of one call, over all its entries. SQS accepts four times as much, but EventBridge does not in every
/// region.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// The pauses before unprocessed entries are sent again.
pub(crate) const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), 2, Duration::from_millis(3_200));

/// Splits the entries, in order, into as few calls as the limits allow.
pub(crate) fn split<T>(entries: Vec<T>, size_bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    split_where(entries, size_bytes, |_, _| true)
}

/// Splits the entries, and starts a new call where `may_join` refuses an entry beside those already in the call.
pub(crate) fn split_where<T>(
    entries: Vec<T>,
    size_bytes: impl Fn(&T) -> usize,
    may_join: impl Fn(&[T], &T) -> bool,
) -> Vec<Vec<T>> {
    let mut calls: Vec<Vec<T>> = Vec::new();
    let mut call_bytes = 0;
    for entry in entries {
        let bytes = size_bytes(&entry);
        match calls.last_mut() {
            Some(call) if call.len() < MAX_ENTRIES && call_bytes + bytes <= MAX_BYTES && may_join(call, &entry) => {
                call_bytes += bytes;
                call.push(entry);
            }
            _ => {
                call_bytes = bytes;
                calls.push(vec![entry]);
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_entry_goes_out_once_and_in_order(sizes in prop::collection::vec(1..100_000_usize, 0..60)) {
            let calls = split(sizes.clone(), |size| *size);
            prop_assert_eq!(calls.concat(), sizes);
        }

        #[test]
        fn no_call_is_larger_than_aws_takes(sizes in prop::collection::vec(1..=MAX_BYTES, 0..60)) {
            for call in split(sizes, |size| *size) {
                prop_assert!((1..=MAX_ENTRIES).contains(&call.len()));
                prop_assert!(call.iter().sum::<usize>() <= MAX_BYTES);
            }
        }
    }

    #[test]
    fn small_entries_go_ten_at_a_time() {
        let calls = split(vec![1; 25], |size| *size);
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    }
}
