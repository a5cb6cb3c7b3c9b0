//! The write options that the headers of a request set.

use crate::model::errors::ApiError;
use crate::model::ids::RecordId;

/// The assignment rule for a new lead or case (`Sforce-Auto-Assign`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AutoAssign {
    /// The active rule; the default without the header.
    #[default]
    Active,
    Off,
    /// The rule with that id.
    Rule(RecordId),
}

/// The options of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteOptions {
    pub(crate) auto_assign: AutoAssign,
    /// Saves although an alerting duplicate rule finds a duplicate.
    pub(crate) allow_duplicates: bool,
    /// Includes the fields of the existing records that a new one duplicates.
    pub(crate) duplicate_details: bool,
    /// Finds only duplicates that the user may see; otherwise duplicate rules see all records.
    pub(crate) duplicates_as_user: bool,
    /// The write is a part of a lead conversion.
    pub(crate) converts_lead: bool,
    /// API version of the request.
    pub(crate) version: u32,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            auto_assign: AutoAssign::Active,
            allow_duplicates: false,
            duplicate_details: false,
            duplicates_as_user: false,
            converts_lead: false,
            version: 66,
        }
    }
}

impl WriteOptions {
    /// Parses the headers `Sforce-Auto-Assign` and `Sforce-Duplicate-Rule-Header`; an error when the first is neither a
    /// truth value nor an id (SOAP API guide, `AssignmentRuleHeader`).
    pub(crate) fn read(
        version: u32,
        auto_assign: Option<&str>,
        duplicate_rule: Option<&str>,
    ) -> Result<Self, ApiError> {
        let auto_assign = match auto_assign.map(str::trim) {
            None => AutoAssign::Active,
            Some(text) if text.eq_ignore_ascii_case("true") => AutoAssign::Active,
            Some(text) if text.eq_ignore_ascii_case("false") => AutoAssign::Off,
            Some(text) => {
                let malformed = || ApiError::new("MALFORMED_ID", format!("malformed id {text}"));
                RecordId::parse(text).map(AutoAssign::Rule).ok_or_else(malformed)?
            }
        };
        let set = |name: &str| duplicate_rule.is_some_and(|header| is_set(header, name));
        Ok(Self {
            auto_assign,
            allow_duplicates: set("allowSave"),
            duplicate_details: set("includeRecordDetails"),
            duplicates_as_user: set("runAsCurrentUser"),
            converts_lead: false,
            version,
        })
    }
}

/// Returns whether a header such as `allowSave=true; runAsCurrentUser=false` sets an option to true.
fn is_set(header: &str, name: &str) -> bool {
    let pairs = header.split([';', ',']).filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .any(|(key, value)| key.trim().eq_ignore_ascii_case(name) && value.trim().eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_with_any_case_and_separator() {
        let read = |assign, rule| WriteOptions::read(66, assign, rule).unwrap();
        let options = read(Some("FALSE"), Some("allowSave=TRUE; includeRecordDetails=false"));
        assert_eq!(options.auto_assign, AutoAssign::Off);
        assert!(options.allow_duplicates && !options.duplicate_details);
        assert!(read(None, Some("includeRecordDetails=true, allowSave=true")).allow_duplicates);
        assert_eq!(read(None, None), WriteOptions::default());
        assert_eq!(WriteOptions::read(66, Some("maybe"), None).unwrap_err().code, "MALFORMED_ID");
    }
}
