//! `FORMAT()`: values as display text, in the locale en_US (SOQL reference, "FORMAT()").

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::model::schema::{Field, FieldKind};
use crate::model::value::Value;

/// Formats a value of a field as a Salesforce page shows it, with times in a zone; null stays null. An amount has the code of
/// its currency, or the dollar sign in an org with one currency.
pub(super) fn text(field: &Field, value: &Value, zone: &TimeZone, currency: Option<&str>) -> Json {
    let number = |n: f64| {
        let shown = grouped(n.abs(), field.scale);
        let sign = if n < 0.0 { "-" } else { "" };
        match field.kind {
            FieldKind::Currency => match currency {
                Some(code) => format!("{code} {sign}{shown}"),
                None => format!("{sign}${shown}"),
            },
            FieldKind::Percent => format!("{sign}{shown}%"),
            _ => format!("{sign}{shown}"),
        }
    };
    match value {
        Value::Null | Value::Blob(_) => Json::Null,
        Value::Text(text) => Json::from(&**text),
        Value::Bool(b) => Json::from(b.to_string()),
        Value::Id(id) => Json::from(id.as_str()),
        Value::Int(_) | Value::Double(_) | Value::Digits(_) => {
            value.as_number().map_or(Json::Null, |n| Json::from(number(n)))
        }
        Value::Date(day) => Json::from(format!("{}/{}/{}", day.month(), day.day(), day.year())),
        Value::Instant(at) => {
            let t = zone.to_datetime(*at);
            let (hour, half) = (t.hour(), if t.hour() < 12 { "AM" } else { "PM" });
            let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
            Json::from(format!("{}/{}/{}, {hour}:{:02} {half}", t.month(), t.day(), t.year(), t.minute()))
        }
    }
}

/// Formats `1234567.5` with two places as `1,234,567.50`.
fn grouped(number: f64, places: usize) -> String {
    let shown = format!("{number:.places$}");
    let (whole, rest) = shown.split_at(shown.find('.').unwrap_or(shown.len()));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_formatted_as_on_a_page() {
        let field = |kind| Field::new("F", kind);
        let text = |field: &Field, value: &Value| text(field, value, &TimeZone::UTC, None);
        assert_eq!(text(&field(FieldKind::Currency), &Value::Double(1_234_567.5)), "$1,234,567.50");
        assert_eq!(text(&field(FieldKind::Int), &Value::Int(-12_000)), "-12,000");
        assert_eq!(text(&field(FieldKind::Percent), &Value::Double(60.0)), "60%");
        assert_eq!(text(&field(FieldKind::Date), &Value::Date("2026-11-02".parse().unwrap())), "11/2/2026");
        let at = Value::Instant("2026-11-22T00:05:00Z".parse().unwrap());
        assert_eq!(text(&field(FieldKind::DateTime), &at), "11/22/2026, 12:05 AM");
        assert_eq!(text(&field(FieldKind::Date), &Value::Null), Json::Null);
        let (amount, euro) = (Value::Double(-1_500.0), Some("EUR"));
        assert_eq!(super::text(&field(FieldKind::Currency), &amount, &TimeZone::UTC, euro), "EUR -1,500.00");
    }
}
