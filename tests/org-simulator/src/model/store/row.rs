//! A record in compact form: only values that are not null are stored.

use crate::model::ids::RecordId;
use crate::model::schema;
use crate::model::value::Value;

const NULL: &Value = &Value::Null;
const BITS: usize = 64;

/// A record. Fields that were added to the schema later are null until they are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// One bit for each position, set where the value is not null.
    filled: Vec<u64>,
    /// The values that are not null, by position.
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn get(&self, position: usize) -> &Value {
        let (word, bit) = (position / BITS, 1 << (position % BITS));
        match self.filled.get(word) {
            Some(bits) if bits & bit != 0 => self.values.get(self.place(position)).unwrap_or(NULL),
            _ => NULL,
        }
    }

    pub(crate) fn set(&mut self, position: usize, value: Value) {
        let (word, bit) = (position / BITS, 1_u64 << (position % BITS));
        let place = self.place(position);
        let was_filled = self.filled.get(word).is_some_and(|bits| bits & bit != 0);
        match (was_filled, value) {
            (false, Value::Null) => {}
            (true, Value::Null) => {
                self.filled[word] &= !bit;
                self.values.remove(place);
            }
            (true, value) => self.values[place] = value,
            (false, value) => {
                if word >= self.filled.len() {
                    self.filled.resize(word + 1, 0);
                }
                self.filled[word] |= bit;
                self.values.insert(place, value);
            }
        }
    }

    /// Returns the number of values stored before the one at that position.
    fn place(&self, position: usize) -> usize {
        let (word, below) = (position / BITS, (1_u64 << (position % BITS)) - 1);
        let whole: u32 = self.filled.iter().take(word).map(|bits| bits.count_ones()).sum();
        let part = self.filled.get(word).map_or(0, |bits| (bits & below).count_ones());
        usize::try_from(whole + part).unwrap_or(usize::MAX)
    }

    /// Releases spare capacity.
    pub(super) fn shrink(&mut self) {
        self.filled.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    pub(crate) fn id(&self) -> Option<RecordId> {
        self.get(schema::ID).as_id()
    }

    pub(crate) fn is_deleted(&self) -> bool {
        *self.get(schema::IS_DELETED) == Value::Bool(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_returns_the_value_set_last(writes in proptest::collection::vec((0_usize..200, 0_i64..3), 0..80)) {
            let (mut row, mut model) = (Row::default(), vec![Value::Null; 200]);
            for (at, n) in writes {
                let value = if n == 0 { Value::Null } else { Value::Int(n) };
                row.set(at, value.clone());
                model[at] = value;
            }
            for (at, value) in model.iter().enumerate() {
                prop_assert_eq!(row.get(at), value);
            }
            prop_assert_eq!(row.get(1_000), &Value::Null);
        }
    }
}
