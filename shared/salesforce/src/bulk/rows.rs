//! The rows of a page of CSV as records, with the values that REST has for the same fields.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::splitter::Splitter;
use crate::{Error, FieldDescribe, JsonObject, ObjectDescribe, ObjectName, Record, RecordId, datetime};

/// The types of an object's fields, which say how the texts of CSV are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    object: ObjectName,
    kinds: HashMap<String, Kind>,
}

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Boolean,
    Number,
    DateTime,
}

impl Columns {
    /// Returns the columns of an object.
    #[must_use]
    pub fn of(describe: &ObjectDescribe) -> Self {
        let kinds = describe.fields.iter().map(|field| (field.name.as_str().to_lowercase(), kind(field)));
        Self { object: describe.summary.name.clone(), kinds: kinds.collect() }
    }

    /// Returns the form of a column; that of a related record's field, which another object describes, is text. `None` of a field
    /// that the describe does not have.
    fn kind(&self, column: &str) -> Option<Kind> {
        let is_related = column.contains('.');
        self.kinds.get(&column.to_lowercase()).copied().or(is_related.then_some(Kind::Text))
    }
}

fn kind(field: &FieldDescribe) -> Kind {
    match field.field_type.as_str() {
        "boolean" => Kind::Boolean,
        "currency" | "double" | "int" | "long" | "percent" => Kind::Number,
        "datetime" => Kind::DateTime,
        _ => Kind::Text,
    }
}

/// A row that could not be read. The other rows of its page can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read a row of the query job: {what}")]
pub struct RowError {
    /// The id of the record, where it could be read.
    pub id: Option<RecordId>,
    /// The defect, without the content of the row.
    pub what: &'static str,
}

impl From<RowError> for Error {
    fn from(row: RowError) -> Self {
        Self::InvalidResponse { operation: "read a row of the query job", what: row.what }
    }
}

/// The defect of a page with a column whose type is not known.
const UNKNOWN_COLUMN: &str = "a column that the describe does not have";

impl Error {
    /// Returns whether a page of a query job has a field that the describe of its object does not have: the describe is older than
    /// the field, or the field was hidden or removed after the job was created.
    #[must_use]
    pub fn is_unknown_column(&self) -> bool {
        matches!(self, Self::InvalidResponse { what, .. } if *what == UNKNOWN_COLUMN)
    }
}

/// The columns of a page, in its order. Salesforce repeats the names on every page.
pub(super) struct Header {
    columns: Vec<(String, Kind)>,
}

impl Header {
    /// Reads the first line of a page. The error is its defect: without the type of a column, no row can be read.
    pub(super) fn new(names: &Splitter, columns: &Columns) -> Result<Self, &'static str> {
        let named = |name: &[u8]| {
            let name = String::from_utf8_lossy(name).into_owned();
            columns.kind(&name).map(|kind| (name, kind)).ok_or(UNKNOWN_COLUMN)
        };
        Ok(Self { columns: names.values().map(named).collect::<Result<_, _>>()? })
    }

    /// Reads a row as a record.
    pub(super) fn record(&self, row: &Splitter, columns: &Columns) -> Result<Record, RowError> {
        let id = || {
            let at = self.columns.iter().position(|(name, _)| name == "Id")?;
            std::str::from_utf8(row.values().nth(at)?).ok()?.parse::<RecordId>().ok()
        };
        let invalid = |what| RowError { id: id(), what };
        if row.len() != self.columns.len() {
            return Err(invalid("a row with other columns than the first line"));
        }
        let mut fields = JsonObject::new();
        for ((name, kind), value) in self.columns.iter().zip(row.values()) {
            let value = std::str::from_utf8(value).map_err(|_| invalid("a text that is not UTF-8"))?;
            let value = read(*kind, value).ok_or_else(|| invalid("a value of another type than its field"))?;
            insert(&mut fields, name, value);
        }
        let id = id().ok_or_else(|| invalid("a row without an Id"))?;
        Ok(Record { object: columns.object.clone(), id, fields })
    }
}

/// Reads a value. An empty one is null: CSV does not distinguish the two. A NUL character, which some orgs have, is left out.
fn read(kind: Kind, text: &str) -> Option<Value> {
    if text.is_empty() {
        return Some(Value::Null);
    }
    match kind {
        Kind::Text if text.contains('\0') => Some(Value::String(text.replace('\0', ""))),
        Kind::Text => Some(Value::String(text.to_owned())),
        Kind::Boolean => text.parse().ok().map(Value::Bool),
        Kind::Number => serde_json::from_str::<Number>(text).ok().map(Value::Number),
        // As REST renders it: the mirror compares values.
        Kind::DateTime => {
            let time = datetime::render(datetime::parse(text).ok()?);
            Some(Value::String(format!("{}+0000", time.trim_end_matches('Z'))))
        }
    }
}

/// Inserts a value. The column `Account.Name` is the member `Name` of the object `Account`, as in REST.
fn insert(fields: &mut JsonObject, column: &str, value: Value) {
    match column.split_once('.') {
        None => {
            fields.insert(column.to_owned(), value);
        }
        Some((parent, rest)) => {
            let parent = fields.entry(parent).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(parent) = parent {
                insert(parent, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::bulk::splitter::tests::each_row;

    fn columns() -> Columns {
        let field = |name: &str, kind: &str| json!({"name": name, "label": name, "type": kind, "nillable": true, "createable": true, "updateable": true});
        let describe = serde_json::from_value(json!({
            "name": "Deal__c", "label": "Deal", "keyPrefix": "a00", "custom": true, "queryable": true, "createable": true,
            "updateable": true, "replicateable": true,
            "fields": [field("Id", "id"), field("Name", "string"), field("Open__c", "boolean"), field("Amount__c", "currency"),
                       field("Seats__c", "int"), field("Day__c", "date"), field("SystemModstamp", "datetime")],
        }));
        Columns::of(&describe.unwrap())
    }

    fn records(csv: &str) -> Vec<Result<JsonObject, String>> {
        let (columns, mut header, mut found) = (columns(), None, Vec::new());
        each_row([csv.as_bytes()], |row| match &header {
            None => header = Some(Header::new(row, &columns).unwrap()),
            Some(header) => found.push(header.record(row, &columns)),
        });
        found.into_iter().map(|row| row.map(|record| record.fields).map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn values_are_those_of_rest() {
        let csv = "\"Id\",\"Name\",\"Open__c\",\"Amount__c\",\"Seats__c\",\"Day__c\",\"SystemModstamp\",\"Account__r.Name\"\n\
                   \"a005e0000000001AAA\",\"A \"\"big\"\"\ndeal\",\"true\",\"1500.5\",\"7\",\"2026-11-22\",\"2026-11-22T01:00:00.000Z\",\"Acme\"\n\
                   \"a005e0000000002AAA\",\"\",\"false\",\"\",\"\",\"\",\"2026-11-22T02:00:00.000Z\",\"\"\n";
        let expected = [
            json!({"Id": "a005e0000000001AAA", "Name": "A \"big\"\ndeal", "Open__c": true, "Amount__c": 1500.5, "Seats__c": 7,
                   "Day__c": "2026-11-22", "SystemModstamp": "2026-11-22T01:00:00.000+0000", "Account__r": {"Name": "Acme"}}),
            json!({"Id": "a005e0000000002AAA", "Name": null, "Open__c": false, "Amount__c": null, "Seats__c": null,
                   "Day__c": null, "SystemModstamp": "2026-11-22T02:00:00.000+0000", "Account__r": {"Name": null}}),
        ];
        let found: Vec<Value> = records(csv).into_iter().map(|fields| Value::Object(fields.unwrap())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_row_that_cannot_be_read_hides_no_other() {
        let csv = "Id,Seats__c\na005e0000000001AAA,7\na005e0000000002AAA,many\na005e0000000003AAA\n,8\na005e0000000004AAA,9\n";
        let found = records(csv);
        assert_eq!(found.iter().filter(|row| row.is_ok()).count(), 2);
        let text = "could not read a row of the query job: a row without an Id";
        assert_eq!(found[3].as_ref().unwrap_err(), text);
    }

    #[test]
    fn a_field_of_an_unknown_type_is_no_text() {
        let columns = columns();
        let defect = |first_line: &str| {
            let mut defect = None;
            each_row([first_line.as_bytes()], |row| defect = Header::new(row, &columns).err());
            defect
        };
        assert_eq!(defect("Id,Account__r.Name,seats__c\n"), None);
        let what = defect("Id,Score__c\n").unwrap();
        let error = |what| Error::InvalidResponse { operation: "read the results of the query job", what };
        assert!(error(what).is_unknown_column() && !error("not CSV").is_unknown_column());
    }

    #[test]
    fn a_query_that_finds_nothing_has_no_rows() {
        assert!(records("\"Id\",\"Name\"\n").is_empty());
        assert!(records("").is_empty());
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(texts in prop::collection::vec("[^\0]*", 1..20)) {
            let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record(["Id", "Name"]).unwrap();
            for text in &texts {
                writer.write_record(["a005e0000000001AAA", text]).unwrap();
            }
            let csv = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let found: Vec<String> = records(&csv)
                .into_iter()
                .map(|row| row.unwrap()["Name"].as_str().unwrap_or_default().to_owned())
                .collect();
            prop_assert_eq!(found, texts);
        }
    }
}
