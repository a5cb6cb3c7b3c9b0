//! Tables, counts, times and progress bars for the terminal.

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;

/// Table width in columns, which fits every terminal.
const WIDTH: u16 = 80;

/// Returns an empty table, 80 columns wide.
pub(crate) fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(WIDTH).set_header(head);
    table
}

/// Formats a count: `1,200`.
pub(crate) fn number(count: usize) -> String {
    HumanCount(count as u64).to_string()
}

/// Formats a count with its noun: `1 record`, `1,200 records`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// Formats a time in UTC, rounded to seconds.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// Formats an age in its largest unit: `3 h`.
pub(crate) fn age(age: SignedDuration) -> String {
    match age.as_secs() {
        ..60 => format!("{} s", age.as_secs()),
        60..3_600 => format!("{} min", age.as_mins()),
        3_600..86_400 => format!("{} h", age.as_hours()),
        _ => format!("{} d", age.as_hours() / 24),
    }
}

/// Returns a spinner with a counter, for work of unknown length.
pub(crate) fn spinner(doing: &str, what: &str) -> ProgressBar {
    styled(ProgressBar::new_spinner(), &format!("{{spinner}} {doing}: {{human_pos}} {what}"))
}

/// Returns a progress bar, for a known number of items.
pub(crate) fn bar(doing: &str, items: usize) -> ProgressBar {
    let template = format!("{doing} {{wide_bar}} {{human_pos}} of {{human_len}}");
    styled(ProgressBar::new(items as u64), &template)
}

/// Returns one of several bars, for an object whose rows are counted elsewhere. Its message has the counts.
pub(crate) fn object_bar(object: &str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_prefix(object.to_owned());
    styled(bar, "{prefix:20!} {bar:20} {percent:>3} % {msg}")
}

/// Runs `act` on the items, `size` at a time, with a progress bar.
///
/// The first chunk that fails ends the run with [`Failure::Unfinished`], which says how many items were done before it.
pub(crate) async fn run_in_chunks<T>(
    doing: &str,
    items: &[T],
    size: usize,
    act: impl AsyncFn(&[T]) -> Result<(), store::Error>,
) -> Result<(), Failure> {
    let bar = bar(doing, items.len());
    let mut done = 0;
    for chunk in items.chunks(size) {
        if let Err(error) = act(chunk).await {
            bar.finish_and_clear();
            return Err(Failure::Unfinished(format!(
                "{doing} stopped after {} of {}: {}. Run the same command again to finish.",
                number(done),
                number(items.len()),
                runtime::Chain(&error)
            )));
        }
        done += chunk.len();
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
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
    fn counts_ages_and_times_have_units() {
        assert_eq!(counted(1, "record", "records"), "1 record");
        assert_eq!(counted(12_000, "record", "records"), "12,000 records");
        let ages = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 13 * 86_400].map(|s| age(SignedDuration::from_secs(s)));
        assert_eq!(ages, ["0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 d", "13 d"]);
        assert_eq!(time("2026-11-22T10:15:30.123+01:00".parse().unwrap()), "2026-11-22T09:15:30Z");
    }

    #[tokio::test]
    async fn a_failed_chunk_reports_how_many_items_were_done() {
        let act = async |chunk: &[u8]| match chunk.contains(&5) {
            true => Err(store::Error::NotAllQueued { missing: 1, total: 2 }),
            false => Ok(()),
        };

        let failure = run_in_chunks("Sending", &[1, 2, 3, 4, 5], 2, act).await.unwrap_err();

        assert!(matches!(failure, Failure::Unfinished(_)));
        assert!(failure.to_string().starts_with("Sending stopped after 4 of 5: 1 of 2 messages"), "{failure}");
    }
}
