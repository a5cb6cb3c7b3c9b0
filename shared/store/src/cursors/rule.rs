//! A cursor only moves forward: a pure rule.

use super::Position;

/// [`advance`] as a condition. Stored times and ids have one length, so their text order is their order.
pub(super) const IS_BEHIND: &str = "attribute_not_exists(#system_modstamp) OR #system_modstamp < :modstamp \
     OR (#system_modstamp = :modstamp AND #last_id < :id)";

/// Where a cursor stands after it was told to go to `to`.
#[must_use]
pub fn advance(at: Option<Position>, to: Position) -> Position {
    at.map_or(to, |at| at.max(to))
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
            last_id: id.parse().unwrap(),
        })
    }

    proptest! {
        #[test]
        fn any_order_of_moves_ends_at_the_furthest(moves in prop::collection::vec(position(), 1..20)) {
            let mut at = None;
            for to in &moves {
                let next = advance(at, *to);
                prop_assert!(at.is_none_or(|at| next >= at));
                at = Some(next);
            }
            prop_assert_eq!(at, moves.into_iter().max());
        }

        #[test]
        fn positions_compare_as_their_stored_text_does(a in position(), b in position()) {
            let stored = |at: &Position| (time::format(at.system_modstamp), at.last_id.as_str().to_owned());
            prop_assert_eq!(a.cmp(&b), stored(&a).cmp(&stored(&b)));
        }
    }
}
