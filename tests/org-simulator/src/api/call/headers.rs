//! The request headers that the data API evaluates.

use std::collections::BTreeMap;

/// Sforce headers that the simulator accepts and ignores.
const IGNORED: [&str; 1] = ["sforce-limit-info"];
/// Headers that have an effect.
const SUPPORTED: [&str; 10] = [
    "accept",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "sforce-auto-assign",
    "sforce-call-options",
    "sforce-duplicate-rule-header",
    "sforce-mru",
    "sforce-query-options",
];

/// Headers by their names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers(BTreeMap<&'static str, String>);

impl Headers {
    /// Stores the headers that have an effect, and logs Salesforce's headers that are not supported.
    pub(crate) fn read<'a>(given: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut kept = BTreeMap::new();
        for (name, value) in given {
            if let Some(known) = SUPPORTED.iter().find(|known| known.eq_ignore_ascii_case(name)) {
                kept.insert(*known, value.to_owned());
            } else if is_salesforces(name) && !IGNORED.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                tracing::warn!(name, "the simulator does not support this header");
            }
        }
        Self(kept)
    }

    /// Returns a header by its name in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn is_salesforces(name: &str) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sforce-"))
}

/// Returns `batchSize` of `Sforce-Query-Options`.
pub(super) fn batch_size(options: &str) -> Option<usize> {
    options.split(',').filter_map(|option| option.trim().strip_prefix("batchSize=")).find_map(|n| n.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_ignore_case() {
        let headers = Headers::read([("Sforce-Auto-Assign", "FALSE"), ("Host", "x")].into_iter());
        assert_eq!((headers.get("sforce-auto-assign"), headers.get("host")), (Some("FALSE"), None));
    }

    #[test]
    fn the_batch_size_is_one_of_several_options() {
        assert_eq!(batch_size("foo=1, batchSize=500"), Some(500));
        assert_eq!(batch_size("batchSize=many"), None);
    }
}
