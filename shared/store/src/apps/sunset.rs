//! The schedule of sunset warnings.

/// The warnings, in days before the sunset, the earliest first.
pub const WARNINGS: [u16; 3] = [60, 30, 7];

/// Returns the warning that is due: the last one reached with `days_left` whole days to go. `None` before the first
/// warning and after the sunset.
#[must_use]
pub fn due_warning(days_left: i64) -> Option<u16> {
    WARNINGS.into_iter().rev().find(|days| (1..=i64::from(*days)).contains(&days_left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_due_from_its_day_to_the_next_one() {
        let due: Vec<_> = [61, 60, 31, 30, 8, 7, 1, 0, -1].map(due_warning).to_vec();
        assert_eq!(due, [None, Some(60), Some(60), Some(30), Some(30), Some(7), Some(7), None, None]);
    }
}
