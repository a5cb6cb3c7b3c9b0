//! Auto-number fields: the org sets their values on new records.

use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::Value;

/// The number of the first case in a new org, as in a Developer Edition.
const FIRST_CASE: u64 = 1_000;

impl Org {
    /// Sets the auto-number fields of a new record. A number that a failed transaction used is not used again.
    pub(super) fn number(&mut self, object: &Object, row: &mut Row) {
        for (at, field) in object.fields.iter().enumerate() {
            let Some(form) = &field.auto_number else { continue };
            let first = if object.name == "Case" { FIRST_CASE } else { 1 };
            let next = self.numbers.entry(format!("{}.{}", object.name, field.name)).or_insert(first);
            row.set(at, Value::text(numbered(form, *next)));
            *next += 1;
        }
    }
}

/// Formats a number by the display format: `A-{0000}` and 7 become `A-0007`.
fn numbered(form: &str, number: u64) -> String {
    let digits = form.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match digits {
        Some((before, (zeros, after))) => format!("{before}{number:0width$}{after}", width = zeros.len()),
        None => format!("{form}{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_display_format_sets_the_minimum_of_digits() {
        assert_eq!(numbered("A-{0000}", 7), "A-0007");
        assert_eq!(numbered("{00}-x", 12_345), "12345-x");
        assert_eq!(numbered("N", 3), "N3");
    }
}
