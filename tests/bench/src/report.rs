//! Tables of measurements.

use comfy_table::{CellAlignment, Table, presets};

use crate::Summary;

/// Returns a table with one line per binary.
#[must_use]
pub fn table(summaries: &[Summary]) -> Table {
    let head = ["function", "size", "gzip", "init", "cold", "cold p90", "warm", "memory", "response"];
    let rows = summaries.iter().map(|of| {
        [
            of.name.clone(),
            megabytes(of.size_bytes),
            megabytes(of.gzip_bytes),
            milliseconds(of.init_us),
            milliseconds(of.cold_us),
            milliseconds(of.cold_p90_us),
            format!("{} us", of.warm_us),
            of.resident_bytes.map_or_else(|| "-".to_owned(), megabytes),
            of.answer.clone(),
        ]
    });
    build_table(&head, rows)
}

/// Returns a table with one line per function: each measurement of the second build, divided by that of the first.
#[must_use]
pub fn comparison(pairs: &[(Summary, Summary)]) -> Table {
    let head = ["function, B/A", "size", "gzip", "init", "cold", "cold p90", "warm", "memory"];
    let rows = pairs.iter().map(|(a, b)| {
        [
            a.name.clone(),
            ratio(a.size_bytes, b.size_bytes),
            ratio(a.gzip_bytes, b.gzip_bytes),
            ratio(a.init_us, b.init_us),
            ratio(a.cold_us, b.cold_us),
            ratio(a.cold_p90_us, b.cold_p90_us),
            ratio(a.warm_us, b.warm_us),
            ratio(a.resident_bytes.unwrap_or(0), b.resident_bytes.unwrap_or(0)),
        ]
    });
    build_table(&head, rows)
}

fn build_table<const N: usize>(head: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros / 100 % 10)
}

/// Returns `b / a` with two decimals.
fn ratio(a: u64, b: u64) -> String {
    match (b * 100).checked_div(a) {
        Some(hundredths) => format!("{}.{:02}", hundredths / 100, hundredths % 100),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(name: &str, size_bytes: u64) -> Summary {
        Summary {
            name: name.to_owned(),
            size_bytes,
            gzip_bytes: 2_900_000,
            init_us: 6_300,
            cold_us: 8_600,
            cold_p90_us: 9_100,
            warm_us: 93,
            resident_bytes: None,
            answer: "response".to_owned(),
        }
    }

    #[test]
    fn a_line_has_every_measurement_with_its_unit() {
        let text = table(&[summary("record-events", 6_640_000)]).to_string();

        for part in ["record-events", "6.6 MB", "2.9 MB", "6.3 ms", "8.6 ms", "9.1 ms", "93 us", "-", "response"] {
            assert!(text.contains(part), "{part} is missing from\n{text}");
        }
    }

    #[test]
    fn a_second_build_twice_as_large_has_ratio_two() {
        let text = comparison(&[(summary("a", 3_000_000), summary("a", 6_000_000))]).to_string();

        assert!(text.contains("2.00"), "{text}");
        assert!(text.contains("1.00"), "{text}");
    }
}
