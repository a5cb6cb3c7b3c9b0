//! The title of a note or of a file.

use crate::Defect;

/// The maximum length of a title.
const MAX_TITLE_CHARS: usize = 255;

/// Returns a title without surrounding white space.
///
/// # Errors
/// The title is empty, longer than 255 characters or has control characters.
pub fn title(given: &str) -> Result<String, Defect> {
    let title = given.trim();
    let defect = match title.chars().count() {
        _ if given.chars().any(char::is_control) => "the title contains control characters",
        0 => "the title is empty",
        1..=MAX_TITLE_CHARS => return Ok(title.to_owned()),
        _ => "the title is longer than 255 characters",
    };
    Err(Defect::field("title", defect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_of_at_most_255_characters() {
        assert_eq!(title(" Call ").unwrap(), "Call");
        assert!(title(&"ü".repeat(255)).is_ok());
        for wrong in ["", "  ", "a\nb", "Call\n", &"ü".repeat(256)] {
            assert!(title(wrong).is_err(), "{wrong:?}");
        }
    }
}
