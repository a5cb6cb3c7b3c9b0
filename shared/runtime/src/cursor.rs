//! Cursors: opaque texts that say where the next page of a list starts.
//!
//! A cursor has a version and a hash of the request that made it, so that one of another list is refused and not read as a
//! position of this one. It gives no access: every page is read with the rights of its own request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const VERSION: u8 = 1;
/// The longest cursor that is read, in characters.
const MAX_LENGTH: usize = 4_096;

/// The reason for which a text is not a cursor of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidCursor {
    /// It is the cursor of a list with other filters, or another order.
    OfAnotherList,
    /// It is no cursor.
    NotACursor,
}

/// The identity of a list: a hash of all that decides its rows and their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListId(u64);

impl ListId {
    /// Returns the identity of the list with these properties.
    #[must_use]
    pub fn of(properties: &impl std::fmt::Debug) -> Self {
        let hash = Sha256::digest(format!("{properties:?}"));
        Self(hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Returns the cursor of a position.
    #[must_use]
    pub fn cursor(self, position: &impl Serialize) -> String {
        let text = serde_json::to_vec(&(VERSION, self, position)).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Returns the position of a cursor.
    ///
    /// # Errors
    /// The text is not a cursor of this list.
    pub fn position<P: DeserializeOwned>(self, cursor: &str) -> Result<P, InvalidCursor> {
        let text = (cursor.len() <= MAX_LENGTH).then(|| URL_SAFE_NO_PAD.decode(cursor).ok()).flatten();
        let parsed: Option<(u8, Self, P)> = text.and_then(|text| serde_json::from_slice(&text).ok());
        match parsed {
            Some((VERSION, list, position)) if list == self => Ok(position),
            Some(_) => Err(InvalidCursor::OfAnotherList),
            None => Err(InvalidCursor::NotACursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_position() {
        let list = ListId::of(&("Account", "owner"));
        assert_eq!(list.position::<(String, u8)>(&list.cursor(&("Acme", 7))).unwrap(), ("Acme".to_owned(), 7));
    }

    #[test]
    fn a_cursor_of_another_list_or_version_is_refused() {
        let list = ListId::of(&"a");
        let refused = |cursor: &str| list.position::<u8>(cursor).unwrap_err();
        assert_eq!(refused(&ListId::of(&"b").cursor(&1)), InvalidCursor::OfAnotherList);
        let other_version = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(2, list, 1)).unwrap());
        assert_eq!(refused(&other_version), InvalidCursor::OfAnotherList);
        for text in ["", "!", "001000000000001", &list.cursor(&"text"), &"A".repeat(5_000)] {
            assert_eq!(refused(text), InvalidCursor::NotACursor, "{text}");
        }
    }
}
