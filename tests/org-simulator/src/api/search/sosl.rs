//! The supported grammar of SOSL (SOQL and SOSL reference, "SOSL syntax"):
//!
//! ```text
//! FIND {text} [IN ALL|NAME|EMAIL|PHONE|SIDEBAR FIELDS] [RETURNING Object[(field, ... [WHERE ...] [ORDER BY ...] [LIMIT n])], ...] [LIMIT n]
//! ```

use crate::api::search::group::Group;
use crate::data::soql::at;
use crate::model::errors::ApiError;

/// A parsed search.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Search {
    pub(super) text: String,
    pub(super) group: Group,
    /// The objects to return; all searchable objects when empty.
    pub(super) objects: Vec<ReturnedObject>,
    pub(super) limit: Option<usize>,
}

/// An object to return, with its fields and clauses.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReturnedObject {
    pub(super) object: String,
    pub(super) fields: String,
    /// The WHERE clause and those after it.
    pub(super) clauses: String,
    pub(super) limit: Option<usize>,
}

impl ReturnedObject {
    /// Returns only the ids of an object's records.
    pub(super) fn of(object: String) -> Self {
        Self { object, fields: "Id".to_owned(), clauses: String::new(), limit: None }
    }

    /// Returns the SOQL query for the object, to which the text search is applied.
    pub(super) fn query(&self) -> String {
        let limit = self.limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
        format!("SELECT {} FROM {} {}{limit}", self.fields, self.object, self.clauses)
    }
}

/// Escapes plain text, so that no character has a special meaning.
pub(super) fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '*' | '?' | '"' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

/// A parser with its position in the text.
struct Reader<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.offset += self.rest().len() - self.rest().trim_start().len();
    }

    fn word(&mut self) -> &'a str {
        self.skip_blanks();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.offset += end;
        &rest[..end]
    }

    /// Consumes the word if it comes next.
    fn takes(&mut self, word: &str) -> bool {
        let before = self.offset;
        let taken = self.word().eq_ignore_ascii_case(word);
        if !taken {
            self.offset = before;
        }
        taken
    }

    fn takes_symbol(&mut self, symbol: char) -> bool {
        self.skip_blanks();
        let taken = self.rest().starts_with(symbol);
        if taken {
            self.offset += symbol.len_utf8();
        }
        taken
    }

    /// Consumes the text up to the closing bracket; nested brackets count, those in quotes or escaped do not.
    fn up_to(&mut self, open: char, close: char) -> Option<&'a str> {
        let (rest, mut depth, mut quoted, mut escaped) = (self.rest(), 0_usize, false, false);
        for (at, c) in rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\'' if close == ')' => quoted = !quoted,
                _ if quoted => {}
                c if c == close && depth == 0 => {
                    self.offset += at + close.len_utf8();
                    return rest.get(..at);
                }
                c if c == close => depth -= 1,
                c if c == open => depth += 1,
                _ => {}
            }
        }
        None
    }

    /// Returns an error that points one character before the position, as recorded errors of searches do.
    fn refuse(&self, message: &str) -> ApiError {
        at("MALFORMED_SEARCH", self.text, self.offset.saturating_sub(1), message)
    }

    fn unexpected(&mut self) -> ApiError {
        self.skip_blanks();
        let mut ahead = Self { text: self.text, offset: self.offset };
        let word = ahead.word();
        let token = if word.is_empty() { self.rest().chars().next().map(String::from) } else { Some(word.to_owned()) };
        self.refuse(&format!("unexpected token: {}", token.unwrap_or_else(|| "<EOF>".to_owned())))
    }

    fn limit(&mut self) -> Result<Option<usize>, ApiError> {
        if !self.takes("LIMIT") {
            return Ok(None);
        }
        let before = self.offset;
        self.word().parse().map(Some).map_err(|_| {
            self.offset = before;
            self.unexpected()
        })
    }
}

/// Parses a search.
pub(super) fn parse(text: &str) -> Result<Search, ApiError> {
    let mut reader = Reader { text, offset: 0 };
    if !reader.takes("FIND") {
        return Err(reader.unexpected());
    }
    let find = if reader.takes_symbol('{') { reader.up_to('{', '}') } else { None };
    let find = find.ok_or_else(|| {
        // The text that Salesforce's command line tests expect, without a position.
        let message = "No search term found. The search term must be enclosed in braces.";
        ApiError::new("MALFORMED_SEARCH", message)
    })?;
    let mut search = Search { text: find.to_owned(), group: Group::All, objects: Vec::new(), limit: None };
    if reader.takes("IN") {
        let named = Group::named(reader.word());
        reader.skip_blanks();
        let before = reader.offset;
        let word = reader.word();
        search.group = named.filter(|_| word.eq_ignore_ascii_case("FIELDS")).ok_or_else(|| {
            reader.offset = before;
            reader.refuse(&format!("Malformed search token: {word}"))
        })?;
    }
    if reader.takes("RETURNING") {
        loop {
            search.objects.push(returned_object(&mut reader)?);
            if !reader.takes_symbol(',') {
                break;
            }
        }
    }
    search.limit = reader.limit()?;
    reader.skip_blanks();
    if reader.rest().is_empty() { Ok(search) } else { Err(reader.unexpected()) }
}

fn returned_object(reader: &mut Reader<'_>) -> Result<ReturnedObject, ApiError> {
    let object = reader.word();
    if object.is_empty() {
        return Err(reader.unexpected());
    }
    if !reader.takes_symbol('(') {
        return Ok(ReturnedObject::of(object.to_owned()));
    }
    let Some(inside) = reader.up_to('(', ')') else { return Err(reader.unexpected()) };
    let (fields, clauses) = inside.split_at(clauses_at(inside));
    let (fields, clauses) = (fields.trim().to_owned(), clauses.trim().to_owned());
    Ok(ReturnedObject { object: object.to_owned(), fields, clauses, limit: None })
}

/// Returns the position where the fields end and the clauses begin.
fn clauses_at(text: &str) -> usize {
    let starts = |at: usize| {
        let rest = &text[at..];
        ["WHERE", "ORDER", "LIMIT", "OFFSET"].iter().any(|word| {
            let boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
            rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
                && boundary(text[..at].chars().next_back())
                && boundary(rest[word.len()..].chars().next())
        })
    };
    text.char_indices().map(|(at, _)| at).find(|at| starts(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_search_is_parsed() {
        let search = parse(
            "find {Jane \\} Doe} IN name fields RETURNING Contact(Id, Name WHERE City = ')' ORDER BY Name LIMIT 3), Lead LIMIT 9",
        )
        .unwrap();
        assert_eq!((search.text.as_str(), search.group, search.limit), ("Jane \\} Doe", Group::Name, Some(9)));
        assert_eq!(search.objects[0].query(), "SELECT Id, Name FROM Contact WHERE City = ')' ORDER BY Name LIMIT 3");
        assert_eq!(search.objects[1].query(), "SELECT Id FROM Lead ");
    }

    #[test]
    fn errors_point_at_their_position() {
        let message = |text: &str| parse(text).unwrap_err().message;
        assert!(
            message("FIND {name} IN ALL TYPE RETURNING Account(name)")
                .ends_with("ERROR at Row:1:Column:19\nMalformed search token: TYPE")
        );
        for text in ["FIND name", "FIND {name", "FIND 'name' IN ALL FIELDS"] {
            assert_eq!(message(text), "No search term found. The search term must be enclosed in braces.", "{text}");
        }
        assert!(message("FIND {name} RETURNING").ends_with("unexpected token: <EOF>"));
        assert!(message("FIND {name} LIMIT many").ends_with("unexpected token: many"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,60}") {
            let _ = parse(&text);
            let _ = parse(&format!("FIND {{x}} RETURNING {text}"));
        }
    }
}
