//! Parses a GraphQL document: one query of fields with arguments (GraphQL specification, "Language").

use serde_json::{Map, Value as Json};
use winnow::combinator::{alt, delimited, opt, preceded, repeat, separated_pair};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

/// A field with its arguments and selections.
#[derive(Debug, PartialEq)]
pub(super) struct Selection {
    pub(super) name: String,
    pub(super) arguments: Map<String, Json>,
    pub(super) selections: Vec<Selection>,
}

impl Selection {
    /// Returns the selections of a field that takes no arguments.
    pub(super) fn plain(&self) -> Result<&[Self], String> {
        match self.arguments.keys().next() {
            Some(name) => Err(format!("Validation error: Unknown field argument '{name}'")),
            None => Ok(&self.selections),
        }
    }

    /// Rejects selections in a field without subfields.
    pub(super) fn leaf(&self) -> Result<(), String> {
        match self.plain()? {
            [] => Ok(()),
            _ => Err(format!("Validation error: Subselection not allowed on leaf type of field '{}'", self.name)),
        }
    }
}

const MAX_NESTING: usize = 40;

/// Parses a document and returns the fields of its query.
pub(super) fn parse(text: &str) -> Result<Vec<Selection>, String> {
    let deeper = |depth: usize, c: char| match c {
        '{' | '[' | '(' => depth + 1,
        '}' | ']' | ')' => depth.saturating_sub(1),
        _ => depth,
    };
    let depths = text.chars().scan(0, |depth, c| {
        *depth = deeper(*depth, c);
        Some(*depth)
    });
    if depths.max().unwrap_or_default() > MAX_NESTING {
        return Err("Invalid syntax: the document is nested too deeply".to_owned());
    }
    let mut document = preceded((ignored, opt((token("query"), opt(name)))), selections);
    document.parse(text).map_err(|error| {
        let before = text.get(..error.offset()).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("Invalid syntax at line {line} column {column}")
    })
}

/// Skips white space, commas and comments.
fn ignored(input: &mut &str) -> ModalResult<()> {
    let blank = take_while(1.., |c: char| c.is_ascii_whitespace() || c == ',').void();
    let comment = ('#', take_while(0.., |c| c != '\n')).void();
    repeat::<_, _, (), _, _>(0.., alt((blank, comment))).parse_next(input)
}

fn token<'i>(text: &'static str) -> impl Parser<&'i str, (), winnow::error::ErrMode<winnow::error::ContextError>> {
    (text, ignored).void()
}

fn name(input: &mut &str) -> ModalResult<String> {
    let start = one_of(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    let (name, ()) = ((start, rest).take(), ignored).parse_next(input)?;
    Ok(name.to_owned())
}

fn selections(input: &mut &str) -> ModalResult<Vec<Selection>> {
    delimited(token("{"), repeat(1.., selection), token("}")).parse_next(input)
}

fn selection(input: &mut &str) -> ModalResult<Selection> {
    let arguments = opt(delimited(token("("), members, token(")")));
    let (name, arguments, selections) = (name, arguments, opt(selections)).parse_next(input)?;
    Ok(Selection { name, arguments: arguments.unwrap_or_default(), selections: selections.unwrap_or_default() })
}

fn members(input: &mut &str) -> ModalResult<Map<String, Json>> {
    let members: Vec<(String, Json)> = repeat(0.., separated_pair(name, token(":"), value)).parse_next(input)?;
    Ok(members.into_iter().collect())
}

fn value(input: &mut &str) -> ModalResult<Json> {
    let string = (
        '"',
        repeat::<_, _, (), _, _>(
            0..,
            alt((("\\", winnow::token::any).void(), one_of(|c| !"\"\\\n".contains(c)).void())),
        ),
        '"',
    )
        .take()
        .verify_map(|text: &str| serde_json::from_str::<Json>(text).ok());
    let number = take_while(1.., |c: char| c.is_ascii_digit() || "+-.eE".contains(c))
        .verify_map(|text: &str| serde_json::from_str::<Json>(text).ok());
    let list = delimited(token("["), repeat(0.., value), token("]")).map(|values: Vec<Json>| Json::from(values));
    let object = delimited(token("{"), members, token("}")).map(Json::Object);
    // The enum values of the API; any other name is an error.
    let word = name.verify_map(|name| match name.as_str() {
        "true" => Some(Json::Bool(true)),
        "false" => Some(Json::Bool(false)),
        "null" => Some(Json::Null),
        "ASC" | "DESC" | "FIRST" | "LAST" => Some(Json::from(name)),
        _ => None,
    });
    let (value, ()) = (alt((string, word, number, list, object)), ignored).parse_next(input)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_have_arguments_and_fields() {
        let read = parse("query Q { a(n: 3, o: {x: [\"p\\\"q\", DESC null]}) { b, c } # end\n}").unwrap();
        assert_eq!(read[0].name, "a");
        assert_eq!(Json::Object(read[0].arguments.clone()), json!({"n": 3, "o": {"x": ["p\"q", "DESC", null]}}));
        assert_eq!(read[0].selections.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn unsupported_syntax_is_rejected_with_its_position() {
        for text in
            ["", "{", "{ a: b }", "{ ...F }", "query ($x: Int) { a }", "{ a(n: $x) }", "mutation { a }", "{ a(n: UP) }"]
        {
            assert!(parse(text).unwrap_err().starts_with("Invalid syntax at line 1"), "{text}");
        }
        assert!(parse(&"{a".repeat(9_000)).unwrap_err().contains("too deeply"));
    }
}
