//! The API versions that the org serves.

use serde_json::{Value as Json, json};

/// The API versions and their releases, the current one last.
const RELEASES: [(u32, &str); 38] = [
    (31, "Summer '14"),
    (32, "Winter '15"),
    (33, "Spring '15"),
    (34, "Summer '15"),
    (35, "Winter '16"),
    (36, "Spring '16"),
    (37, "Summer '16"),
    (38, "Winter '17"),
    (39, "Spring '17"),
    (40, "Summer '17"),
    (41, "Winter '18"),
    (42, "Spring '18"),
    (43, "Summer '18"),
    (44, "Winter '19"),
    (45, "Spring '19"),
    (46, "Summer '19"),
    (47, "Winter '20"),
    (48, "Spring '20"),
    (49, "Summer '20"),
    (50, "Winter '21"),
    (51, "Spring '21"),
    (52, "Summer '21"),
    (53, "Winter '22"),
    (54, "Spring '22"),
    (55, "Summer '22"),
    (56, "Winter '23"),
    (57, "Spring '23"),
    (58, "Summer '23"),
    (59, "Winter '24"),
    (60, "Spring '24"),
    (61, "Summer '24"),
    (62, "Winter '25"),
    (63, "Spring '25"),
    (64, "Summer '25"),
    (65, "Winter '26"),
    (66, "Spring '26"),
    (67, "Summer '26"),
    (68, "Winter '27"),
];

/// Returns whether the org serves an API version.
pub(super) fn known(number: u32) -> bool {
    RELEASES.iter().any(|(known, _)| *known == number)
}

/// Returns the body of `GET /services/data`.
pub(crate) fn versions() -> Json {
    let entry = |(number, label): &(u32, &str)| json!({"label": label, "url": format!("/services/data/v{number}.0"), "version": format!("{number}.0")});
    RELEASES.iter().map(entry).collect()
}

/// Returns the oldest API version that the org serves.
pub(crate) fn oldest() -> String {
    RELEASES.first().map_or_else(String::new, |(number, _)| format!("{number}.0"))
}

/// Returns whether the text is an API version that Salesforce has retired: 30.0 and all before it.
pub(crate) fn is_retired(version: &str) -> bool {
    let number = version.strip_suffix(".0").and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| number > 0 && RELEASES.first().is_some_and(|(oldest, _)| number < *oldest))
}

/// Returns whether the text is a served API version, for example `66.0`.
pub(crate) fn is_version(version: &str) -> bool {
    version.strip_suffix(".0").and_then(|number| number.parse().ok()).is_some_and(known)
}
