//! The XML of an outbound message as a bounded stream of steps.

use std::borrow::Cow;

use quick_xml::errors::{Error as XmlError, IllFormedError, SyntaxError};
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, QName, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

use super::{MAX_BYTES, MAX_DEPTH, ParseError};

const SOAP_11: Namespace<'_> = Namespace("http://schemas.xmlsoap.org/soap/envelope/");
const SOAP_12: Namespace<'_> = Namespace("http://www.w3.org/2003/05/soap-envelope");
const OUTBOUND: Namespace<'_> = Namespace("http://soap.sforce.com/2005/09/outbound");
const XSI: Namespace<'_> = Namespace("http://www.w3.org/2001/XMLSchema-instance");

/// How many attributes an element may have, and how many namespaces may be declared at a time.
const MAX_ATTRIBUTES: usize = 64;

/// Which vocabulary an element belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vocabulary {
    Soap,
    Outbound,
    Other,
}

/// The start of an element.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) vocabulary: Vocabulary,
    /// The name without its prefix.
    pub(super) name: String,
    /// `xsi:nil`.
    pub(super) nil: bool,
    /// `xsi:type`, without its prefix.
    pub(super) xsi_type: Option<String>,
}

/// What comes next in a body.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Open(Element),
    Text(Cow<'a, str>),
    Close,
}

/// A body as text: bounded, UTF-8, legal characters, without byte-order mark and without white space in front.
pub(super) fn text(body: &[u8]) -> Result<&str, ParseError> {
    if body.len() > MAX_BYTES {
        return Err(ParseError::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| ParseError::NotUtf8)?;
    if let Some((position, _)) = text.char_indices().find(|(_, c)| !is_legal(*c)) {
        return Err(ParseError::NotWellFormed { position: position as u64, what: "a character that XML forbids" });
    }
    Ok(text.trim_start().trim_start_matches('\u{feff}').trim_start())
}

/// Reads steps, and sees to it that elements match, that there is one root, and that nothing is declared.
pub(super) struct Reader<'a> {
    xml: NsReader<&'a [u8]>,
    depth: usize,
    begun: bool,
    root_seen: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut xml = NsReader::from_str(text);
        xml.resolver_mut().set_max_namespace_bindings(MAX_ATTRIBUTES);
        let config = xml.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        Self { xml, depth: 0, begun: false, root_seen: false }
    }

    /// The next step, or `None` after the root has been closed and nothing but white space and comments followed.
    pub(super) fn next(&mut self) -> Result<Option<Step<'a>>, ParseError> {
        loop {
            let event = self.xml.read_event().map_err(|error| self.lexical(&error))?;
            let first = !std::mem::replace(&mut self.begun, true);
            let step = match event {
                Event::Start(start) => Step::Open(self.open(&start)?),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    Step::Close
                }
                Event::Text(text) if text.contains("]]>") => return Err(self.bad("a stray ]]>")),
                Event::Text(text) => Step::Text(text.xml10_content()),
                Event::CData(data) => Step::Text(data.xml10_content()),
                Event::GeneralRef(reference) => Step::Text(self.character(&reference)?),
                Event::Decl(declaration) => {
                    self.check_declaration(&declaration, first)?;
                    continue;
                }
                Event::DocType(_) => return Err(ParseError::DocumentType),
                Event::Comment(_) | Event::PI(_) => continue,
                Event::Empty(_) => return Err(self.bad("an element without an end")),
                Event::Eof if self.depth > 0 => return Err(self.bad("it ends inside an element")),
                Event::Eof if !self.root_seen => return Err(self.bad("there is no element")),
                Event::Eof => return Ok(None),
            };
            if self.depth > 0 || !matches!(step, Step::Text(_)) {
                return Ok(Some(step));
            }
            if !matches!(&step, Step::Text(text) if text.trim().is_empty()) {
                return Err(self.bad("text outside the root element"));
            }
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<Element, ParseError> {
        if self.depth == 0 && self.root_seen {
            return Err(self.bad("a second root element"));
        }
        if self.depth == MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        self.depth += 1;
        self.root_seen = true;
        let (namespace, name) = self.resolve(start.name(), true)?;
        let mut element =
            Element { vocabulary: vocabulary(&namespace), name: name.to_owned(), nil: false, xsi_type: None };
        let mut seen: Vec<&str> = Vec::new();
        let mut attributes = start.attributes();
        for attribute in attributes.with_checks(false) {
            let attribute = attribute.map_err(|_| self.bad("a malformed attribute"))?;
            if seen.len() == MAX_ATTRIBUTES || seen.contains(&attribute.key.0) {
                return Err(self.bad("too many attributes, or one twice"));
            }
            seen.push(attribute.key.0);
            self.attribute(&attribute, &mut element)?;
        }
        Ok(element)
    }

    fn attribute(&self, attribute: &Attribute<'_>, element: &mut Element) -> Result<(), ParseError> {
        let value = attribute.normalized_value(XmlVersion::default());
        let value = value.map_err(|_| self.bad("a malformed attribute value"))?;
        if attribute.value.contains('<') {
            return Err(self.bad("a malformed attribute value"));
        }
        if attribute.key.as_namespace_binding().is_some() {
            return Ok(());
        }
        let (namespace, name) = self.resolve(attribute.key, false)?;
        if namespace != ResolveResult::Bound(XSI) {
            return Ok(());
        }
        let value = value.trim();
        match name {
            "nil" => element.nil = matches!(value, "true" | "1"),
            "type" => {
                let name = value.rsplit(':').next().unwrap_or_default().trim();
                element.xsi_type = (!name.is_empty()).then(|| name.to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// The namespace of a name and the name without its prefix.
    fn resolve<'n>(&self, name: QName<'n>, is_element: bool) -> Result<(ResolveResult<'_>, &'n str), ParseError> {
        let (local, prefix) = name.decompose();
        let local = local.into_inner();
        if !is_name(local) || prefix.is_some_and(|prefix| !is_name(prefix.into_inner())) {
            return Err(self.bad("a malformed name"));
        }
        match self.xml.resolver().resolve_prefix(prefix, is_element) {
            ResolveResult::Unknown(_) => Err(self.bad("an undeclared prefix")),
            namespace => Ok((namespace, local)),
        }
    }

    /// What a reference stands for: only the five predefined entities and legal characters.
    fn character(&self, reference: &BytesRef<'_>) -> Result<Cow<'a, str>, ParseError> {
        if reference.is_char_ref() {
            let character = reference.resolve_char_ref().ok().flatten();
            return character
                .filter(|character| is_legal(*character))
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

    fn check_declaration(&self, declaration: &BytesDecl<'_>, first: bool) -> Result<(), ParseError> {
        if !first || declaration.version().is_err() {
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
            XmlError::Namespace(_) => self.bad("namespaces that cannot be resolved"),
            XmlError::InvalidAttr(_) => self.bad("a malformed attribute"),
            XmlError::Io(_) | XmlError::Encoding(_) => self.bad("unreadable text"),
        }
    }

    fn bad(&self, what: &'static str) -> ParseError {
        ParseError::NotWellFormed { position: self.xml.buffer_position(), what }
    }
}

fn vocabulary(namespace: &ResolveResult<'_>) -> Vocabulary {
    match namespace {
        ResolveResult::Bound(SOAP_11 | SOAP_12) => Vocabulary::Soap,
        ResolveResult::Bound(OUTBOUND) => Vocabulary::Outbound,
        _ => Vocabulary::Other,
    }
}

/// Whether XML 1.0 allows the character.
fn is_legal(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => other >= ' ',
    }
}

fn is_name(name: &str) -> bool {
    let is_start = |c: char| c.is_alphabetic() || c == '_' || !c.is_ascii();
    let is_part = |c: char| is_start(c) || c.is_ascii_digit() || c == '-' || c == '.';
    name.starts_with(is_start) && name.chars().all(is_part)
}
