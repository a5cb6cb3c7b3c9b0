//! Reads field values from JSON and checks them by the type of their field.

use serde_json::Value as Json;

use crate::model::datetime;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::schema::{Field, FieldKind};
use crate::model::value::{Value, out_of_range, plain};

impl Value {
    /// Reads and checks the value that a client sent for a field.
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
            FieldKind::String | FieldKind::TextArea | FieldKind::Phone | FieldKind::Url | FieldKind::AnyType => {
                read_text(field, plain(json))
            }
        }
    }
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
    let value = Value::number(plain(json).trim()).ok_or_else(|| not_of_kind(field, json))?;
    let number = value.as_number().unwrap_or_default();
    let digits = i32::try_from(field.precision.saturating_sub(field.scale)).unwrap_or(18);
    if field.precision > 0 && number.abs() >= 10_f64.powi(digits) {
        let message = format!("{}: value outside of valid range on numeric field: {}", field.label, plain(json));
        return Err(ApiError::new("NUMBER_OUTSIDE_VALID_RANGE", message).fields([&field.name]));
    }
    Ok(value)
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
    // An unknown code of a state or country gets an error of its own when the record is saved.
    if field.restricted && !fits && !field.is_place_code() {
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
    let text = if field.kind == FieldKind::TextArea { text.trim_end() } else { text.trim() };
    Ok(if text.is_empty() { Value::Null } else { Value::text(text) })
}
