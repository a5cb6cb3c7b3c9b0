//! The differences between the HTML that was given and the note.

use std::collections::BTreeMap;

use serde::Serialize;

/// A kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A heading became a bold line.
    HeadingToBold,
    /// A table became lines, one for each row.
    TableToLines,
    /// Preformatted text became lines.
    PreformattedToLines,
    /// Another block became a line.
    BlockToLine,
    /// An image became a link with its alternative text.
    ImageToLink,
    /// An image without an address that a note can link to became its alternative text.
    ImageToText,
    /// An image without an alternative text and such an address, or of a single pixel, was removed.
    ImageRemoved,
    /// An embedded document or recording became a link.
    MediaToLink,
    /// An embedded document or recording without an address that a note can link to was removed.
    MediaRemoved,
    /// A checkbox became `[x]` or `[ ]`.
    CheckboxToText,
    /// A link with another scheme than `http`, `https` and `mailto` became its text.
    LinkToText,
    /// A script, a style, a title or a template was removed with its content.
    ContentRemoved,
    /// An unknown tag was removed, and its content stayed.
    TagRemoved,
    /// A tag lost attributes, such as a style.
    AttributesRemoved,
    /// A tag inside 64 others was removed, and its content stayed.
    NestingCut,
    /// A control character was removed.
    CharacterRemoved,
}

/// A kind of difference, and how often it occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The kind.
    pub kind: ChangeKind,
    /// The number of times.
    pub count: usize,
}

/// Counts of differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes(BTreeMap<ChangeKind, usize>);

impl Changes {
    pub(super) fn add(&mut self, kind: ChangeKind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Returns one entry for each kind that occurred.
    pub(super) fn list(self) -> Vec<Change> {
        self.0.into_iter().map(|(kind, count)| Change { kind, count }).collect()
    }
}
