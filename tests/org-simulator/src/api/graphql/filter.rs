//! Translates `where` and `orderBy` to SOQL.

use serde_json::{Map, Value as Json};

use crate::model::schema::{Field, FieldKind, Object};

/// Operators with one value, and their SOQL equivalents.
const OPERATORS: [(&str, &str); 9] = [
    ("eq", "="),
    ("ne", "!="),
    ("lt", "<"),
    ("gt", ">"),
    ("lte", "<="),
    ("gte", ">="),
    ("like", "LIKE"),
    ("in", "IN"),
    ("nin", "NOT IN"),
];

fn invalid(value: &Json) -> String {
    format!("Validation error: '{value}' is not valid here")
}

/// Returns the members of a JSON object, which must not be empty.
fn members(value: &Json) -> Result<&Map<String, Json>, String> {
    value.as_object().filter(|members| !members.is_empty()).ok_or_else(|| invalid(value))
}

fn field<'a>(object: &'a Object, name: &str) -> Result<&'a Field, String> {
    let known = object.field(name).filter(|field| field.name == name);
    known.ok_or_else(|| format!("Validation error: '{name}' is no field of {}", object.name))
}

/// Translates a condition; the result is in parentheses.
pub(super) fn condition(object: &Object, value: &Json) -> Result<String, String> {
    let parts: Result<Vec<String>, String> =
        members(value)?.iter().map(|(name, value)| part(object, name, value)).collect();
    Ok(format!("({})", parts?.join(" AND ")))
}

fn part(object: &Object, name: &str, value: &Json) -> Result<String, String> {
    match name {
        "and" | "or" => {
            let parts = value.as_array().filter(|parts| !parts.is_empty()).ok_or_else(|| invalid(value))?;
            let parts: Result<Vec<String>, String> = parts.iter().map(|part| condition(object, part)).collect();
            Ok(format!("({})", parts?.join(if name == "and" { " AND " } else { " OR " })))
        }
        "not" => Ok(format!("(NOT {})", condition(object, value)?)),
        _ => {
            let field = field(object, name)?;
            let one = |(operator, value): (&String, &Json)| {
                let known = OPERATORS.iter().find(|(known, _)| known == operator);
                let (_, word) = known.ok_or_else(|| format!("Validation error: '{operator}' is no operator"))?;
                let list = word.ends_with("IN");
                let value = match value.as_array() {
                    Some(values) if list && !values.is_empty() => {
                        let values: Result<Vec<String>, String> =
                            values.iter().map(|one| literal(field, one)).collect();
                        format!("({})", values?.join(", "))
                    }
                    None if !list => literal(field, value)?,
                    _ => return Err(invalid(value)),
                };
                Ok(format!("{} {word} {value}", field.name))
            };
            let tests: Result<Vec<String>, String> = members(value)?.iter().map(one).collect();
            Ok(format!("({})", tests?.join(" AND ")))
        }
    }
}

/// Translates a value to a SOQL literal; a date is wrapped in an object: `{value: "2026-01-31"}`.
fn literal(field: &Field, value: &Json) -> Result<String, String> {
    let moment = matches!(field.kind, FieldKind::Date | FieldKind::DateTime);
    match value {
        Json::Null => Ok("null".to_owned()),
        Json::Bool(_) | Json::Number(_) => Ok(value.to_string()),
        Json::String(text) if !moment => Ok(format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))),
        Json::Object(members) if moment && members.len() == 1 => {
            let text = members.get("value").and_then(Json::as_str).ok_or_else(|| invalid(value))?;
            let plain = text.chars().all(|c| c.is_ascii_digit() || "-:.+TZ".contains(c));
            if plain { Ok(text.to_owned()) } else { Err(invalid(value)) }
        }
        _ => Err(invalid(value)),
    }
}

/// Translates `{Name: {order: DESC, nulls: LAST}}`, in the order of the members.
pub(super) fn order(object: &Object, value: &Json) -> Result<String, String> {
    let one = |(name, how): (&String, &Json)| {
        let mut text = field(object, name)?.name.clone();
        let how = members(how)?;
        if let Some(other) = how.keys().find(|key| !["order", "nulls"].contains(&key.as_str())) {
            return Err(format!("Validation error: '{other}' says nothing of an order"));
        }
        for (key, before, words) in [("order", " ", ["ASC", "DESC"]), ("nulls", " NULLS ", ["FIRST", "LAST"])] {
            let Some(word) = how.get(key) else { continue };
            let word = word.as_str().filter(|word| words.contains(word)).ok_or_else(|| invalid(word))?;
            text = text + before + word;
        }
        Ok(text)
    };
    let parts: Result<Vec<String>, String> = members(value)?.iter().map(one).collect();
    Ok(parts?.join(", "))
}
