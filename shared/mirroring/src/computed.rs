//! The configured fields of which the values are read again every night: formulas and roll-up summaries, which change without a new
//! `SystemModstamp`.

use std::str::FromStr;

use salesforce::{FieldName, ObjectName};

use crate::{InvalidFieldList, MirroredFields, is_same};

/// The computed fields that are read again every night.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ComputedFields {
    /// Every mirrored one.
    #[default]
    All,
    /// None.
    None,
    /// Those of a list, by object.
    Listed(MirroredFields),
}

impl ComputedFields {
    /// Returns those of an object's computed fields that are read again.
    #[must_use]
    pub fn of(&self, object: &ObjectName, computed: &[FieldName]) -> Vec<FieldName> {
        let listed = match self {
            Self::All => return computed.to_vec(),
            Self::None => return Vec::new(),
            Self::Listed(fields) => fields.for_object(object).unwrap_or_default(),
        };
        computed.iter().filter(|field| listed.iter().any(|name| is_same(name, field))).cloned().collect()
    }
}

impl FromStr for ComputedFields {
    type Err = InvalidFieldList;

    /// Parses `all`, `none`, or a list such as `Account:Score__c,Total__c;Invoice__c:Total__c`.
    fn from_str(text: &str) -> Result<Self, InvalidFieldList> {
        match text.trim() {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            list => list.parse().map(Self::Listed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(configured: &str, object: ObjectName) -> Vec<String> {
        let computed = ["Score__c", "Total__c"].map(|name| name.parse().unwrap());
        let fields = configured.parse::<ComputedFields>().unwrap().of(&object, &computed);
        fields.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_none_or_the_listed_fields_are_read_again() {
        let account = || ObjectName::from_static("Account");
        assert_eq!(of("all", account()), ["Score__c", "Total__c"]);
        assert!(of("none", account()).is_empty());
        assert_eq!(of("Contact:Age__c;account:total__c,Phone", account()), ["Total__c"]);
        assert!(of("Contact:Total__c", account()).is_empty());
        assert!("some".parse::<ComputedFields>().is_err());
    }
}
