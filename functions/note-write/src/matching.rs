//! Recognizes the note that an earlier attempt created: by its mark, and a note without one by what it says.
//!
//! Salesforce sanitizes a note's HTML when it saves it (shared/salesforce/FACTS.md), so two notes are compared by their text:
//! without tags, with entities decoded and white space normalized.

use salesforce::notes::html::visible_text;
use salesforce::{NewNote, Note};
use store::WriteId;

/// The beginning of every mark.
const PREFIX: &str = "Ferry write ";

/// The origin of a note, by its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// This write created it.
    Own,
    /// Another write created it.
    OfAnotherWrite,
    /// A user created it, or a write in an org that refuses marks: its text decides.
    Unmarked,
}

/// Returns the mark of a write's note. It names the write in Salesforce, too.
#[must_use]
pub fn mark(write: WriteId) -> String {
    format!("{PREFIX}{write}")
}

/// Returns what the marks of a note, one for each of its versions at most, say about it.
#[must_use]
pub fn by_mark(marks: &[String], own: &str) -> Candidate {
    if marks.iter().any(|mark| mark == own) {
        Candidate::Own
    } else if marks.iter().any(|mark| mark.starts_with(PREFIX)) {
        Candidate::OfAnotherWrite
    } else {
        Candidate::Unmarked
    }
}

/// Returns whether `found` is the requested note. It may have more links: its owner's, or one that a user added since; and lack
/// those that are made after the note.
pub fn is_same(found: &Note, wanted: &NewNote) -> bool {
    found.title == wanted.title
        && wanted.first_links().iter().all(|link| found.links.contains(&link.record))
        && visible_text(&found.html) == visible_text(wanted.html.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_the_notes_of_two_writes_apart() {
        let write = |number: u8| mark(format!("2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d{number}").parse().unwrap());
        assert_eq!(by_mark(&[write(1)], &write(1)), Candidate::Own);
        assert_eq!(by_mark(&[write(2)], &write(1)), Candidate::OfAnotherWrite);
        assert_eq!(by_mark(&["edited".to_owned(), write(1)], &write(1)), Candidate::Own);
        assert_eq!(by_mark(&["a text of a user".to_owned()], &write(1)), Candidate::Unmarked);
        assert_eq!(by_mark(&[], &write(1)), Candidate::Unmarked);
    }
}
