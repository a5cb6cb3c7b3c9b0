//! Reads the XML of an outbound message, bounded, and hands its elements and texts on; they borrow from the body.

use std::borrow::Cow;

use quick_xml::errors::{Error as XmlError, IllFormedError, SyntaxError};
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesRef, Event};
use quick_xml::name::QName;
use quick_xml::{Reader as Tokenizer, XmlVersion};

use super::assembly::Assembly;
use super::characters::{self, Text};
use super::namespaces::{Name, Namespaces, Vocabulary};
use super::{MAX_DEPTH, ParseError};

/// How many attributes an element may have.
const MAX_ATTRIBUTES: usize = 64;
/// For how many there is room at first.
const USUAL_ATTRIBUTES: usize = 4;

/// The start of an element.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) vocabulary: Vocabulary,
    /// The name without its prefix.
    pub(super) name: &'a str,
    /// `xsi:nil`.
    pub(super) nil: bool,
    /// `xsi:type`, without its prefix.
    pub(super) xsi_type: Option<Cow<'a, str>>,
}

/// Reads a body, and sees to it that elements match, that there is one root, and that nothing is declared.
pub(super) struct Reader<'a> {
    text: &'a str,
    is_plain: bool,
    xml: Tokenizer<&'a [u8]>,
    namespaces: Namespaces<'a>,
    /// Of the element at hand. Kept, so that room is made for them once.
    attributes: Vec<(Name<'a>, Cow<'a, str>)>,
    depth: usize,
    root_seen: bool,
}

impl<'a> Reader<'a> {
    /// The text does not begin with a byte-order mark, so that positions in it are those of the tokenizer.
    pub(super) fn new(Text { text, is_plain }: Text<'a>) -> Self {
        let mut xml = Tokenizer::from_str(text);
        xml.config_mut().check_comments = true;
        let namespaces = Namespaces::new();
        let attributes = Vec::with_capacity(USUAL_ATTRIBUTES);
        Self { text, is_plain, xml, namespaces, attributes, depth: 0, root_seen: false }
    }

    /// Reads to the end: the root has been closed, and nothing but white space and comments followed.
    pub(super) fn read(mut self, assembly: &mut Assembly<'a>) -> Result<(), ParseError> {
        loop {
            let begins = self.xml.buffer_position();
            match self.xml.read_event() {
                Ok(Event::Start(start)) => assembly.open(self.open(begins, start.name().0.len(), ">")?)?,
                Ok(Event::End(_)) => self.close(assembly)?,
                Ok(Event::Text(text)) if self.is_plain => self.text(text.into_inner(), assembly)?,
                Ok(Event::Text(text)) if text.contains("]]>") => return Err(self.bad("a stray ]]>")),
                Ok(Event::Text(text)) => self.text(text.xml10_content(), assembly)?,
                Ok(Event::Empty(start)) => {
                    assembly.open(self.open(begins, start.name().0.len(), "/>")?)?;
                    self.close(assembly)?;
                }
                Ok(Event::CData(data)) => self.text(data.xml10_content(), assembly)?,
                Ok(Event::GeneralRef(reference)) => self.text(self.character(&reference)?, assembly)?,
                Ok(Event::Decl(declaration)) => self.check_declaration(&declaration, begins)?,
                Ok(Event::DocType(_)) => return Err(ParseError::DocumentType),
                Ok(Event::Comment(_) | Event::PI(_)) => {}
                Ok(Event::Eof) if self.depth > 0 => return Err(self.bad("it ends inside an element")),
                Ok(Event::Eof) if !self.root_seen => return Err(self.bad("there is no element")),
                Ok(Event::Eof) => return Ok(()),
                Err(error) => return Err(self.lexical(&error)),
            }
        }
    }

    #[inline(always)]
    fn text(&self, text: Cow<'a, str>, assembly: &mut Assembly<'a>) -> Result<(), ParseError> {
        if self.depth > 0 {
            assembly.text(text);
        } else if !text.trim_ascii().is_empty() {
            return Err(self.bad("text outside the root element"));
        }
        Ok(())
    }

    #[inline(always)]
    fn close(&mut self, assembly: &mut Assembly<'a>) -> Result<(), ParseError> {
        self.namespaces.leave(self.depth);
        self.depth = self.depth.saturating_sub(1);
        assembly.close()
    }

    /// The element whose tag `begins` there and ends with `end` where the tokenizer stands; its name has `name_len` bytes.
    #[inline(always)]
    fn open(&mut self, begins: u64, name_len: usize, end: &str) -> Result<Element<'a>, ParseError> {
        if self.depth == 0 && self.root_seen {
            return Err(self.bad("a second root element"));
        }
        if self.depth == MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        self.depth += 1;
        self.root_seen = true;
        let (name, rest) = self.tag(begins, name_len, end).ok_or_else(|| self.bad("a malformed tag"))?;
        let name = Name::split(name).ok_or_else(|| self.bad("a malformed name"))?;
        let mut element = Element { vocabulary: Vocabulary::Other, name: name.local, nil: false, xsi_type: None };
        if !rest.is_empty() {
            self.attributes(rest, &mut element)?;
        }
        element.vocabulary = self.namespaces.of_element(name).ok_or_else(|| self.bad("an undeclared prefix"))?;
        Ok(element)
    }

    /// The name in a tag, and what follows it.
    fn tag(&self, begins: u64, name_len: usize, end: &str) -> Option<(&'a str, &'a str)> {
        let (begins, ends) = (usize::try_from(begins).ok()?, usize::try_from(self.xml.buffer_position()).ok()?);
        self.text.get(begins + 1..ends - end.len())?.split_at_checked(name_len)
    }

    /// The attributes of a tag, after its name. What they declare is in force from here on, for all of them.
    fn attributes(&mut self, mut rest: &'a str, element: &mut Element<'a>) -> Result<(), ParseError> {
        let mut attributes = std::mem::take(&mut self.attributes);
        while !rest.trim_ascii_start().is_empty() {
            let (name, value, after) = split_attribute(rest).ok_or_else(|| self.bad("a malformed attribute"))?;
            rest = after;
            if attributes.len() == MAX_ATTRIBUTES || attributes.iter().any(|(seen, _)| *seen == name) {
                return Err(self.bad("too many attributes, or one twice"));
            }
            let value = attribute_value(value).ok_or_else(|| self.bad("a malformed attribute value"))?;
            if let Some(prefix) = name.declares() {
                let declared = self.namespaces.declare(prefix, &value, self.depth);
                declared.map_err(|what| self.bad(what))?;
            }
            attributes.push((name, value));
        }
        for (name, value) in attributes.drain(..) {
            self.attribute(name, value, element)?;
        }
        self.attributes = attributes;
        Ok(())
    }

    fn attribute(&self, name: Name<'a>, value: Cow<'a, str>, element: &mut Element<'a>) -> Result<(), ParseError> {
        let vocabulary = self.namespaces.of_attribute(name).ok_or_else(|| self.bad("an undeclared prefix"))?;
        match (vocabulary, name.local) {
            (Vocabulary::Instance, "nil") => element.nil = matches!(value.trim_ascii(), "true" | "1"),
            (Vocabulary::Instance, "type") => {
                let local = map(value, |value| value.rsplit(':').next().unwrap_or_default().trim_ascii());
                element.xsi_type = Some(local).filter(|name| !name.is_empty());
            }
            _ => {}
        }
        Ok(())
    }

    /// What a reference stands for: only the five predefined entities and legal characters.
    fn character(&self, reference: &BytesRef<'_>) -> Result<Cow<'a, str>, ParseError> {
        if reference.is_char_ref() {
            let character = reference.resolve_char_ref().ok().flatten();
            return character
                .filter(|character| characters::is_legal(*character))
                .map(|character| Cow::Owned(character.to_string()))
                .ok_or_else(|| self.bad("a malformed character reference"));
        }
        match &**reference {
            "lt" => Ok("<".into()),
            "gt" => Ok(">".into()),
            "amp" => Ok("&".into()),
            "apos" => Ok("'".into()),
            "quot" => Ok("\"".into()),
            _ => Err(self.bad("an undeclared entity")),
        }
    }

    fn check_declaration(&self, declaration: &BytesDecl<'_>, begins: u64) -> Result<(), ParseError> {
        if begins > 0 || declaration.version().is_err() {
            return Err(self.bad("a misplaced or malformed declaration"));
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Err(_)) => Err(self.bad("a misplaced or malformed declaration")),
            Some(Ok(name)) => {
                let known = ["utf-8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known));
                if known { Ok(()) } else { Err(ParseError::NotUtf8) }
            }
        }
    }

    fn lexical(&self, error: &XmlError) -> ParseError {
        match error {
            XmlError::Syntax(SyntaxError::UnclosedDoctype)
            | XmlError::IllFormed(IllFormedError::MissingDoctypeName) => ParseError::DocumentType,
            XmlError::Syntax(_) => self.bad("markup that does not end"),
            XmlError::IllFormed(IllFormedError::UnclosedReference) | XmlError::Escape(_) => {
                self.bad("a stray & or a malformed reference")
            }
            XmlError::IllFormed(IllFormedError::DoubleHyphenInComment) => self.bad("-- in a comment"),
            XmlError::IllFormed(_) => self.bad("start and end tags that do not match"),
            XmlError::Namespace(_) | XmlError::InvalidAttr(_) => self.bad("a malformed attribute"),
            XmlError::Io(_) | XmlError::Encoding(_) => self.bad("unreadable text"),
        }
    }

    fn bad(&self, what: &'static str) -> ParseError {
        ParseError::NotWellFormed { position: self.xml.buffer_position(), what }
    }
}

/// The first attribute in what follows the name in a tag: its name, its value as it stands there, and what follows.
fn split_attribute(rest: &str) -> Option<(Name<'_>, &str, &str)> {
    let (name, value) = rest.strip_prefix(is_space)?.split_once('=')?;
    let value = value.trim_ascii_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (value, rest) = value.strip_prefix(quote)?.split_once(quote)?;
    Some((Name::split(name.trim_ascii())?, value, rest))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// What the value of an attribute stands for.
fn attribute_value(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.bytes().any(|byte| matches!(byte, b'<' | b'&' | b'\t' | b'\r' | b'\n')) {
        return Some(Cow::Borrowed(raw));
    }
    let attribute = Attribute { key: QName(""), value: Cow::Borrowed(raw) };
    attribute.normalized_value(XmlVersion::default()).ok().filter(|_| !raw.contains('<'))
}

/// A part of a text, borrowed where the whole is.
#[inline(always)]
pub(super) fn map<'a>(text: Cow<'a, str>, part: impl for<'t> Fn(&'t str) -> &'t str) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(part(text)),
        Cow::Owned(text) => Cow::Owned(part(&text).to_owned()),
    }
}
