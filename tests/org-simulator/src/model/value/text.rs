//! Text values: short ones are stored inline, without an allocation.

use std::fmt;
use std::ops::Deref;

/// The number of bytes that fit inline, next to the length, without making `Value` larger.
const SHORT: usize = 22;

/// An immutable text.
#[derive(Clone)]
pub(crate) enum Text {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Short { length, bytes } => {
                bytes.get(..usize::from(*length)).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
            }
            Self::Long(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::value::Value;

    #[test]
    fn a_value_is_no_larger_than_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }

    proptest! {
        #[test]
        fn a_text_keeps_its_characters(text in ".{0,40}") {
            prop_assert_eq!(&*Text::new(&text), text.as_str());
        }
    }
}
