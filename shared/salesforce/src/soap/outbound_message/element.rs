//! The start of an element: its name, its vocabulary, and the two attributes that are read.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use quick_xml::events::attributes::Attribute;
use quick_xml::name::{Namespace, NamespaceResolver, PrefixDeclaration, QName, ResolveResult};

pub(in crate::soap) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_1_2: &str = "http://www.w3.org/2003/05/soap-envelope";
pub(in crate::soap) const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The namespaces that cannot be the default (Namespaces in XML 1.0, section 3).
const RESERVED: [&str; 2] = ["http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/"];
/// The maximum number of attributes of an element.
const MAX_ATTRIBUTES: usize = 64;

/// The start of an element.
pub(in crate::soap) struct Element<'a> {
    /// [`SOAP`] also for version 1.2; empty for a namespace without a meaning, and for none.
    pub(in crate::soap) namespace: &'static str,
    /// The name without its prefix.
    pub(in crate::soap) name: &'a str,
    /// `xsi:nil`.
    pub(in crate::soap) nil: bool,
    /// `xsi:type` without its prefix.
    pub(in crate::soap) xsi_type: Option<String>,
}

impl<'a> Element<'a> {
    /// Reads a tag of this name. Errors say what is malformed.
    pub(in crate::soap) fn read(
        name: &'a str,
        tag: &BytesStart<'_>,
        names: &NamespaceResolver,
    ) -> Result<Self, &'static str> {
        if !is_name(name) {
            return Err("a malformed name");
        }
        let (resolved, local) = names.resolve_element(QName(name));
        let namespace = meaning(&resolved)?;
        let mut element = Self { namespace, name: local.into_inner(), nil: false, xsi_type: None };
        if !are_separated(tag.attributes_raw()) {
            return Err("an attribute without white space before it");
        }
        for (index, attribute) in tag.attributes().enumerate() {
            if index == MAX_ATTRIBUTES {
                return Err("too many attributes");
            }
            let attribute = attribute.map_err(|_| "a malformed or repeated attribute")?;
            element.read_attribute(&attribute, names)?;
        }
        Ok(element)
    }

    fn read_attribute(&mut self, attribute: &Attribute<'_>, names: &NamespaceResolver) -> Result<(), &'static str> {
        let Attribute { key, value: raw } = attribute;
        let value = attribute.normalized_value(XmlVersion::default());
        let value = value.ok().filter(|_| is_name(key.0) && !raw.contains('<')).ok_or("a malformed attribute")?;
        if let Some(prefix) = key.as_namespace_binding() {
            // `quick_xml` compares namespaces without resolving references, and lets the default one be reserved.
            let is_reserved = prefix == PrefixDeclaration::Default && RESERVED.contains(&&*value);
            return if is_reserved || raw.contains('&') { Err("a namespace that is not allowed") } else { Ok(()) };
        }
        let (resolved, local) = names.resolve_attribute(*key);
        match (meaning(&resolved)?, local.into_inner()) {
            (XSI, "nil") => self.nil = matches!(value.trim_ascii(), "true" | "1"),
            (XSI, "type") => {
                let local = value.rsplit(':').next().unwrap_or_default().trim_ascii();
                self.xsi_type = Some(local.to_owned()).filter(|name| !name.is_empty());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns the [namespace](Element::namespace) that a prefix stands for.
fn meaning(resolved: &ResolveResult<'_>) -> Result<&'static str, &'static str> {
    match resolved {
        ResolveResult::Unknown(_) => Err("an undeclared prefix"),
        ResolveResult::Unbound => Ok(""),
        ResolveResult::Bound(Namespace(SOAP_1_2)) => Ok(SOAP),
        ResolveResult::Bound(Namespace(name)) => {
            Ok([OUTBOUND, SOAP, XSI].into_iter().find(|known| known == name).unwrap_or_default())
        }
    }
}

/// Returns whether white space precedes each attribute, which `quick_xml` does not check.
fn are_separated(mut attributes: &str) -> bool {
    while let Some((name, value)) = attributes.split_once('=') {
        if !name.starts_with([' ', '\t', '\r', '\n']) {
            return false;
        }
        let value = value.trim_ascii_start();
        attributes = value.splitn(3, value.get(..1).unwrap_or("=")).nth(2).unwrap_or_default();
    }
    true
}

/// Returns whether a name has one or two parts, divided by a colon, of letters, digits, `_`, `-` and `.`. Characters beyond
/// ASCII count as letters.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii();
    let is_in_part = |byte: u8| is_letter(byte) || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let is_part = |part: &str| part.bytes().next().is_some_and(is_letter) && part.bytes().all(is_in_part);
    name.split_once(':').map_or_else(|| is_part(name), |(prefix, local)| is_part(prefix) && is_part(local))
}
