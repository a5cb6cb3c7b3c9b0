//! Record counts of the org and of the mirror.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

/// Record counts by object: first in the org, then in the mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(pub(super) BTreeMap<String, (usize, usize)>);

impl Counts {
    /// Returns true if the two counts of every object are equal.
    pub(super) fn agree(&self) -> bool {
        self.0.values().all(|(org, mirror)| org == mirror)
    }

    pub(super) fn to_json(&self) -> Value {
        let sides = |(object, (org, mirror)): (&String, &(usize, usize))| {
            (object.clone(), json!({ "org": org, "mirror": mirror }))
        };
        Value::Object(self.0.iter().map(sides).collect())
    }

    /// Returns the sums over all objects: `87 of 88 records`.
    pub(super) fn progress(&self) -> String {
        let (org, mirror) = self.0.values().fold((0, 0), |(org, mirror), more| (org + more.0, mirror + more.1));
        format!("{mirror} of {org} records")
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["object", "in the org", "in the mirror"]);
        for (object, (org, mirror)) in &self.0 {
            table.add_row([object.clone(), org.to_string(), mirror.to_string()]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(account: (usize, usize)) -> Counts {
        Counts([("Account".to_owned(), account), ("Lead".to_owned(), (3, 3))].into())
    }

    #[test]
    fn counts_agree_only_if_they_agree_for_every_object() {
        assert!(counts((85, 85)).agree());
        assert!(!counts((85, 84)).agree());
    }

    #[test]
    fn the_table_has_a_line_for_each_object() {
        let text = counts((85, 84)).to_string();

        let words = |line: &str| {
            line.replace(|c: char| !c.is_alphanumeric(), " ").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(text.lines().any(|line| words(line) == ["Account", "85", "84"]), "{text}");
        assert_eq!(counts((85, 84)).progress(), "87 of 88 records");
    }
}
