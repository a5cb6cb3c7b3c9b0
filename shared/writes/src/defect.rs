//! Defects of a request.

use std::fmt;

use serde_json::Value;

/// The maximum length of an unknown name in a text.
const MAX_NAME_CHARS: usize = 64;

/// A defect of a request: its place, and the change that is needed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The position in `records`, from 0; `None` for a request without records, or for a defect of all of them.
    pub record: Option<usize>,
    /// The member of the body or the field of the record, as the request spells it: `title`, `links[2]`, `Name`.
    pub field: Option<String>,
    /// The change that is needed, or the fault: it reads after the place and a colon.
    pub detail: &'static str,
}

impl Defect {
    /// Creates a defect of the whole request.
    #[must_use]
    pub fn whole(detail: &'static str) -> Self {
        Self { record: None, field: None, detail }
    }

    /// Creates a defect of a member of the body.
    #[must_use]
    pub fn field(field: &str, detail: &'static str) -> Self {
        Self { record: None, field: Some(field.to_owned()), detail }
    }
}

/// Returns a defect for each member of the body that is not one of `known`. `detail` lists the known ones.
#[must_use]
pub fn unknown_members(body: &Value, known: &[&str], detail: &'static str) -> Vec<Defect> {
    let names = body.as_object().into_iter().flat_map(|members| members.keys());
    let unknown = names.filter(|name| !known.contains(&name.as_str()));
    let printable = |name: &String| name.chars().filter(|char| !char.is_control()).take(MAX_NAME_CHARS).collect();
    unknown.map(|name| Defect { record: None, field: Some(printable(name)), detail }).collect()
}

impl fmt::Display for Defect {
    /// Writes `records[3].Name: the field occurs more than once` or `links[2]: must be a record id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.record, &self.field) {
            (Some(record), Some(field)) => write!(f, "records[{record}].{field}: {}", self.detail),
            (Some(record), None) => write!(f, "records[{record}]: {}", self.detail),
            (None, Some(field)) => write!(f, "{field}: {}", self.detail),
            (None, None) => f.write_str(self.detail),
        }
    }
}
