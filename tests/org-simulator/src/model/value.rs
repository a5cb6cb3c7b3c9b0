//! Field values: how they come in as JSON, how they are kept, and how they go out.

mod text;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Number, Value as Json};

use crate::model::datetime;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::schema::{Field, FieldKind};
use text::Text;

/// One field's value in a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Text),
    Date(Date),
    Instant(Timestamp),
    Id(RecordId),
    Blob(Arc<[u8]>),
}

/// What [`Value::json`] needs to know about where a value stands.
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
            #[expect(clippy::cast_precision_loss, reason = "int fields have at most nine digits")]
            Self::Int(n) => Some(*n as f64),
            _ => None,
        }
    }

    /// The form of REST answers; a blob is the path of its own resource.
    pub(crate) fn json(&self, place: Place<'_>) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Int(n) => Json::from(*n),
            Self::Double(n) => Number::from_f64(*n).map_or(Json::Null, Json::Number),
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

    /// The text of an outbound message's element, before XML escaping; `None` where the element is left out.
    pub(crate) fn soap(&self) -> Option<String> {
        match self {
            Self::Null | Self::Blob(_) => None,
            Self::Bool(b) => Some(b.to_string()),
            Self::Int(n) => Some(n.to_string()),
            Self::Double(n) => Some(format!("{n:?}")),
            Self::Text(text) => Some(text.to_string()),
            Self::Date(day) => Some(day.to_string()),
            Self::Instant(at) => Some(datetime::soap(*at)),
            Self::Id(id) => Some(id.to_string()),
        }
    }

    /// Reads what a client sent for a field, by the field's rules.
    pub(crate) fn read(field: &Field, json: &Json) -> Result<Self, ApiError> {
        match json {
            Json::Null => return Ok(Self::Null),
            Json::String(text) if text.is_empty() => return Ok(Self::Null),
            Json::Array(_) | Json::Object(_) => return Err(not_of_kind(field, json)),
            Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
        match field.kind {
            FieldKind::Boolean => read_bool(json).map(Self::Bool).ok_or_else(|| not_of_kind(field, json)),
            FieldKind::Int => match read_int(json) {
                Some(number) if i32::try_from(number).is_ok() => Ok(Self::Int(number)),
                Some(_) => Err(out_of_range(json)),
                None => Err(not_of_kind(field, json)),
            },
            FieldKind::Double | FieldKind::Currency | FieldKind::Percent => read_double(field, json),
            FieldKind::Date => plain(json).parse().map(Self::Date).map_err(|_| not_of_kind(field, json)),
            FieldKind::DateTime => {
                datetime::parse(&plain(json)).map(Self::Instant).ok_or_else(|| not_of_kind(field, json))
            }
            FieldKind::Id | FieldKind::Reference => read_id(field, &plain(json)),
            FieldKind::Base64 => read_blob(field, &plain(json)),
            FieldKind::Address | FieldKind::Location => Err(not_of_kind(field, json)),
            FieldKind::Email => read_email(field, plain(json)),
            FieldKind::Picklist | FieldKind::MultiPicklist => read_picklist(field, plain(json)),
            FieldKind::String | FieldKind::TextArea | FieldKind::Phone | FieldKind::Url => {
                read_text(field, plain(json))
            }
        }
    }
}

/// The text of a JSON scalar, without quotes.
pub(crate) fn plain(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn not_of_kind(field: &Field, json: &Json) -> ApiError {
    let token = match json {
        Json::String(_) => "VALUE_STRING",
        Json::Number(_) => "VALUE_NUMBER_FLOAT",
        Json::Bool(_) => "VALUE_TRUE",
        Json::Array(_) => "START_ARRAY",
        Json::Object(_) => "START_OBJECT",
        Json::Null => "VALUE_NULL",
    };
    ApiError::bad_json(format!(
        "Cannot deserialize instance of {} from {token} value {} or request may be missing a required field at [line:1, column:2]",
        field.kind.name(),
        plain(json)
    ))
}

/// In the words of the JSON reader that Salesforce uses (unverified).
fn out_of_range(json: &Json) -> ApiError {
    let (low, high) = (i32::MIN, i32::MAX);
    ApiError::bad_json(format!("Numeric value ({}) out of range of int ({low} - {high})", plain(json)))
}

fn read_bool(json: &Json) -> Option<bool> {
    json.as_bool().or_else(|| match json.as_str()?.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    })
}

fn read_int(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| {
        let number = read_number(json)?;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within nine digits")]
        (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
    })
}

fn read_number(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.trim().parse().ok()).filter(|n| n.is_finite())
}

fn read_double(field: &Field, json: &Json) -> Result<Value, ApiError> {
    let number = read_number(json).ok_or_else(|| not_of_kind(field, json))?;
    let digits = i32::try_from(field.precision.saturating_sub(field.scale)).unwrap_or(18);
    if field.precision > 0 && number.abs() >= 10_f64.powi(digits) {
        let message = format!("{}: value outside of valid range on numeric field: {}", field.label, plain(json));
        return Err(ApiError::new("NUMBER_OUTSIDE_VALID_RANGE", message).fields([&field.name]));
    }
    Ok(Value::Double(number))
}

fn read_id(field: &Field, text: &str) -> Result<Value, ApiError> {
    let error = || {
        ApiError::new("MALFORMED_ID", format!("{}: id value of incorrect type: {text}", field.label))
            .fields([&field.name])
    };
    RecordId::parse(text).map(Value::Id).ok_or_else(error)
}

fn read_blob(field: &Field, text: &str) -> Result<Value, ApiError> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.replace(['\r', '\n'], ""));
    decoded.map(|bytes| Value::Blob(bytes.into())).map_err(|_| not_of_kind(field, &Json::from(text)))
}

fn read_email(field: &Field, text: String) -> Result<Value, ApiError> {
    let well_formed = text.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty() && host.split('.').count() > 1 && host.split('.').all(|label| !label.is_empty())
    });
    if !well_formed || text.contains(char::is_whitespace) {
        let message = format!("{}: invalid email address: {text}", field.label);
        return Err(ApiError::new("INVALID_EMAIL_ADDRESS", message).fields([&field.name]));
    }
    read_text(field, text)
}

fn read_picklist(field: &Field, text: String) -> Result<Value, ApiError> {
    let known = |part: &str| field.picklist.iter().any(|p| p.value.eq_ignore_ascii_case(part));
    let multi = field.kind == FieldKind::MultiPicklist;
    let fits = if multi { text.split(';').all(known) } else { known(&text) };
    if field.restricted && !fits {
        let message = format!("{}: bad value for restricted picklist field: {text}", field.label);
        return Err(ApiError::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).fields([&field.name]));
    }
    read_text(field, text)
}

fn read_text(field: &Field, text: String) -> Result<Value, ApiError> {
    if text.chars().count() > field.length {
        let message = format!("{}: data value too large: {text} (max length={})", field.label, field.length);
        return Err(ApiError::new("STRING_TOO_LONG", message).fields([&field.name]));
    }
    let kept = if field.kind == FieldKind::TextArea { text.trim_end() } else { text.trim() };
    Ok(if kept.is_empty() { Value::Null } else { Value::text(kept) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    fn every_bad_value_gets_salesforces_code() {
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
    fn numbers_keep_a_decimal_point_where_the_field_is_no_integer() {
        let place = Place { version: "66.0", object: "X", field: "F", id: crate::model::ids::numbered("001", 1) };
        let amount = Value::read(&field(FieldKind::Currency), &json!(15000)).unwrap();
        assert_eq!(amount.json(place).to_string(), "15000.0");
        assert_eq!(amount.soap().unwrap(), "15000.0");
        assert_eq!(Value::read(&field(FieldKind::Int), &json!(39)).unwrap().json(place).to_string(), "39");
    }
}
