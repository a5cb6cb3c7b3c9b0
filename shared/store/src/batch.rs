//! Batched AWS calls: their limits, and the pauses between attempts.

use std::time::Duration;

use salesforce::Backoff;

/// The limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of entries.
    pub entries: usize,
    /// The bytes over all entries.
    pub bytes: usize,
}

/// The limits of SQS and EventBridge. SQS accepts four times as many bytes, but EventBridge does not in every region.
pub(crate) const MESSAGES: Limits = Limits { entries: 10, bytes: 256 * 1024 };

/// The pauses before unprocessed entries are sent again.
pub(crate) const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), 2, Duration::from_millis(3_200));

/// Splits the entries, in order, into as few calls as the limits allow. An entry that is larger is alone in its call.
pub fn split<T>(entries: Vec<T>, limits: Limits, size_bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    split_where(entries, limits, size_bytes, |_, _| true)
}

/// Splits the entries, and starts a new call where `may_join` refuses an entry beside those already in the call.
pub(crate) fn split_where<T>(
    entries: Vec<T>,
    limits: Limits,
    size_bytes: impl Fn(&T) -> usize,
    may_join: impl Fn(&[T], &T) -> bool,
) -> Vec<Vec<T>> {
    let mut calls: Vec<Vec<T>> = Vec::new();
    let mut call_bytes = 0;
    for entry in entries {
        let bytes = size_bytes(&entry);
        match calls.last_mut() {
            Some(call)
                if call.len() < limits.entries && call_bytes + bytes <= limits.bytes && may_join(call, &entry) =>
            {
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
            let calls = split(sizes.clone(), MESSAGES, |size| *size);
            prop_assert_eq!(calls.concat(), sizes);
        }

        #[test]
        fn no_call_is_larger_than_aws_takes(sizes in prop::collection::vec(1..=MESSAGES.bytes, 0..60)) {
            for call in split(sizes, MESSAGES, |size| *size) {
                prop_assert!((1..=MESSAGES.entries).contains(&call.len()));
                prop_assert!(call.iter().sum::<usize>() <= MESSAGES.bytes);
            }
        }
    }

    #[test]
    fn small_entries_go_ten_at_a_time() {
        let calls = split(vec![1; 25], MESSAGES, |size| *size);
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    }

    #[test]
    fn a_caller_sets_the_limits() {
        let sizes = |entries, limits| -> Vec<usize> {
            split(vec![100; entries], limits, |size| *size).iter().map(Vec::len).collect()
        };
        let limits = |entries, bytes| Limits { entries, bytes };
        assert_eq!(sizes(5, limits(9, 250)), [2, 2, 1]);
        assert_eq!(sizes(2, limits(9, 10)), [1, 1]);
        assert_eq!(sizes(5, limits(4, usize::MAX)), [4, 1]);
        assert_eq!(sizes(0, limits(4, 10)), [0; 0]);
    }
}
