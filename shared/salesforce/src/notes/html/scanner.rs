//! HTML in pieces, forgiving as browsers are: whatever is no tag is text.

use std::borrow::Cow;

/// A piece of HTML.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text with its entities.
    Text(&'a str),
    /// A start tag; of its attributes only `href` is of interest, decoded.
    Start { name: String, href: Option<String> },
    /// An end tag.
    End(String),
}

/// Yields the pieces of a fragment; comments and declarations are left out.
pub(super) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self { rest: html }
    }

    /// The piece that `rest` begins with, and what follows it; no piece for a comment.
    fn split(&self) -> (Option<Piece<'a>>, &'a str) {
        let html = self.rest;
        if !html.starts_with('<') {
            let end = html.find('<').unwrap_or(html.len());
            return (Some(Piece::Text(&html[..end])), &html[end..]);
        }
        if let Some(comment) = html.strip_prefix("<!--") {
            return (None, after(comment, "-->"));
        }
        if html.starts_with("<!") || html.starts_with("<?") {
            return (None, after(html, ">"));
        }
        match tag(html) {
            Some((piece, rest)) => (Some(piece), rest),
            None => (Some(Piece::Text("<")), &html[1..]),
        }
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        while !self.rest.is_empty() {
            let (piece, rest) = self.split();
            self.rest = rest;
            if piece.is_some() {
                return piece;
            }
        }
        None
    }
}

fn after<'a>(html: &'a str, end: &str) -> &'a str {
    html.split_once(end).map_or("", |(_, rest)| rest)
}

/// A start or end tag at the beginning of `html`, and what follows it.
fn tag(html: &str) -> Option<(Piece<'static>, &str)> {
    let end = tag_end(html)?;
    let inside = &html[1..end];
    let (is_end, inside) = match inside.strip_prefix('/') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let name_end = inside.find(|c: char| c.is_ascii_whitespace() || c == '/');
    let (name, attributes) = inside.split_at(name_end.unwrap_or(inside.len()));
    let name = name.to_ascii_lowercase();
    let piece = if is_end {
        Piece::End(name)
    } else {
        let href = href(attributes);
        Piece::Start { name, href }
    };
    Some((piece, &html[end + 1..]))
}

/// Where the `>` of a tag is, past those in quotes.
fn tag_end(html: &str) -> Option<usize> {
    let mut quote = None;
    for (position, character) in html.char_indices() {
        match (quote, character) {
            (None, '>') => return Some(position),
            (None, '"' | '\'') if html[..position].ends_with('=') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

/// The value of `href` among attributes.
fn href(attributes: &str) -> Option<String> {
    let mut rest = attributes;
    while let Some((name, value)) = rest.split_once('=') {
        let name = name.rsplit(|c: char| c.is_ascii_whitespace() || c == '/').next();
        let is_href = name.is_some_and(|name| name.eq_ignore_ascii_case("href"));
        let (value, after) = attribute_value(value);
        if is_href {
            return Some(decode(value).into_owned());
        }
        rest = after;
    }
    None
}

fn attribute_value(value: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    let end = value.find(|c: char| c.is_ascii_whitespace());
    value.split_at(end.unwrap_or(value.len()))
}

/// Text with its entities replaced by what they stand for; unknown ones stay as they are.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        decoded.push_str(before);
        let known = reference.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        match known {
            Some((character, after)) => {
                decoded.push(character);
                rest = after;
            }
            None => {
                decoded.push('&');
                rest = reference;
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}
