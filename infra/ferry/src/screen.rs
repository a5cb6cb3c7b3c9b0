//! How tables, counts and times look on a terminal.

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};

/// What every terminal has.
const WIDTH: u16 = 80;

/// A table that fits every terminal.
pub(crate) fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(WIDTH).set_header(head);
    table
}

/// `1,200`.
pub(crate) fn number(count: usize) -> String {
    HumanCount(count as u64).to_string()
}

/// `1 record`, `1,200 records`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A point in time to the second, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// How long ago, in its largest unit.
pub(crate) fn age(age: SignedDuration) -> String {
    match age.as_secs() {
        ..60 => format!("{} s", age.as_secs()),
        60..3_600 => format!("{} min", age.as_mins()),
        3_600..86_400 => format!("{} h", age.as_hours()),
        _ => format!("{} d", age.as_hours() / 24),
    }
}

/// Shows on a terminal that something of unknown length gets on.
pub(crate) fn spinner(doing: &str, what: &str) -> ProgressBar {
    styled(ProgressBar::new_spinner(), &format!("{{spinner}} {doing}: {{human_pos}} {what}"))
}

/// Shows on a terminal how far something came.
pub(crate) fn bar(doing: &str, length: usize) -> ProgressBar {
    styled(ProgressBar::new(length as u64), &format!("{doing} {{wide_bar}} {{human_pos}} of {{human_len}}"))
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bar.with_style(style);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_ages_and_times_are_for_people() {
        assert_eq!(counted(1, "record", "records"), "1 record");
        assert_eq!(counted(12_000, "record", "records"), "12,000 records");
        let ages = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 13 * 86_400].map(|s| age(SignedDuration::from_secs(s)));
        assert_eq!(ages, ["0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 d", "13 d"]);
        assert_eq!(time("2026-11-22T10:15:30.123+01:00".parse().unwrap()), "2026-11-22T09:15:30Z");
    }
}
