//! Field values in a saved file: a letter for the type, a colon, and the text; null and Booleans as in JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::ids::RecordId;
use crate::model::value::Value;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match self {
            Self::Null => return serializer.serialize_none(),
            Self::Bool(b) => return serializer.serialize_bool(*b),
            Self::Int(n) => format!("i:{n}"),
            Self::Double(n) => format!("n:{n:?}"),
            Self::Digits(digits) => format!("n:{digits}"),
            Self::Text(text) => format!("t:{}", &**text),
            Self::Date(day) => format!("d:{day}"),
            Self::Instant(at) => format!("z:{at}"),
            Self::Id(id) => format!("r:{id}"),
            Self::Blob(bytes) => format!("b:{}", STANDARD.encode(bytes)),
        };
        serializer.serialize_str(&text)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Saved<'a> {
    Bool(bool),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<Saved<'de>>::deserialize(deserializer)? {
            None => Ok(Self::Null),
            Some(Saved::Bool(b)) => Ok(Self::Bool(b)),
            Some(Saved::Text(text)) => {
                read(&text).ok_or_else(|| de::Error::custom(format!("{text} is not a saved value")))
            }
        }
    }
}

fn read(text: &str) -> Option<Value> {
    let (kind, text) = text.split_once(':')?;
    match kind {
        "i" => text.parse().ok().map(Value::Int),
        "n" => Value::number(text),
        "t" => Some(Value::text(text)),
        "d" => text.parse().ok().map(Value::Date),
        "z" => text.parse().ok().map(Value::Instant),
        "r" => RecordId::parse(text).map(Value::Id),
        "b" => STANDARD.decode(text).ok().map(|bytes| Value::Blob(bytes.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ids::numbered;

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("a number", |n| n.is_finite()).prop_map(Value::Double),
            ".*".prop_map(Value::text),
            (-700_000_i32..700_000).prop_map(|day| {
                let start = jiff::civil::date(2000, 1, 1);
                Value::Date(start.saturating_add(jiff::Span::new().days(day)))
            }),
            (-1_000_000_000_i64..4_000_000_000).prop_map(|s| Value::Instant(jiff::Timestamp::from_second(s).unwrap())),
            (0_u64..1 << 40).prop_map(|n| Value::Id(numbered("001", n))),
            any::<Vec<u8>>().prop_map(|bytes| Value::Blob(bytes.into())),
        ]
    }

    proptest! {
        #[test]
        fn every_value_reads_back(value in values()) {
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
        }
    }
}
