//! Record ids: 15 case-sensitive characters and a suffix of 3, which makes ids comparable without regard to case.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const SUFFIX: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// In ASCII order, so that ids sort in the order in which they were created.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters 4 to 6 of the ids of the first org.
const INSTANCE: &str = "5e0";

/// An 18-character id with a valid suffix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecordId([u8; 18]);

impl RecordId {
    /// Parses 15 characters, or 18 with a valid suffix.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut short = [0_u8; 15];
        short.copy_from_slice(bytes.get(..15)?);
        let id = Self::from_short(short);
        let checked = bytes.len() == 15 || bytes.get(15..)?.eq_ignore_ascii_case(&id.0[15..]);
        checked.then_some(id)
    }

    fn from_short(short: [u8; 15]) -> Self {
        let mut full = [0_u8; 18];
        for (group, chunk) in short.chunks(5).enumerate() {
            let bits =
                chunk.iter().enumerate().filter(|(_, c)| c.is_ascii_uppercase()).fold(0, |bits, (i, _)| bits | 1 << i);
            full[15 + group] = SUFFIX[bits];
        }
        full[..15].copy_from_slice(&short);
        Self(full)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the 15-character form.
    pub(crate) fn short(&self) -> &str {
        &self.as_str()[..15]
    }

    /// Returns the first three characters, which identify the object.
    pub(crate) fn key_prefix(&self) -> &str {
        &self.as_str()[..3]
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("{text} is not the id of a record")))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Creates ids, in ascending order for each key prefix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IdSource {
    /// Characters 4 to 6, which differ between the orgs of a realm.
    instance: String,
    given: BTreeMap<String, u64>,
}

impl Default for IdSource {
    fn default() -> Self {
        Self::of_org(0)
    }
}

impl IdSource {
    /// Returns the id source of the `number`th org of a realm.
    pub(crate) fn of_org(number: u32) -> Self {
        let digit = |n: u32| char::from(DIGITS[usize::try_from(n % 62).unwrap_or_default()]);
        let instance = if number == 0 {
            INSTANCE.to_owned()
        } else {
            ['6', digit(number / 62), digit(number)].into_iter().collect()
        };
        Self { instance, given: BTreeMap::new() }
    }

    /// Returns the next id with that prefix.
    pub(crate) fn next(&mut self, key_prefix: &str) -> RecordId {
        let count = self.given.entry(key_prefix.to_owned()).or_insert(0);
        *count += 1;
        made(key_prefix, &self.instance, *count)
    }
}

/// Returns the `number`th id with a prefix in the first org.
pub(crate) fn numbered(key_prefix: &str, number: u64) -> RecordId {
    made(key_prefix, INSTANCE, number)
}

/// Returns the number of an id of the first org; the inverse of [`numbered`].
pub(crate) fn number_of(id: RecordId) -> u64 {
    let digit = |byte: u8| DIGITS.iter().position(|known| *known == byte).and_then(|at| u64::try_from(at).ok());
    id.short().bytes().skip(6).fold(0, |sum, byte| sum * 62 + digit(byte).unwrap_or_default())
}

fn made(key_prefix: &str, instance: &str, number: u64) -> RecordId {
    let mut short = [b'0'; 15];
    for (slot, byte) in short.iter_mut().zip(key_prefix.bytes().chain(instance.bytes())) {
        *slot = byte;
    }
    let mut rest = number;
    for slot in short[6..].iter_mut().rev() {
        *slot = DIGITS[usize::try_from(rest % 62).unwrap_or_default()];
        rest /= 62;
    }
    RecordId::from_short(short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_ids_get_their_known_suffixes() {
        for id in ["00D5e000000KQ2eEAG", "0055e000001mKpCAAU", "012000000000000AAA", "001dM00003jU9GxQAK"] {
            assert_eq!(RecordId::parse(&id[..15]).unwrap().as_str(), id);
            assert_eq!(RecordId::parse(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn an_id_with_a_wrong_suffix_is_rejected() {
        assert_eq!(RecordId::parse("00D5e000000KQ2eEAA"), None);
        assert_eq!(RecordId::parse("00D5e000000KQ2"), None);
        assert_eq!(RecordId::parse("00D5e000000KQ-e"), None);
    }

    #[test]
    fn orgs_never_create_the_same_id() {
        let ids: std::collections::BTreeSet<_> = (0..3_800).map(|n| IdSource::of_org(n).next("00D")).collect();
        assert_eq!(ids.len(), 3_800);
    }

    proptest! {
        #[test]
        fn ids_sort_in_the_order_of_creation(a in 0_u64..1 << 40, b in 0_u64..1 << 40) {
            prop_assert_eq!(a.cmp(&b), numbered("001", a).cmp(&numbered("001", b)));
        }

        #[test]
        fn every_created_id_reads_back(n in 0_u64..1 << 40) {
            let id = numbered("a00", n);
            prop_assert_eq!(RecordId::parse(id.as_str()), Some(id));
            prop_assert_eq!(RecordId::parse(id.short()), Some(id));
        }
    }
}
