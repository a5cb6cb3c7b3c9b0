//! The HTML that a note may contain, and the cleaning that Salesforce applies when it is saved.

const TAGS: [&str; 24] = [
    "p",
    "br",
    "b",
    "strong",
    "i",
    "em",
    "u",
    "s",
    "strike",
    "ul",
    "ol",
    "li",
    "a",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "span",
    "img",
    "div",
    "blockquote",
    "code",
];

/// Returns the content as Salesforce saves it, without line breaks and unsafe attributes. `None` when a note cannot
/// hold it: an unescaped `&` or `<`, a tag that notes do not allow, or a control character.
pub(super) fn saved(html: &str) -> Option<String> {
    let mut kept = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        match c {
            '<' => {
                let (tag, after) = rest[1..].split_once('>')?;
                kept.push_str(&clean_tag(tag)?);
                rest = after;
                continue;
            }
            '&' => {
                let entity = entity(rest)?;
                kept.push_str(entity);
                rest = &rest[entity.len()..];
                continue;
            }
            '\r' | '\n' => {}
            '\t' => kept.push(c),
            c if c.is_control() => return None,
            c => kept.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    Some(kept)
}

/// Returns the entity at the start of the text, such as `&amp;` or `&#39;`.
fn entity(text: &str) -> Option<&str> {
    let end = text.find(';').filter(|end| *end <= 32)?;
    let name = &text[1..end];
    let well_formed = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit()),
            None => !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()),
        },
        None => name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric()),
    };
    well_formed.then(|| &text[..=end])
}

fn clean_tag(tag: &str) -> Option<String> {
    let (slash, body) = tag.strip_prefix('/').map_or(("", tag), |body| ("/", body));
    let body = body.trim_end_matches(|c: char| c == '/' || c.is_whitespace());
    let (name, attributes) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
    let name = name.to_ascii_lowercase();
    if !TAGS.contains(&name.as_str()) || tag.contains('<') {
        return None;
    }
    let attributes: String =
        attributes_of(attributes)?.into_iter().filter(|a| is_safe(a)).map(|a| format!(" {a}")).collect();
    Some(format!("<{slash}{name}{attributes}>"))
}

/// Splits `a="b c" d='e'` into its attributes; `None` when a quote is not closed.
fn attributes_of(text: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let equals = rest.find('=');
        let space = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let end = match equals.filter(|equals| *equals < space) {
            Some(equals) => match rest[equals + 1..].chars().next() {
                Some(quote @ ('"' | '\'')) => equals + 2 + rest[equals + 2..].find(quote)? + 1,
                _ => space,
            },
            None => space,
        };
        found.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    Some(found)
}

fn is_safe(attribute: &str) -> bool {
    let lower = attribute.to_ascii_lowercase();
    !lower.starts_with("on") && !lower.contains("javascript:")
}

/// Returns the text without tags and with the common entities decoded.
pub(super) fn text_of(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    entities.iter().fold(text, |text, (entity, plain)| text.replace(entity, plain)).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escaped_text_and_editor_tags_are_kept() {
        let html = "<p>Line &amp; <b>bold</b> &#39;x&#39;</p><a href=\"https://example.com/a b\">link</a>";
        assert_eq!(saved(html).as_deref(), Some(html));
    }

    #[test]
    fn unescaped_characters_and_unknown_tags_are_rejected() {
        for html in [
            "a & b",
            "1 < 2",
            "<script>x</script>",
            "<html><body>x</body></html>",
            "&notclosed",
            "a\u{0}b",
            "<p",
            "&#xZZ;",
        ] {
            assert_eq!(saved(html), None, "{html}");
        }
    }

    #[test]
    fn line_breaks_and_event_handlers_are_removed() {
        assert_eq!(saved("<p>a</p>\r\n<p onclick=\"x()\">b</p>").as_deref(), Some("<p>a</p><p>b</p>"));
        assert_eq!(saved("<a href='javascript:x()'>b</a>").as_deref(), Some("<a>b</a>"));
        assert_eq!(saved("<br\n/ >").as_deref(), Some("<br>"));
    }

    #[test]
    fn the_preview_is_plain_text() {
        assert_eq!(text_of("<p>Call with R&amp;D</p><p>Next</p>"), "Call with R&D Next");
    }

    proptest! {
        #[test]
        fn saved_content_can_be_saved_again(html in "[a-z<>&;/ \"='\\n]{0,40}") {
            if let Some(once) = saved(&html) {
                prop_assert_eq!(saved(&once), Some(once));
            }
        }
    }
}
