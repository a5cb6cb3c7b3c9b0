//! The values of fields: their types and sizes.

use std::borrow::Cow;

use salesforce::{Decimal, FieldDescribe};
use serde_json::Value;
use writes::{Defect, DefectCode};

/// The texts that Salesforce may read as a Boolean, in lower case.
const BOOLEANS: [&str; 10] = ["true", "false", "1", "0", "yes", "no", "t", "f", "y", "n"];
/// The length of a date: `2026-11-22`.
const DATE_CHARS: usize = 10;

/// Returns the defect of a value that is not empty: it has another type than the field, or is too large for it.
pub(super) fn check(field: &FieldDescribe, value: &Value) -> Option<Defect> {
    if value.is_object() {
        let is_reference = field.field_type == "reference";
        return (!is_reference).then(|| wrong_type("must be a plain value: only a relationship takes an object"));
    }
    match field.field_type.as_str() {
        "boolean" => boolean(value),
        "int" | "long" => whole_number(field, value),
        "double" | "currency" | "percent" => number(field, value),
        "date" | "datetime" => date(field, value),
        "id" | "reference" => id(value),
        "email" => email(value).or_else(|| length(field, value)),
        "string" | "textarea" | "phone" | "url" | "picklist" | "multipicklist" | "combobox" | "encryptedstring" => {
            length(field, value)
        }
        _ => None,
    }
}

fn wrong_type(detail: impl Into<Cow<'static, str>>) -> Defect {
    Defect::whole(detail).code(DefectCode::WrongType)
}

fn boolean(value: &Value) -> Option<Defect> {
    let text = value.as_str()?.trim().to_lowercase();
    (!BOOLEANS.contains(&text.as_str())).then(|| wrong_type("must be true or false"))
}

/// Returns the value as a number. The error is a defect; the value of a JSON number with very many digits is not checked.
fn decimal(value: &Value) -> Result<Option<Decimal>, Defect> {
    match value {
        Value::Number(number) => Ok(number.to_string().parse().ok()),
        Value::String(text) => {
            let number: Option<Decimal> = text.trim().parse().ok();
            let is_number = |text: &str| {
                let has_digit = text.contains(|char: char| char.is_ascii_digit());
                has_digit && !text.contains(|char: char| char.is_whitespace() || char == ',')
            };
            // Java reads more forms, such as a suffix. Salesforce decides about those.
            if number.is_none() && !is_number(text.trim()) {
                return Err(wrong_type("must be a number, with a point and without separators"));
            }
            Ok(number)
        }
        _ => Err(wrong_type("must be a number")),
    }
}

fn whole_number(field: &FieldDescribe, value: &Value) -> Option<Defect> {
    let number = match decimal(value) {
        Ok(number) => number?,
        Err(defect) => return Some(defect),
    };
    if number.scale() > 0 {
        return Some(wrong_type("must be a whole number"));
    }
    let fits = field.field_type == "long" || number.to_string().parse::<i32>().is_ok();
    (!fits).then(|| {
        let (least, most) = (i32::MIN, i32::MAX);
        Defect::whole(format!("must be from {least} to {most}")).code(DefectCode::TooManyDigits)
    })
}

fn number(field: &FieldDescribe, value: &Value) -> Option<Defect> {
    let number = match decimal(value) {
        Ok(number) => number?,
        Err(defect) => return Some(defect),
    };
    let max = field.precision.saturating_sub(field.scale);
    let digits = whole_digits(&number);
    (field.precision > 0 && digits > max as usize).then(|| {
        Defect::whole(format!("has {digits} digits before the decimal point; the field has {max}"))
            .code(DefectCode::TooManyDigits)
    })
}

fn whole_digits(number: &Decimal) -> usize {
    let text = number.to_string();
    let whole = text.split('.').next().unwrap_or_default();
    whole.trim_start_matches(['-', '0']).len()
}

/// Checks the day, and that nothing but a time or an offset follows it. Salesforce decides about those.
fn date(field: &FieldDescribe, value: &Value) -> Option<Defect> {
    let is_date = field.field_type == "date";
    let wrong = || {
        wrong_type(if is_date {
            "must be a date such as 2026-11-22"
        } else {
            "must be a time such as 2026-11-22T10:00:00Z"
        })
    };
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Number(_) => return None,
        _ => return Some(wrong()),
    };
    let is_day = |day: &str| {
        let digits = day.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        digits && day.parse::<jiff::civil::Date>().is_ok()
    };
    let is_valid = text.split_at_checked(DATE_CHARS).is_some_and(|(day, rest)| {
        is_day(day) && rest.chars().next().is_none_or(|first| matches!(first, 'T' | 't' | ' ' | 'Z' | '+' | '-'))
    });
    (!is_valid).then(wrong)
}

/// Checks the form of an id. Its checksum is left to Salesforce.
fn id(value: &Value) -> Option<Defect> {
    let is_id = value
        .as_str()
        .map(str::trim)
        .is_some_and(|text| matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (!is_id).then(|| wrong_type("must be a record id of 15 or 18 characters"))
}

fn email(value: &Value) -> Option<Defect> {
    let is_email = value.as_str().is_none_or(|text| text.contains('@'));
    (!is_email).then(|| wrong_type("must be an e-mail address"))
}

/// Counts as few characters as Salesforce may: it removes spaces at both ends and may shorten line ends. Markup is not
/// counted.
fn length(field: &FieldDescribe, value: &Value) -> Option<Defect> {
    let text = value.as_str()?.trim().replace("\r\n", "\n");
    let (count, max) = (text.chars().count(), field.length);
    let is_too_long = max > 0 && !field.html_formatted && count > max as usize;
    is_too_long
        .then(|| Defect::whole(format!("has {count} characters; the field holds {max}")).code(DefectCode::TooLong))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(field_type: &str, more: Value) -> FieldDescribe {
        let mut field = json!({
            "name": "F__c", "label": "F", "type": field_type, "nillable": true, "createable": true, "updateable": true,
        });
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(field).unwrap()
    }

    fn refused(field: &FieldDescribe, values: &[Value]) -> Vec<Option<DefectCode>> {
        values.iter().map(|value| check(field, value).map(|defect| defect.code)).collect()
    }

    #[test]
    fn values_of_another_type_are_refused() {
        use DefectCode::{TooManyDigits, WrongType};
        for (field_type, wrong) in [
            ("boolean", vec![json!("maybe")]),
            ("int", vec![json!("many"), json!(1.5), json!(true), json!("1,000"), json!("12 apples")]),
            ("double", vec![json!("abc"), json!(false), json!("1 000")]),
            (
                "date",
                vec![json!("22.11.2026"), json!("11/22/2026"), json!("2026-02-30"), json!("2026-11-221"), json!(true)],
            ),
            ("datetime", vec![json!("tomorrow"), json!("2026-13-01T10:00:00Z"), json!("20261122T100000Z")]),
            ("reference", vec![json!("001"), json!("001D00000-IRFma"), json!(7)]),
            ("email", vec![json!("nobody")]),
            ("string", vec![json!({"a": 1})]),
        ] {
            assert_eq!(
                refused(&field(field_type, json!({})), &wrong),
                vec![Some(WrongType); wrong.len()],
                "{field_type}"
            );
        }
        assert_eq!(refused(&field("int", json!({})), &[json!(3_000_000_000_u64)]), [Some(TooManyDigits)]);
        assert_eq!(refused(&field("long", json!({})), &[json!(3_000_000_000_u64)]), [None]);
    }

    #[test]
    fn what_salesforce_may_read_is_left_to_it() {
        for (field_type, allowed) in [
            ("boolean", vec![json!(true), json!("TRUE"), json!("0"), json!(1)]),
            ("int", vec![json!(7), json!("7"), json!(7.0), json!(" 7.0 "), json!(-2_147_483_648_i64)]),
            ("double", vec![json!(1e30), json!("12d"), json!("0.5"), json!("-1e3")]),
            (
                "date",
                vec![
                    json!("2026-11-22"),
                    json!("2026-11-22T10:00:00Z"),
                    json!("2026-11-22Z"),
                    json!("2026-11-22+0100"),
                ],
            ),
            (
                "datetime",
                vec![json!("2026-11-22"), json!("2026-11-22T10:00:00.000+0000"), json!("2026-11-22 10:00:00")],
            ),
            ("reference", vec![json!("001D000000IRFma"), json!("001D000000IRFmaXXX"), json!({"Key__c": 1})]),
            ("email", vec![json!("a@b.example")]),
            ("string", vec![json!("text"), json!(7), json!(true)]),
            ("base64", vec![json!("anything")]),
        ] {
            assert_eq!(refused(&field(field_type, json!({})), &allowed), vec![None; allowed.len()], "{field_type}");
        }
    }

    #[test]
    fn a_number_has_at_most_the_digits_of_its_field() {
        let field = field("currency", json!({"precision": 18, "scale": 2}));
        assert!(check(&field, &json!("9999999999999999.99")).is_none());
        assert!(check(&field, &json!("0000000000000000000.125")).is_none());
        let defect = check(&field, &json!("-10000000000000000")).unwrap();
        assert_eq!(defect.code, DefectCode::TooManyDigits);
        assert_eq!(defect.detail, "has 17 digits before the decimal point; the field has 16");
    }

    #[test]
    fn characters_are_counted_as_salesforce_counts_them() {
        let short = field("string", json!({"length": 3}));
        assert!(check(&short, &json!("  äöü  ")).is_none());
        assert!(check(&short, &json!("a\r\nb")).is_none());
        let defect = check(&short, &json!("four")).unwrap();
        assert_eq!((defect.code, &*defect.detail), (DefectCode::TooLong, "has 4 characters; the field holds 3"));
        assert!(
            check(&field("textarea", json!({"length": 3, "htmlFormatted": true})), &json!("<b>four</b>")).is_none()
        );
    }
}
