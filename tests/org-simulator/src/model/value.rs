//! Field values: read from JSON, stored, and written as JSON and XML.

pub(crate) mod read;
mod text;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Number, Value as Json};

use crate::model::datetime;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;

use text::Text;

/// The value of a field in a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    /// A number with more digits than a double keeps, without an exponent.
    Digits(Arc<str>),
    Text(Text),
    Date(Date),
    Instant(Timestamp),
    Id(RecordId),
    Blob(Arc<[u8]>),
}

/// The context of a value, which [`Value::json`] needs.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// API version of the request, for example `66.0`.
    pub(crate) version: &'a str,
    pub(crate) object: &'a str,
    pub(crate) field: &'a str,
    pub(crate) id: RecordId,
}

impl Value {
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Text::new(text.as_ref()))
    }

    /// Reads a number with all its digits: a field holds up to 18, more than a double (Help, "Custom Field Types"). That a
    /// response has all of them is unverified.
    pub(crate) fn number(text: &str) -> Option<Self> {
        let double: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte));
        let digits = with_point(text);
        Some(if is_plain && digits.len() > 16 && digits != with_point(&double.to_string()) {
            Self::Digits(digits.into())
        } else {
            Self::Double(double)
        })
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    pub(crate) fn as_id(&self) -> Option<RecordId> {
        match self {
            Self::Id(id) => Some(*id),
            _ => None,
        }
    }

    pub(crate) fn as_instant(&self) -> Option<Timestamp> {
        match self {
            Self::Instant(at) => Some(*at),
            _ => None,
        }
    }

    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Double(n) => Some(*n),
            Self::Digits(digits) => digits.parse().ok(),
            #[expect(clippy::cast_precision_loss, reason = "int fields have at most nine digits")]
            Self::Int(n) => Some(*n as f64),
            _ => None,
        }
    }

    /// Returns the value as REST renders it; a blob is the path of its own resource.
    pub(crate) fn json(&self, place: Place<'_>) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Int(n) => Json::from(*n),
            Self::Double(n) => Number::from_f64(*n).map_or(Json::Null, Json::Number),
            Self::Digits(digits) => digits.parse().map_or(Json::Null, Json::Number),
            Self::Text(text) => Json::from(&**text),
            Self::Date(day) => Json::from(day.to_string()),
            Self::Instant(at) => Json::from(datetime::rest(*at)),
            Self::Id(id) => Json::from(id.as_str()),
            Self::Blob(_) => Json::from(format!(
                "/services/data/v{}/sobjects/{}/{}/{}",
                place.version, place.object, place.id, place.field
            )),
        }
    }

    /// Returns the text of an element in an outbound message, before XML escaping; `None` when the element is left out.
    pub(crate) fn soap(&self) -> Option<String> {
        match self {
            Self::Null | Self::Blob(_) => None,
            Self::Bool(b) => Some(b.to_string()),
            Self::Int(n) => Some(n.to_string()),
            Self::Double(n) => Some(format!("{n:?}")),
            Self::Digits(digits) => Some(digits.to_string()),
            Self::Text(text) => Some(text.to_string()),
            Self::Date(day) => Some(day.to_string()),
            Self::Instant(at) => Some(datetime::soap(*at)),
            Self::Id(id) => Some(id.to_string()),
        }
    }
}

/// Returns a number without an exponent with a decimal point, and without needless zeros after it.
fn with_point(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = Some(fraction.trim_end_matches('0')).filter(|fraction| !fraction.is_empty());
    format!("{whole}.{}", fraction.unwrap_or("0"))
}

/// Returns the text of a JSON scalar, without quotes.
pub(crate) fn plain(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// Returns the error of Salesforce's JSON parser for a number that is out of range (unverified).
fn out_of_range(json: &Json) -> ApiError {
    let (low, high) = (i32::MIN, i32::MAX);
    ApiError::bad_json(format!("Numeric value ({}) out of range of int ({low} - {high})", plain(json)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::schema::field::Field;
    use crate::model::schema::field::FieldKind;

    fn field(kind: FieldKind) -> Field {
        Field { length: 10, label: "F".to_owned(), ..Field::new("F", kind) }
    }

    fn code(kind: FieldKind, json: &Json) -> &'static str {
        Value::read(&field(kind), json).unwrap_err().code
    }

    #[test]
    fn an_empty_string_is_null() {
        assert_eq!(Value::read(&field(FieldKind::String), &json!("")).unwrap(), Value::Null);
    }

    #[test]
    fn every_invalid_value_gets_salesforces_code() {
        assert_eq!(code(FieldKind::String, &json!("longer than ten")), "STRING_TOO_LONG");
        assert_eq!(code(FieldKind::Email, &json!("nobody")), "INVALID_EMAIL_ADDRESS");
        assert_eq!(code(FieldKind::Reference, &json!("001")), "MALFORMED_ID");
        assert_eq!(code(FieldKind::Date, &json!("2026-11-22T10:00:00Z")), "JSON_PARSER_ERROR");
        assert_eq!(code(FieldKind::DateTime, &json!("2026-11-22")), "JSON_PARSER_ERROR");
        assert_eq!(code(FieldKind::Int, &json!(1.5)), "JSON_PARSER_ERROR");
        assert_eq!(code(FieldKind::Int, &json!(3_000_000_000_u64)), "JSON_PARSER_ERROR");
        assert_eq!(code(FieldKind::String, &json!({"a": 1})), "JSON_PARSER_ERROR");
    }

    #[test]
    fn a_number_keeps_its_18_digits() {
        let place = Place { version: "66.0", object: "X", field: "F", id: crate::model::ids::numbered("001", 1) };
        for (sent, stored) in [
            ("1234567890123456.78", "1234567890123456.78"),
            ("-99999999999999.9999", "-99999999999999.9999"),
            ("1234567.50", "1234567.5"),
            ("0.1000000000000000000", "0.1"),
            ("1234567890123456", "1234567890123456.0"),
        ] {
            let amount = Value::read(&field(FieldKind::Currency), &serde_json::from_str(sent).unwrap()).unwrap();
            assert_eq!(amount.json(place).to_string(), stored);
            assert_eq!(amount.soap().unwrap(), stored);
        }
    }

    #[test]
    fn numbers_keep_a_decimal_point_where_the_field_is_no_integer() {
        let place = Place { version: "66.0", object: "X", field: "F", id: crate::model::ids::numbered("001", 1) };
        let amount = Value::read(&field(FieldKind::Currency), &json!(15000)).unwrap();
        assert_eq!(amount.json(place).to_string(), "15000.0");
        assert_eq!(amount.soap().unwrap(), "15000.0");
        assert_eq!(Value::read(&field(FieldKind::Int), &json!(39)).unwrap().json(place).to_string(), "39");
    }
}
