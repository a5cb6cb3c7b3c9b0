//! A cursor only moves forward. A pure function, and the condition that guards its decision.

use super::Position;

/// The condition under which a cursor still has to move: another scan may have moved it since it was read. Stored times
/// and ids have a fixed length, so their text order is their order.
pub(super) const IS_BEHIND: &str = "attribute_not_exists(#system_modstamp) OR #system_modstamp < :modstamp \
     OR (#system_modstamp = :modstamp AND #last_id < :id)";

/// Returns the position that the cursor moves to after a page that ends with `last_row`, or `None` if it
/// stays. It stays when a scan reads rows again, as in the overlap with the scan before.
#[must_use]
pub fn advance(cursor: Option<Position>, last_row: Option<Position>) -> Option<Position> {
    last_row.filter(|last_row| cursor.is_none_or(|cursor| cursor < *last_row))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::time;

    fn position() -> impl Strategy<Value = Position> {
        let ids =
            prop::sample::select(vec!["0065e00000AbCdE", "0065e00000AbCdF", "0065e00000abcde", "0065e000009bcde"]);
        (0..5_000_i64, ids).prop_map(|(millis, id)| Position {
            system_modstamp: Timestamp::from_millisecond(millis).unwrap(),
            record_id: id.parse().unwrap(),
        })
    }

    proptest! {
        #[test]
        fn any_order_of_moves_ends_at_the_furthest(moves in prop::collection::vec(position(), 1..20)) {
            let mut cursor = None;
            for to in &moves {
                let moved = advance(cursor, Some(*to));
                prop_assert!(moved.is_none_or(|moved| cursor < Some(moved)));
                cursor = moved.or(cursor);
            }
            prop_assert_eq!(cursor, moves.into_iter().max());
        }

        #[test]
        fn positions_compare_as_their_stored_text_does(a in position(), b in position()) {
            let stored = |at: &Position| (time::format(at.system_modstamp), at.record_id.as_str().to_owned());
            prop_assert_eq!(a.cmp(&b), stored(&a).cmp(&stored(&b)));
        }
    }

    #[test]
    fn an_empty_page_moves_no_cursor() {
        assert_eq!(advance(None, None), None);
    }
}
