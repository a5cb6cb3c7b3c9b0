//! XML as a tree, for SOAP requests and responses.

use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// The maximum nesting; no call has more levels.
const MAX_DEPTH: usize = 64;

/// An element without its namespace, which no call depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Local name.
    pub(crate) name: String,
    /// Local name of `xsi:type`.
    pub(crate) kind: Option<String>,
    /// `xsi:nil="true"`.
    pub(crate) nil: bool,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Parses a document; `None` when it is not well-formed.
    pub(crate) fn parse(xml: &str) -> Option<Self> {
        let mut reader = Reader::from_str(xml.trim_start_matches('\u{feff}'));
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() <= MAX_DEPTH => open.push(Self::started(&start)?),
                Event::Start(_) | Event::DocType(_) => return None,
                Event::Empty(start) => open.last_mut()?.children.push(Self::started(&start)?),
                Event::End(_) => {
                    let closed = open.pop()?;
                    open.last_mut()?.children.push(closed);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&unescape(&text).ok()?),
                Event::CData(text) => open.last_mut()?.text.push_str(&text),
                Event::GeneralRef(name) => {
                    let reference = format!("&{};", &*name);
                    open.last_mut()?.text.push_str(&unescape(&reference).ok()?);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut root = open.pop().filter(|_| open.is_empty())?;
        root.children.pop()
    }

    fn started(start: &BytesStart<'_>) -> Option<Self> {
        let mut element = Self { name: start.local_name().as_ref().to_owned(), ..Self::default() };
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            let value = unescape(&attribute.value).ok()?;
            match attribute.key.local_name().as_ref() {
                "type" => element.kind = Some(value.rsplit(':').next().unwrap_or_default().to_owned()),
                "nil" => element.nil = matches!(&*value, "true" | "1"),
                _ => {}
            }
        }
        Some(element)
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Returns all children with that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Returns the text of a child that exists and is not nil.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.child(name).filter(|child| !child.nil).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.value(name).is_some_and(|text| matches!(text, "true" | "1"))
    }
}

/// Returns `<name>text</name>`, escaped.
pub(crate) fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// Returns an element with text, or with `xsi:nil` when there is none.
pub(crate) fn tag_or_nil(name: &str, text: Option<&str>) -> String {
    text.map_or_else(|| format!("<{name} xsi:nil=\"true\"/>"), |text| tag(name, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_ignored_and_entities_resolved() {
        let xml = "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Body><a:op xmlns:a=\"y\"><a:n>A &amp; B &#x41;</a:n>\
                   <a:f xsi:type=\"xsd:string\" xsi:nil=\"true\"/><![CDATA[<c>]]></a:op></s:Body></s:Envelope>";
        let operation = Element::parse(xml).unwrap().child("Body").unwrap().child("op").unwrap().clone();
        assert_eq!(operation.value("n"), Some("A & B A"));
        assert_eq!((operation.text.as_str(), operation.value("f")), ("<c>", None));
        assert_eq!(operation.child("f").unwrap().kind.as_deref(), Some("string"));
    }

    #[test]
    fn malformed_xml_is_not_parsed() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for xml in ["", "<a>", "<a></b>", "text", "<a>&unknown;</a>", "<!DOCTYPE a><a/>", deep.as_str()] {
            assert_eq!(Element::parse(xml), None, "{xml}");
        }
    }
}
