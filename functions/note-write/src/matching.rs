//! Compares a note that was found in the org with the one that was to be created.
//!
//! Salesforce sanitizes a note's HTML when it saves it (shared/salesforce/FACTS.md), so two notes are compared by their text:
//! without tags, with entities decoded and white space normalized.

use salesforce::{NewNote, Note};

/// Returns whether `found` is the requested note. It may have more links: its owner's, or one that a user added since.
pub fn is_same(found: &Note, wanted: &NewNote) -> bool {
    found.title == wanted.title
        && wanted.links.iter().all(|link| found.links.contains(link))
        && visible_text(&found.html) == visible_text(wanted.html.as_str())
}

/// Returns the normalized text of an HTML fragment.
pub fn visible_text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('<') { skip_tag(rest, &mut text) } else { resolve_entity(rest, &mut text) };
    }
    text.push_str(rest);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A tag separates words: `<p>a</p><p>b</p>` is not `ab`.
fn skip_tag<'a>(rest: &'a str, text: &mut String) -> &'a str {
    text.push(' ');
    rest.find('>').map_or("", |end| &rest[end + 1..])
}

fn resolve_entity<'a>(rest: &'a str, text: &mut String) -> &'a str {
    let entity = rest.find(';').filter(|end| *end <= 10).and_then(|end| Some((character(&rest[1..end])?, end)));
    match entity {
        Some((character, end)) => {
            text.push(character);
            &rest[end + 1..]
        }
        None => {
            text.push('&');
            &rest[1..]
        }
    }
}

fn character(entity: &str) -> Option<char> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => match entity.strip_prefix('#')? {
            hex if hex.starts_with(['x', 'X']) => number(&hex[1..], 16),
            decimal => number(decimal, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_separate_words_and_white_space_does_not_count() {
        assert_eq!(visible_text("<p>Call  with\nAcme</p><p>next: <b>offer</b></p>"), "Call with Acme next: offer");
    }

    #[test]
    fn named_and_numbered_entities_are_the_characters_they_stand_for() {
        assert_eq!(visible_text("R&amp;D &lt;x&gt; &#39;a&#x27; &nbsp;b"), "R&D <x> 'a' b");
    }

    #[test]
    fn a_bare_ampersand_stays() {
        assert_eq!(visible_text("R&D & more; a &unknown; b"), "R&D & more; a &unknown; b");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(html in any::<String>()) {
            visible_text(&html);
        }
    }
}
