//! Reads well-formed XML within bounds: elements and their text.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::element::Element;
use super::{MAX_BYTES, MAX_DEPTH, ParseError};

/// The maximum number of namespace declarations in force at a time.
const MAX_NAMESPACES: usize = 64;

/// A reader of one document.
pub(in crate::soap) struct Reader<'a> {
    text: &'a str,
    xml: NsReader<&'a [u8]>,
    depth: usize,
    /// `true` once the root element has started.
    has_root: bool,
}

enum Token<'a> {
    Start(Element<'a>),
    Text(Cow<'a, str>),
    /// The end of an element, or of the document.
    End,
}

impl<'a> Reader<'a> {
    pub(in crate::soap) fn new(body: &'a [u8]) -> Result<Self, ParseError> {
        if body.len() > MAX_BYTES {
            return Err(ParseError::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| ParseError::NotUtf8)?;
        if let Some(position) = find_forbidden(body) {
            let what = "a character that XML forbids";
            return Err(ParseError::NotWellFormed { position: position as u64, what });
        }
        let text = text.trim_start().trim_start_matches('\u{feff}').trim_start();
        let mut xml = NsReader::from_str(text);
        xml.config_mut().check_comments = true;
        xml.config_mut().expand_empty_elements = true;
        xml.resolver_mut().set_max_namespace_bindings(MAX_NAMESPACES);
        Ok(Self { text, xml, depth: 0, has_root: false })
    }

    /// Reads to the end of the current element, or of the document, and calls `read` for each child. It has to read the child
    /// to its end.
    pub(in crate::soap) fn children(
        &mut self,
        mut read: impl FnMut(&mut Self, Element<'a>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        loop {
            match self.next()? {
                Token::Start(element) => read(self, element)?,
                Token::Text(_) => {}
                Token::End => return Ok(()),
            }
        }
    }

    /// Reads to the end of the current element, and ignores its content.
    pub(in crate::soap) fn skip(&mut self) -> Result<(), ParseError> {
        let depth = self.depth;
        while self.depth >= depth {
            self.next()?;
        }
        Ok(())
    }

    /// Reads the text of the current element, without surrounding white space and the text of its children. `None` is null:
    /// `xsi:nil`, or no text.
    pub(in crate::soap) fn value(&mut self, element: &Element<'a>) -> Result<Option<Cow<'a, str>>, ParseError> {
        let mut value = Cow::Borrowed("");
        loop {
            match self.next()? {
                Token::Start(_) => self.skip()?,
                Token::Text(text) if value.is_empty() => value = text,
                Token::Text(text) => value.to_mut().push_str(&text),
                Token::End => break,
            }
        }
        let value = match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
            Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_owned()),
        };
        Ok(Some(value).filter(|value| !value.is_empty() && !element.nil))
    }

    fn next(&mut self) -> Result<Token<'a>, ParseError> {
        loop {
            let start = self.xml.buffer_position();
            match self.xml.read_event().map_err(|error| self.syntax_error(&error))? {
                Event::Start(tag) | Event::Empty(tag) => return self.open(&tag, start).map(Token::Start),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Token::End);
                }
                // The search for one character is cheap, and few texts have it.
                Event::Text(text) if text.contains(']') && text.contains("]]>") => {
                    return Err(self.malformed("a stray ]]>"));
                }
                Event::Text(text) => return self.text(text.xml10_content()),
                Event::CData(text) => return self.text(text.xml10_content()),
                Event::GeneralRef(reference) => return self.text(self.resolve(&reference)?),
                Event::Decl(declaration) => self.check_declaration(&declaration, start)?,
                Event::DocType(_) => return Err(ParseError::DocumentType),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if self.depth == 0 && self.has_root => return Ok(Token::End),
                Event::Eof if !self.has_root => return Err(self.malformed("there is no element")),
                Event::Eof => return Err(self.malformed("the body ends inside the root element")),
            }
        }
    }

    /// Reads the tag whose `<` is at `start`. The name is taken from the text, because that of `tag` borrows from `tag`.
    fn open(&mut self, tag: &BytesStart<'a>, start: u64) -> Result<Element<'a>, ParseError> {
        if self.depth == 0 && self.has_root {
            return Err(self.malformed("a second root element"));
        }
        if self.depth == MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        self.depth += 1;
        self.has_root = true;
        let name = usize::try_from(start).ok().and_then(|start| self.text.get(start + 1..)?.get(..tag.name().0.len()));
        let element = Element::read(name.unwrap_or_default(), tag, self.xml.resolver());
        element.map_err(|what| self.malformed(what))
    }

    fn text(&self, text: Cow<'a, str>) -> Result<Token<'a>, ParseError> {
        if self.depth == 0 && !text.trim_ascii().is_empty() {
            return Err(self.malformed("text outside the root element"));
        }
        Ok(Token::Text(text))
    }

    /// Resolves a reference to one of the five predefined entities or to a legal character.
    fn resolve(&self, reference: &BytesRef<'_>) -> Result<Cow<'a, str>, ParseError> {
        match reference.resolve_char_ref() {
            Ok(None) => resolve_xml_entity(reference).map(Cow::Borrowed).ok_or("an undeclared entity"),
            Ok(Some(character)) if is_legal(character) => Ok(Cow::Owned(character.to_string())),
            Ok(Some(_)) | Err(_) => Err("a malformed character reference"),
        }
        .map_err(|what| self.malformed(what))
    }

    fn check_declaration(&self, declaration: &BytesDecl<'_>, start: u64) -> Result<(), ParseError> {
        match (declaration.version(), declaration.encoding().transpose()) {
            (Ok(_), Ok(encoding)) if start == 0 => match encoding.map(|name| name.to_ascii_lowercase()).as_deref() {
                None | Some("utf-8" | "us-ascii") => Ok(()),
                Some(_) => Err(ParseError::NotUtf8),
            },
            _ => Err(self.malformed("a misplaced or malformed declaration")),
        }
    }

    fn syntax_error(&self, error: &Error) -> ParseError {
        match error {
            Error::Syntax(SyntaxError::UnclosedDoctype) | Error::IllFormed(IllFormedError::MissingDoctypeName) => {
                ParseError::DocumentType
            }
            Error::Syntax(_) => self.malformed("markup that does not end"),
            Error::IllFormed(_) => self.malformed("tags that do not match, or a malformed reference or comment"),
            _ => self.malformed("a malformed attribute, or reserved or too many namespaces"),
        }
    }

    fn malformed(&self, what: &'static str) -> ParseError {
        ParseError::NotWellFormed { position: self.xml.buffer_position(), what }
    }
}

/// Returns the position of the first character that XML 1.0 forbids: a control character, U+FFFE or U+FFFF.
fn find_forbidden(utf8: &[u8]) -> Option<usize> {
    utf8.iter().enumerate().position(|(at, byte)| match byte {
        b'\t' | b'\n' | b'\r' => false,
        0xef => matches!(utf8[at..], [_, 0xbf, 0xbe | 0xbf, ..]),
        byte => *byte < b' ',
    })
}

/// Returns whether XML 1.0 allows the character.
fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
