//! Compares a note that was found in the org with the one that was to be created.
//!
//! Salesforce sanitizes a note's HTML when it saves it (shared/salesforce/FACTS.md), so two notes are compared by their text:
//! without tags, with entities decoded and white space normalized.

use salesforce::notes::html::visible_text;
use salesforce::{NewNote, Note};

/// Returns whether `found` is the requested note. It may have more links: its owner's, or one that a user added since.
pub fn is_same(found: &Note, wanted: &NewNote) -> bool {
    found.title == wanted.title
        && wanted.links.iter().all(|link| found.links.contains(link))
        && visible_text(&found.html) == visible_text(wanted.html.as_str())
}
