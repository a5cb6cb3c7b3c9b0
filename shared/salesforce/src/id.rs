//! Salesforce ids in their 18-character form.
//!
//! The 15-character form is case-sensitive. The 18-character form appends a checksum of three characters, which encodes
//! the case of the first 15 (REST API guide, ID data type).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, text_traits};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The id of a record of any object, with its checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordId([u8; 18]);

impl RecordId {
    /// Returns the 18-character form.
    pub fn as_str(&self) -> &str {
        text(&self.0)
    }

    /// Returns the case-sensitive 15-character form, which URLs and the License Management App use.
    pub fn short(&self) -> &str {
        text(&self.0[..15])
    }

    /// Returns the first three characters, which identify the object: `006` is Opportunity.
    pub fn key_prefix(&self) -> &str {
        text(&self.0[..3])
    }

    pub(crate) const fn from_static(id: &'static [u8; 18]) -> Self {
        Self(*id)
    }
}

/// The id of a Salesforce organization (key prefix `00D`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrgId(RecordId);

impl OrgId {
    /// Returns the 18-character form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the case-sensitive 15-character form.
    pub fn short(&self) -> &str {
        self.0.short()
    }
}

impl FromStr for RecordId {
    type Err = Error;

    /// Parses 15 or 18 characters, and verifies the checksum of the longer form.
    fn from_str(id: &str) -> Result<Self, Error> {
        let invalid = |reason| Error::Invalid { what: "record id", reason };
        let bytes = id.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(invalid("has characters other than letters and digits"));
        }
        let mut full = [0; 18];
        let Some((head, suffix)) = bytes.split_at_checked(15) else {
            return Err(invalid("is not 15 or 18 characters long"));
        };
        full[..15].copy_from_slice(head);
        full[15..].copy_from_slice(&checksum(head));
        match suffix {
            [] => Ok(Self(full)),
            suffix if suffix.len() != 3 => Err(invalid("is not 15 or 18 characters long")),
            suffix if suffix != &full[15..] => Err(invalid("has a wrong checksum")),
            _ => Ok(Self(full)),
        }
    }
}

impl FromStr for OrgId {
    type Err = Error;

    /// Parses a [`RecordId`] whose key prefix is that of an organization.
    fn from_str(id: &str) -> Result<Self, Error> {
        let invalid = |reason| Error::Invalid { what: "organization id", reason };
        let id: RecordId = id.parse().map_err(|error| match error {
            Error::Invalid { reason, .. } => invalid(reason),
            other => other,
        })?;
        if id.key_prefix() == "00D" { Ok(Self(id)) } else { Err(invalid("does not begin with 00D")) }
    }
}

fn checksum(head: &[u8]) -> [u8; 3] {
    let mut suffix = [0; 3];
    for (group, letter) in head.chunks(5).zip(&mut suffix) {
        let bits = group.iter().rev().fold(0, |bits, byte| bits << 1 | usize::from(byte.is_ascii_uppercase()));
        *letter = ALPHABET[bits];
    }
    suffix
}

/// The fallback is never used: ids consist of ASCII letters and digits.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

text_traits!(RecordId);
text_traits!(OrgId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_id_gets_the_known_checksum() {
        for id in [
            "00D5e000000KQ2eEAG",
            "04k5e000000CaRkAAK",
            "0065e00000AbCdEAAV",
            "001dM00003jU9GxQAK",
            "00DdM00000vfgTuUAI",
            "04lRi00000SEBI1IAP",
            "012000000000000AAA",
        ] {
            let long: RecordId = id.parse().unwrap();
            assert_eq!(long.as_str(), id);
            assert_eq!(id[..15].parse::<RecordId>().unwrap(), long);
            assert_eq!(long.short(), &id[..15]);
        }
    }

    #[test]
    fn ids_that_differ_in_case_are_different() {
        let upper: RecordId = "0065e00000AbCdE".parse().unwrap();
        let lower: RecordId = "0065e00000abcde".parse().unwrap();
        assert_ne!(upper, lower);
        assert!(!upper.as_str().eq_ignore_ascii_case(lower.as_str()));
    }

    #[test]
    fn an_invalid_id_is_rejected_and_not_repeated() {
        for (id, reason) in [
            ("", "record id is not 15 or 18 characters long"),
            ("0065e00000AbCd", "record id is not 15 or 18 characters long"),
            ("0065e00000AbCdEAA", "record id is not 15 or 18 characters long"),
            ("0065e00000AbCdEAAVX", "record id is not 15 or 18 characters long"),
            ("0065e00000AbCdEAAW", "record id has a wrong checksum"),
            ("0065e00000AbCdEaav", "record id has a wrong checksum"),
            ("0065e00000AbC-E", "record id has characters other than letters and digits"),
            ("0065e00000AbCü", "record id has characters other than letters and digits"),
        ] {
            assert_eq!(id.parse::<RecordId>().unwrap_err().to_string(), reason, "{id}");
        }
    }

    #[test]
    fn an_organization_id_begins_with_00d() {
        assert!("00D5e000000KQ2e".parse::<OrgId>().is_ok());
        let error = "0015e000000KQ2e".parse::<OrgId>().unwrap_err();
        assert_eq!(error.to_string(), "organization id does not begin with 00D");
    }

    #[test]
    fn json_holds_the_long_form_and_is_checked() {
        let id: RecordId = serde_json::from_str(r#""0065e00000AbCdE""#).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), r#""0065e00000AbCdEAAV""#);
        assert!(serde_json::from_str::<RecordId>(r#""0065e00000AbCdEAAA""#).is_err());
        assert_eq!(id.key_prefix(), "006");
    }

    proptest! {
        #[test]
        fn a_short_and_its_long_form_are_the_same_id(short in "[A-Za-z0-9]{15}") {
            let id: RecordId = short.parse().unwrap();
            prop_assert_eq!(id.short(), &short);
            prop_assert_eq!(id.as_str().parse::<RecordId>().unwrap(), id);
            prop_assert_eq!(id.to_string().len(), 18);
        }

        #[test]
        fn long_forms_differ_even_if_case_is_ignored(one in "[A-Za-z0-9]{15}", other in "[A-Za-z0-9]{15}") {
            prop_assume!(one != other);
            let (one, other): (RecordId, RecordId) = (one.parse().unwrap(), other.parse().unwrap());
            prop_assert!(!one.as_str().eq_ignore_ascii_case(other.as_str()));
        }

        #[test]
        fn a_changed_case_breaks_the_checksum(short in "[A-Za-z0-9]{15}", position in 0usize..15) {
            let id: RecordId = short.parse().unwrap();
            let mut changed = id.as_str().as_bytes().to_vec();
            prop_assume!(changed[position].is_ascii_alphabetic());
            changed[position] ^= 0x20;
            prop_assert!(std::str::from_utf8(&changed).unwrap().parse::<RecordId>().is_err());
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = text.parse::<RecordId>();
            let _ = text.parse::<OrgId>();
        }
    }
}
