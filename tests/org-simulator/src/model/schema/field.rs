//! Fields: their types, sizes and flags.

use serde::{Deserialize, Serialize};

use super::query_flags::QueryFlags;
use crate::model::computed::Computed;
use crate::model::value::Value;

/// The type of a field, as describe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FieldKind {
    Id,
    Boolean,
    String,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Reference,
    Picklist,
    MultiPicklist,
    TextArea,
    Email,
    Phone,
    Url,
    Base64,
    /// A compound of address fields.
    Address,
    /// A compound of latitude and longitude.
    Location,
    /// A value of the type of another field, such as the old value in a history.
    AnyType,
}

impl FieldKind {
    const NAMES: [(Self, &'static str); 20] = [
        (Self::Id, "id"),
        (Self::Boolean, "boolean"),
        (Self::String, "string"),
        (Self::Int, "int"),
        (Self::Double, "double"),
        (Self::Currency, "currency"),
        (Self::Percent, "percent"),
        (Self::Date, "date"),
        (Self::DateTime, "datetime"),
        (Self::Reference, "reference"),
        (Self::Picklist, "picklist"),
        (Self::MultiPicklist, "multipicklist"),
        (Self::TextArea, "textarea"),
        (Self::Email, "email"),
        (Self::Phone, "phone"),
        (Self::Url, "url"),
        (Self::Base64, "base64"),
        (Self::Address, "address"),
        (Self::Location, "location"),
        (Self::AnyType, "anyType"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("string", |(_, name)| name)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// Returns whether values are stored as text.
    pub(crate) fn is_text(self) -> bool {
        matches!(
            self,
            Self::String
                | Self::Picklist
                | Self::MultiPicklist
                | Self::TextArea
                | Self::Email
                | Self::Phone
                | Self::Url
        )
    }

    /// Returns whether the field combines other fields and has no value of its own.
    pub(crate) fn is_compound(self) -> bool {
        matches!(self, Self::Address | Self::Location)
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double | Self::Currency | Self::Percent)
    }
}

/// One value of a picklist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PicklistValue {
    pub(crate) value: String,
    pub(crate) is_default: bool,
    /// The text that people see, where it differs from the value.
    #[serde(default)]
    label: Option<String>,
}

impl PicklistValue {
    pub(crate) fn new(value: &str, is_default: bool) -> Self {
        Self { value: value.to_owned(), is_default, label: None }
    }

    pub(crate) fn labeled(value: &str, label: &str) -> Self {
        Self { label: Some(label.to_owned()), ..Self::new(value, false) }
    }

    pub(crate) fn label(&self) -> &str {
        self.label.as_ref().unwrap_or(&self.value)
    }
}

/// The controlling field of a dependent picklist, and the combinations of values that are valid.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dependency {
    pub(crate) controller: String,
    /// For each value, the values of the controlling field with which it may be chosen.
    pub(crate) valid_for: std::collections::BTreeMap<String, Vec<String>>,
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are describe's own flags, one for one")]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) kind: FieldKind,
    /// The maximum length of the text in characters; 0 for types without a length.
    pub(crate) length: usize,
    pub(crate) precision: usize,
    pub(crate) scale: usize,
    pub(crate) nillable: bool,
    pub(crate) createable: bool,
    pub(crate) updateable: bool,
    pub(crate) defaulted_on_create: bool,
    pub(crate) external_id: bool,
    pub(crate) unique: bool,
    pub(crate) id_lookup: bool,
    pub(crate) name_field: bool,
    pub(crate) calculated: bool,
    pub(crate) custom: bool,
    pub(crate) restricted: bool,
    pub(crate) picklist: Vec<PicklistValue>,
    /// The dependency of a dependent picklist.
    pub(crate) dependency: Option<Dependency>,
    /// Objects that a reference may point to; empty means any object.
    pub(crate) reference_to: Vec<String>,
    pub(crate) relationship: Option<String>,
    /// Name of the child relationship on the referenced object.
    pub(crate) child_relationship: Option<String>,
    pub(crate) default: Value,
    /// The display format of an auto-number field: `A-{0000}`.
    pub(crate) auto_number: Option<String>,
    /// References that are indexed, so that the rows of a parent are found without a scan.
    #[serde(default)]
    pub(crate) indexed_reference: bool,
    /// The source of a value that is not stored.
    #[serde(default)]
    pub(crate) computed: Option<Box<Computed>>,
    /// The record is a detail of the record that the field refers to, and is deleted with it.
    #[serde(default)]
    pub(crate) master_detail: bool,
    /// A roll-up summary finds the details by this reference.
    #[serde(default)]
    pub(crate) summarized: bool,
    /// The field's own flags, where they differ from those of its type.
    #[serde(default)]
    pub(crate) query_flags: Option<QueryFlags>,
    /// Changes of the field are kept in the history of the object.
    #[serde(default)]
    pub(crate) track_history: bool,
    /// The field does not exist for clients: it only keeps its place in the rows.
    #[serde(default)]
    pub(crate) absent: bool,
}

/// The length of a text formula, as describe shows it.
const FORMULA_TEXT: usize = 1_300;

impl Field {
    /// Returns a nullable, writable field with the default size of its type.
    pub(crate) fn new(name: &str, kind: FieldKind) -> Self {
        let (length, precision, scale) = usual_size(kind);
        Self {
            name: name.to_owned(),
            label: label_of(name),
            kind,
            length,
            precision,
            scale,
            nillable: kind != FieldKind::Boolean,
            createable: !kind.is_compound(),
            updateable: !kind.is_compound(),
            defaulted_on_create: kind == FieldKind::Boolean,
            external_id: false,
            unique: false,
            id_lookup: false,
            name_field: false,
            calculated: false,
            custom: name.ends_with("__c") || name.ends_with("__s"),
            restricted: false,
            picklist: Vec::new(),
            dependency: None,
            reference_to: Vec::new(),
            relationship: None,
            child_relationship: None,
            auto_number: None,
            indexed_reference: false,
            computed: None,
            master_detail: false,
            summarized: false,
            query_flags: None,
            track_history: false,
            absent: false,
            default: if kind == FieldKind::Boolean { Value::Bool(false) } else { Value::Null },
        }
    }

    /// Returns whether a record cannot be created without the field.
    pub(crate) fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create
    }

    /// Returns whether a new record has the default value in place of an empty one.
    pub(crate) fn replaces_empty_by_default(&self) -> bool {
        self.kind == FieldKind::Picklist && !self.nillable && self.defaulted_on_create
    }

    /// Returns whether values are indexed, so that upserts, uniqueness and the rows of a parent need no scan.
    pub(crate) fn indexed(&self) -> bool {
        self.is_key() && self.kind != FieldKind::Id || self.summarized || self.indexed_reference
    }

    /// Returns whether the values are codes of states or countries.
    pub(crate) fn is_place_code(&self) -> bool {
        self.kind == FieldKind::Picklist
            && !self.custom
            && (self.name.ends_with("CountryCode") || self.name.ends_with("StateCode"))
    }

    /// Returns whether the field can identify a record: an external id or another lookup key.
    pub(crate) fn is_key(&self) -> bool {
        self.external_id || self.unique || self.id_lookup
    }

    /// Makes the values computed by a formula or a roll-up summary.
    pub(crate) fn compute(&mut self, computed: Computed) {
        if self.kind == FieldKind::String {
            self.length = FORMULA_TEXT;
        }
        (self.createable, self.updateable, self.calculated) = (false, false, true);
        (self.defaulted_on_create, self.default) = (false, Value::Null);
        self.computed = Some(Box::new(computed));
    }

    /// Makes the records details of those that the reference names.
    pub(crate) fn make_detail(&mut self) {
        (self.master_detail, self.nillable, self.updateable) = (true, false, false);
    }

    pub(super) fn read_only(mut self) -> Self {
        self.createable = false;
        self.updateable = false;
        self
    }
}

fn usual_size(kind: FieldKind) -> (usize, usize, usize) {
    match kind {
        FieldKind::Id | FieldKind::Reference => (18, 0, 0),
        FieldKind::TextArea => (32_000, 0, 0),
        FieldKind::Email => (80, 0, 0),
        FieldKind::Phone => (40, 0, 0),
        FieldKind::MultiPicklist => (4_099, 0, 0),
        FieldKind::String | FieldKind::Picklist | FieldKind::Url | FieldKind::AnyType => (255, 0, 0),
        FieldKind::Double | FieldKind::Currency => (0, 18, 2),
        FieldKind::Percent => (0, 3, 0),
        FieldKind::Int
        | FieldKind::Boolean
        | FieldKind::Date
        | FieldKind::DateTime
        | FieldKind::Base64
        | FieldKind::Address
        | FieldKind::Location => (0, 0, 0),
    }
}

/// Returns the label of a field name: `CloseDate` -> `Close Date`, `Follow_Up__c` -> `Follow Up`.
pub(super) fn label_of(name: &str) -> String {
    let base = name.trim_end_matches("__c").trim_end_matches("__s");
    let base = if base.len() > 2 {
        base.strip_suffix("Id").map_or_else(|| base.to_owned(), |b| format!("{b}ID"))
    } else {
        base.to_owned()
    };
    let mut label = String::new();
    let mut last = ' ';
    for c in base.chars() {
        if c == '_' || c.is_ascii_uppercase() && (last.is_ascii_lowercase() || last.is_ascii_digit()) {
            label.push(' ');
        }
        if c != '_' {
            label.push(c);
        }
        last = c;
    }
    label
}

/// The active currencies of an org with several currencies; the first is the corporate currency.
pub(crate) const CURRENCIES: [&str; 3] = ["USD", "EUR", "GBP"];

/// Returns the field `CurrencyIsoCode`.
pub(crate) fn currency() -> Field {
    let picklist = CURRENCIES.iter().map(|code| PicklistValue::new(code, *code == "USD"));
    Field {
        label: "Currency ISO Code".to_owned(),
        length: 3,
        restricted: true,
        defaulted_on_create: true,
        picklist: picklist.collect(),
        default: Value::text("USD"),
        ..Field::new("CurrencyIsoCode", FieldKind::Picklist)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_like_words() {
        assert_eq!(label_of("CloseDate"), "Close Date");
        assert_eq!(label_of("Follow_Up__c"), "Follow Up");
        assert_eq!(label_of("AccountId"), "Account ID");
        assert_eq!(label_of("Id"), "Id");
    }
}
