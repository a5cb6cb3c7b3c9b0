//! API names of objects and fields, and the API version.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, text_traits};

/// The API name of an object: `Account`, `Invoice__c`, `ns__Invoice__c`.
///
/// Names that differ only in case are equal, as in Salesforce. A parsed name of a common standard object has Salesforce's
/// spelling; that of another object keeps the spelling that it was parsed from.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(Cow<'static, str>);

/// The API name of a field, or a path to one through relationships: `Name`, `ns__Key__c`, `Owner.Email`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldName(Cow<'static, str>);

/// A REST API version such as `66.0`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiVersion(u16);

impl ObjectName {
    /// Creates a name from a literal.
    ///
    /// # Panics
    ///
    /// If the literal is not an API name; in a `const` that is a compile error.
    pub const fn from_static(name: &'static str) -> Self {
        assert!(is_name(name.as_bytes()), "not an API name");
        Self(Cow::Borrowed(name))
    }

    /// Returns the name as Salesforce spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FieldName {
    /// `Id`, which every object has.
    pub const ID: Self = Self::from_static("Id");
    /// `SystemModstamp`: the time of the last change by a user or by an automated process.
    pub const SYSTEM_MODSTAMP: Self = Self::from_static("SystemModstamp");

    /// Creates a name from a literal.
    ///
    /// # Panics
    ///
    /// If the literal is not an API name or a path; in a `const` that is a compile error.
    pub const fn from_static(name: &'static str) -> Self {
        assert!(is_path(name.as_bytes()), "not a field name");
        Self(Cow::Borrowed(name))
    }

    /// Returns the name as Salesforce spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ApiVersion {
    /// The version that Ferry uses.
    pub const DEFAULT: Self = Self(66);
}

/// Standard objects in Salesforce's spelling. Rows of the mirror are stored under the object's name, so that one spelling has
/// to be used for all of them.
const STANDARD_OBJECTS: [&str; 40] = [
    "Account",
    "AccountContactRelation",
    "Asset",
    "Campaign",
    "CampaignMember",
    "Case",
    "CaseComment",
    "Contact",
    "ContentDocument",
    "ContentDocumentLink",
    "ContentNote",
    "ContentVersion",
    "Contract",
    "EmailMessage",
    "Event",
    "FeedItem",
    "Group",
    "Individual",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityHistory",
    "OpportunityLineItem",
    "OpportunityStage",
    "OpportunityTeamMember",
    "Order",
    "OrderItem",
    "Organization",
    "Pricebook2",
    "PricebookEntry",
    "Product2",
    "Profile",
    "Quote",
    "QuoteLineItem",
    "RecordType",
    "Solution",
    "Task",
    "User",
    "UserRole",
    "WorkOrder",
];

impl ObjectName {
    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl PartialEq for ObjectName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ObjectName {}

impl PartialOrd for ObjectName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl Hash for ObjectName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|byte| state.write_u8(byte));
        state.write_u8(0xff);
    }
}

/// Returns whether a name consists of letters, digits and underscores, and begins with a letter.
const fn is_name(name: &[u8]) -> bool {
    if name.is_empty() || name.len() > 255 || !name[0].is_ascii_alphabetic() {
        return false;
    }
    let mut i = 0;
    while i < name.len() {
        if !name[i].is_ascii_alphanumeric() && name[i] != b'_' {
            return false;
        }
        i += 1;
    }
    true
}

/// Returns whether a path consists of names, joined by dots.
const fn is_path(path: &[u8]) -> bool {
    let mut i = 0;
    while i < path.len() {
        if path[i] == b'.' {
            let (name, rest) = path.split_at(i);
            return is_name(name) && is_path(rest.split_at(1).1);
        }
        i += 1;
    }
    is_name(path)
}

impl FromStr for ObjectName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        if is_name(name.as_bytes()) {
            let standard = STANDARD_OBJECTS.iter().find(|standard| standard.eq_ignore_ascii_case(name));
            Ok(Self(standard.map_or_else(|| Cow::Owned(name.to_owned()), |standard| Cow::Borrowed(*standard))))
        } else {
            Err(Error::Invalid { what: "object name", reason: "is not an API name" })
        }
    }
}

impl FromStr for FieldName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        if name.len() <= 1024 && is_path(name.as_bytes()) {
            Ok(Self(Cow::Owned(name.to_owned())))
        } else {
            Err(Error::Invalid { what: "field name", reason: "is not an API name" })
        }
    }
}

impl FromStr for ApiVersion {
    type Err = Error;

    /// Parses `66.0`, `v66.0` or `66`.
    fn from_str(version: &str) -> Result<Self, Error> {
        let digits = version.trim_start_matches('v');
        let digits = digits.strip_suffix(".0").unwrap_or(digits);
        match digits.parse() {
            Ok(version @ 1..=999) => Ok(Self(version)),
            _ => Err(Error::Invalid { what: "API version", reason: "is not of the form 66.0" }),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.0", self.0)
    }
}

impl fmt::Debug for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for ApiVersion {
    type Error = Error;

    fn try_from(version: String) -> Result<Self, Error> {
        version.parse()
    }
}

impl From<ApiVersion> for String {
    fn from(version: ApiVersion) -> Self {
        version.to_string()
    }
}

text_traits!(ObjectName);
text_traits!(FieldName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_names_are_letters_digits_and_underscores() {
        for name in ["Account", "Invoice__c", "ns__Invoice__c", "sfLma__License__c", "A1"] {
            assert!(name.parse::<ObjectName>().is_ok(), "{name}");
        }
        for name in ["", "1A", "_A", "A b", "A;B", "A.B", "Ä", "A'", "A\n", "../x"] {
            assert!(name.parse::<ObjectName>().is_err(), "{name}");
        }
    }

    fn object(name: &str) -> ObjectName {
        name.parse().unwrap()
    }

    #[test]
    fn object_names_that_differ_in_case_are_equal() {
        for (one, other) in [("Account", "account"), ("Invoice__c", "INVOICE__C"), ("ns__A__c", "NS__a__c")] {
            assert_eq!(object(one), object(other));
            let names = std::collections::HashSet::from([object(one)]);
            assert!(names.contains(&object(other)));
            assert_eq!(std::collections::BTreeSet::from([object(one), object(other)]).len(), 1);
        }
        assert_ne!(object("Account"), object("Accounts"));
        assert_eq!(object("a").cmp(&object("B")), Ordering::Less);
    }

    #[test]
    fn a_standard_object_has_one_spelling() {
        assert_eq!(object("account").as_str(), "Account");
        assert_eq!(serde_json::from_str::<ObjectName>(r#""OPPORTUNITY""#).unwrap().as_str(), "Opportunity");
        assert_eq!(object("invoice__c").as_str(), "invoice__c");
        for name in STANDARD_OBJECTS {
            assert_eq!(object(&name.to_lowercase()).as_str(), name);
        }
    }

    #[test]
    fn a_field_may_be_a_path() {
        for name in ["Id", "ns__Key__c", "Owner.Email", "Account.Parent.Owner.Name", "Ns__Rel__r.Name"] {
            assert!(name.parse::<FieldName>().is_ok(), "{name}");
        }
        for name in ["", ".", "Owner.", ".Email", "Owner..Email", "Name, Secret__c", "COUNT()", "Name FROM User"] {
            assert!(name.parse::<FieldName>().is_err(), "{name}");
        }
    }

    #[test]
    fn an_api_version_is_parsed_in_three_spellings() {
        for version in ["66.0", "v66.0", "66"] {
            assert_eq!(version.parse::<ApiVersion>().unwrap(), ApiVersion::DEFAULT);
        }
        assert_eq!(ApiVersion::DEFAULT.to_string(), "66.0");
        for version in ["", "0", "66.1", "latest", "-1", "66.0/../.."] {
            assert!(version.parse::<ApiVersion>().is_err(), "{version}");
        }
    }

    #[test]
    fn json_names_are_checked() {
        assert!(serde_json::from_str::<ObjectName>(r#""Account""#).is_ok());
        assert!(serde_json::from_str::<ObjectName>(r#""Account/describe""#).is_err());
        assert!(serde_json::from_str::<FieldName>(r#""Name'""#).is_err());
    }
}
