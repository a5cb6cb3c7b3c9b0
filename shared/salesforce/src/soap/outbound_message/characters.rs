//! A body as text: bounded, UTF-8, and of characters that XML 1.0 allows.

use std::ops::Range;

use super::{MAX_BYTES, ParseError};

/// A body as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    /// Without byte-order mark and without white space in front.
    pub(super) text: &'a str,
    /// There is neither a carriage return nor a `]` in it: no end of line is to be changed, and no `]]>` can be astray.
    pub(super) is_plain: bool,
}

/// A body as text.
pub(super) fn text(body: &[u8]) -> Result<Text<'_>, ParseError> {
    if body.len() > MAX_BYTES {
        return Err(ParseError::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| ParseError::NotUtf8)?;
    let is_plain = look_through(body).map_err(|position| ParseError::NotWellFormed {
        position: position as u64,
        what: "a character that XML forbids",
    })?;
    Ok(Text { text: text.trim_start().trim_start_matches('\u{feff}').trim_start(), is_plain })
}

/// Whether XML 1.0 allows the character.
pub(super) fn is_legal(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => other >= ' ',
    }
}

/// Whether a text in UTF-8 is [plain](Text::is_plain), or else where it has a character that is not [legal](is_legal). Eight
/// bytes at a time: most of a body is ordinary.
fn look_through(text: &[u8]) -> Result<bool, usize> {
    let mut is_plain = true;
    let (blocks, rest) = text.as_chunks::<32>();
    for (index, block) in blocks.iter().enumerate() {
        let (words, _) = block.as_chunks();
        if words.iter().any(|word| !is_ordinary(u64::from_ne_bytes(*word))) {
            is_plain &= look_at(text, index * 32..index * 32 + 32)?;
        }
    }
    Ok(is_plain & look_at(text, text.len() - rest.len()..text.len())?)
}

/// The same for a part of the text.
fn look_at(text: &[u8], part: Range<usize>) -> Result<bool, usize> {
    let mut is_plain = true;
    for position in part {
        match text.get(position..).unwrap_or_default() {
            [b'\t' | b'\n', ..] => {}
            [b'\r' | b']', ..] => is_plain = false,
            // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
            [0..0x20, ..] | [0xEF, 0xBF, 0xBE | 0xBF, ..] => return Err(position),
            _ => {}
        }
    }
    Ok(is_plain)
}

/// Whether each of eight bytes is a line feed, or from 0x20 to 0x7F and no `]`. Each byte is computed in its own eight bits:
/// where the high bit is 0, adding cannot carry into the next one.
fn is_ordinary(word: u64) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = 0x80 * EACH;
    // The high bit of each byte that is at least `limit`, which is at most 0x80.
    let at_least = |word: u64, limit: u64| ((word & !HIGH) + (0x80 - limit) * EACH) | word;
    let differs_from = |byte: u8| at_least(word ^ (u64::from(byte) * EACH), 1);
    let wrong = word | (!at_least(word, 0x20) & differs_from(b'\n')) | !differs_from(b']');
    wrong & HIGH == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fast_search_finds_what_the_slow_one_finds(text in "[\u{0}-\u{7f}\u{fff0}-\u{ffff}é€]{0,40}") {
            let slow = text.char_indices().find(|(_, character)| !is_legal(*character)).map(|(position, _)| position);
            let is_plain = !text.contains(['\r', ']']);
            prop_assert_eq!(look_through(text.as_bytes()), slow.map_or(Ok(is_plain), Err));
        }

        #[test]
        fn one_character_is_found_wherever_it_stands(before in "[ -Z^-~é\n]{0,30}", after in "[ -Z^-~é\n]{0,30}") {
            let with = |character| look_through(format!("{before}{character}{after}").as_bytes());
            for illegal in ['\0', '\u{8}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
                prop_assert_eq!(with(illegal), Err(before.len()));
            }
            for other in ['\r', ']'] {
                prop_assert_eq!(with(other), Ok(false));
            }
            for plain in ['\t', '\\', '^', '\u{7f}', '\u{fffd}', '\u{10000}'] {
                prop_assert_eq!(with(plain), Ok(true));
            }
        }
    }
}
