//! Which vocabulary a name belongs to: the namespaces that are declared where it stands (Namespaces in XML 1.0).

const SOAP: [&str; 2] = ["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"];
const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// How many declarations may be in force at a time.
const MAX_DECLARATIONS: usize = 64;
/// For how many there is room at first.
const USUAL_DECLARATIONS: usize = 8;

/// Which vocabulary a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// SOAP's, 1.1 or 1.2.
    Soap,
    /// That of outbound messages.
    Outbound,
    /// That of `xsi:nil` and `xsi:type`.
    Instance,
    /// Any other, or none.
    Other,
}

/// A name with its prefix apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    prefix: Option<&'a str>,
    /// The name without its prefix.
    pub(super) local: &'a str,
}

impl<'a> Name<'a> {
    /// `None` for what is no name.
    #[inline(always)]
    pub(super) fn split(name: &'a str) -> Option<Self> {
        let end = part(name)?;
        if end == name.len() {
            return Some(Self { prefix: None, local: name });
        }
        let local = name.get(end..)?.strip_prefix(':')?;
        (part(local)? == local.len()).then_some(Self { prefix: name.get(..end), local })
    }

    /// The prefix that an attribute of this name declares, empty for the default; `None` when it declares none.
    pub(super) fn declares(&self) -> Option<&'a str> {
        match (self.prefix, self.local) {
            (Some("xmlns"), prefix) => Some(prefix),
            (None, "xmlns") => Some(""),
            _ => None,
        }
    }
}

/// How long the part of a name is with which the text begins; `None` when it begins with none.
#[inline(always)]
fn part(text: &str) -> Option<usize> {
    let first = text.bytes().next()?;
    if first.is_ascii_digit() || first == b'-' || first == b'.' {
        return None;
    }
    let end = text.bytes().position(|byte| !IN_NAMES[usize::from(byte)]);
    Some(end.unwrap_or(text.len())).filter(|end| *end > 0)
}

/// Which bytes are in names: a table, since a good part of a body is names. Beyond ASCII every letter is as good as another.
const IN_NAMES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | 0x80..);
        byte += 1;
    }
    table
};

/// The declarations that are in force.
#[derive(Debug)]
pub(super) struct Namespaces<'a>(Vec<Declaration<'a>>);

#[derive(Debug)]
struct Declaration<'a> {
    /// Empty for the default.
    prefix: &'a str,
    /// `None` when it is taken back.
    vocabulary: Option<Vocabulary>,
    /// How deep the element stands that has it.
    depth: usize,
}

impl<'a> Namespaces<'a> {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(USUAL_DECLARATIONS))
    }

    /// Takes a declaration of an element at `depth`. Says why not.
    pub(super) fn declare(&mut self, prefix: &'a str, namespace: &str, depth: usize) -> Result<(), &'static str> {
        if (prefix == "xml") != (namespace == XML) || prefix == "xmlns" || namespace == XMLNS {
            return Err("a reserved namespace");
        }
        if self.0.len() == MAX_DECLARATIONS {
            return Err("too many namespaces");
        }
        let vocabulary = match namespace {
            "" => None,
            OUTBOUND => Some(Vocabulary::Outbound),
            XSI => Some(Vocabulary::Instance),
            known if SOAP.contains(&known) => Some(Vocabulary::Soap),
            _ => Some(Vocabulary::Other),
        };
        self.0.push(Declaration { prefix, vocabulary, depth });
        Ok(())
    }

    /// Forgets what was declared by an element at `depth`, and inside it.
    #[inline(always)]
    pub(super) fn leave(&mut self, depth: usize) {
        while self.0.last().is_some_and(|declaration| declaration.depth >= depth) {
            self.0.pop();
        }
    }

    /// The vocabulary of an element; `None` when its prefix is not declared.
    #[inline(always)]
    pub(super) fn of_element(&self, name: Name<'_>) -> Option<Vocabulary> {
        match name.prefix {
            Some(prefix) => self.of_prefix(prefix),
            None => Some(self.find("").unwrap_or(Vocabulary::Other)),
        }
    }

    /// The vocabulary of an attribute: without a prefix it has none, whatever the default.
    pub(super) fn of_attribute(&self, name: Name<'_>) -> Option<Vocabulary> {
        name.prefix.map_or(Some(Vocabulary::Other), |prefix| self.of_prefix(prefix))
    }

    #[inline(always)]
    fn of_prefix(&self, prefix: &str) -> Option<Vocabulary> {
        self.find(prefix).or_else(|| ["xml", "xmlns"].contains(&prefix).then_some(Vocabulary::Other))
    }

    /// What the innermost declaration of a prefix says.
    #[inline(always)]
    fn find(&self, prefix: &str) -> Option<Vocabulary> {
        self.0.iter().rev().find(|declaration| declaration.prefix == prefix)?.vocabulary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name<'_> {
        Name::split(text).unwrap()
    }

    #[test]
    fn names_have_letters_digits_and_at_most_one_colon() {
        for good in ["a", "_a", "sf:Id", "a.b-c1", "ns__Engagement__c", "größe", "名"] {
            assert!(Name::split(good).is_some(), "{good}");
        }
        for bad in ["", "1a", "-a", "a b", "a:", ":a", "a:b:c", "a:1", "a\u{0}", "a/b", "a$"] {
            assert!(Name::split(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_innermost_declaration_counts_until_its_element_ends() {
        let mut namespaces = Namespaces::new();
        namespaces.declare("a", SOAP[0], 1).unwrap();
        namespaces.declare("", OUTBOUND, 2).unwrap();
        namespaces.declare("a", "urn:other", 3).unwrap();
        assert_eq!(namespaces.of_element(name("a:x")), Some(Vocabulary::Other));
        assert_eq!(namespaces.of_element(name("x")), Some(Vocabulary::Outbound));
        assert_eq!(namespaces.of_attribute(name("x")), Some(Vocabulary::Other));

        namespaces.leave(3);
        assert_eq!(namespaces.of_element(name("a:x")), Some(Vocabulary::Soap));
        namespaces.leave(2);
        assert_eq!(namespaces.of_element(name("x")), Some(Vocabulary::Other));
        namespaces.leave(1);
        assert_eq!(namespaces.of_element(name("a:x")), None);
    }

    #[test]
    fn a_declaration_is_taken_back_by_an_empty_one() {
        let mut namespaces = Namespaces::new();
        for prefix in ["", "a"] {
            namespaces.declare(prefix, OUTBOUND, 1).unwrap();
            namespaces.declare(prefix, "", 2).unwrap();
        }
        assert_eq!(namespaces.of_element(name("x")), Some(Vocabulary::Other));
        assert_eq!(namespaces.of_element(name("a:x")), None);
    }

    #[test]
    fn the_reserved_prefixes_are_bound_for_ever() {
        let mut namespaces = Namespaces::new();
        for (prefix, namespace) in [("xml", "urn:a"), ("xmlns", "urn:a"), ("a", XML), ("a", XMLNS), ("", XML)] {
            assert!(namespaces.declare(prefix, namespace, 1).is_err(), "{prefix} {namespace}");
        }
        namespaces.declare("xml", XML, 1).unwrap();
        assert_eq!(namespaces.of_attribute(name("xml:space")), Some(Vocabulary::Other));
    }

    #[test]
    fn declarations_are_bounded() {
        let mut namespaces = Namespaces::new();
        for _ in 0..MAX_DECLARATIONS {
            namespaces.declare("a", "urn:a", 1).unwrap();
        }
        assert!(namespaces.declare("a", "urn:a", 1).is_err());
    }
}
