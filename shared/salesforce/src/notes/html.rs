//! The text of a note: an HTML fragment that Salesforce accepts.

/// An HTML fragment with nothing in it that Salesforce refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteHtml(String);

impl NoteHtml {
    /// Plain text: special characters are escaped, line breaks become `<br>`.
    pub fn from_text(text: &str) -> Self {
        todo!()
    }

    /// HTML of unknown origin: known tags stay, others go and their text stays, scripts and styles go altogether.
    pub fn sanitised(html: &str) -> Self {
        todo!()
    }

    /// The fragment.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
