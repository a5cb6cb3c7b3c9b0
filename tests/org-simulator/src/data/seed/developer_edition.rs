//! The sample records of a Developer Edition: 13 accounts, 20 contacts, 31 opportunities.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

const RECORDS: &str = include_str!("developer-edition.txt");

/// Returns the records in the layout of an sObject tree. Close dates lie around `now`.
pub(super) fn records(now: Timestamp) -> Vec<Json> {
    let lines = RECORDS.lines().filter(|line| !line.starts_with('#'));
    lines.zip(0..).filter_map(|(line, number)| record(line, number, now)).collect()
}

fn record(line: &str, number: i64, now: Timestamp) -> Option<Json> {
    let (kind, rest) = line.split_once(' ')?;
    let parts: Vec<&str> = rest.split('|').map(str::trim).collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let (object, fields) = match kind {
        "account" => (
            "Account",
            vec![
                ("Name", part(0)),
                ("AccountNumber", part(1)),
                ("Industry", part(2)),
                ("Type", part(3)),
                ("Rating", part(4)),
            ],
        ),
        "contact" => {
            let (first, last) = part(0).split_once(' ')?;
            ("Contact", vec![("FirstName", first), ("LastName", last)])
        }
        "opportunity" => ("Opportunity", vec![("Name", part(0)), ("StageName", part(2))]),
        _ => return None,
    };
    let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let mut record: Map<String, Json> = given.map(|(name, value)| (name.to_owned(), Json::from(value))).collect();
    record.insert("attributes".to_owned(), json!({"type": object, "referenceId": reference(object, part(0), number)}));
    if object != "Account" {
        record.insert("AccountId".to_owned(), Json::from(format!("@{}", reference("Account", part(1), 0))));
    }
    if object == "Opportunity" {
        let days = number % 31 - 15;
        let close = now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now);
        record.insert("CloseDate".to_owned(), Json::from(close.strftime("%Y-%m-%d").to_string()));
        record.insert("Amount".to_owned(), json!(part(3).parse::<f64>().ok()?));
    }
    Some(Json::Object(record))
}

/// Returns the reference id of a record in the tree: an account's name, to which others refer; a number for the rest.
fn reference(object: &str, name: &str, number: i64) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if object == "Account" { letters } else { format!("{object}{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_data_is_complete() {
        let records = records(Timestamp::UNIX_EPOCH);
        let count = |object: &str| records.iter().filter(|record| record["attributes"]["type"] == object).count();
        assert_eq!((count("Account"), count("Contact"), count("Opportunity")), (13, 20, 31));
        let won = records.iter().filter(|record| record["StageName"] == "Closed Won").count();
        assert_eq!(won, 18);
    }
}
