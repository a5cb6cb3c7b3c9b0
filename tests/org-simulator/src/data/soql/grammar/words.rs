//! The tokens of a query: names, keywords, symbols, lists and paths.

use winnow::ascii::{Caseless, multispace0};
use winnow::combinator::{cut_err, not, opt, separated, terminated};
use winnow::error::ContextError;
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _};
use winnow::token::{one_of, take_while};

use crate::data::soql::ast::Path;

pub(crate) type Input<'i> = LocatingSlice<&'i str>;

/// Words that cannot be a field or an alias.
const RESERVED: [&str; 20] = [
    "AND", "ASC", "DESC", "EXCLUDES", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LIKE", "LIMIT", "NOT", "NULL",
    "NULLS", "OR", "ORDER", "SELECT", "USING", "WHERE", "WITH",
];

/// Words that may follow an object and are not its alias.
const CLAUSES: [&str; 4] = ["OFFSET", "FOR", "ALL", "UPDATE"];

pub(crate) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|known| word.eq_ignore_ascii_case(known))
}

pub(crate) fn lexeme<'i, O>(
    parser: impl ModalParser<Input<'i>, O, ContextError>,
) -> impl ModalParser<Input<'i>, O, ContextError> {
    terminated(parser, multispace0)
}

pub(crate) fn keyword<'i>(word: &'static str) -> impl ModalParser<Input<'i>, (), ContextError> {
    lexeme((Caseless(word), not(one_of(is_name))).void())
}

pub(crate) fn symbol<'i>(symbol: &'static str) -> impl ModalParser<Input<'i>, (), ContextError> {
    lexeme(symbol.void())
}

/// Parses one or more items, separated by commas.
pub(crate) fn listed<'i, O>(
    mut parser: impl ModalParser<Input<'i>, O, ContextError>,
) -> impl ModalParser<Input<'i>, Vec<O>, ContextError> {
    move |input: &mut Input<'i>| {
        let mut all = vec![parser.parse_next(input)?];
        while opt(symbol(",")).parse_next(input)?.is_some() {
            all.push(cut_err(parser.by_ref()).parse_next(input)?);
        }
        Ok(all)
    }
}

pub(crate) fn name(input: &mut Input<'_>) -> ModalResult<String> {
    (one_of(|c: char| c.is_ascii_alphabetic()), take_while(0.., is_name)).take().map(str::to_owned).parse_next(input)
}

/// Parses a name that is not a reserved word.
fn free_name(input: &mut Input<'_>) -> ModalResult<String> {
    name.verify(|name: &String| !is_reserved(name)).parse_next(input)
}

/// Parses the alias of an object or a value, which must not be the next clause.
pub(crate) fn alias(input: &mut Input<'_>) -> ModalResult<String> {
    let clause = |word: &str| CLAUSES.iter().any(|known| word.eq_ignore_ascii_case(known));
    lexeme(free_name.verify(move |name: &String| !clause(name))).parse_next(input)
}

pub(crate) fn path(input: &mut Input<'_>) -> ModalResult<Path> {
    let offset = input.current_token_start();
    let names =
        lexeme(separated(1.., name, '.').verify(|names: &Vec<String>| names.len() > 1 || !is_reserved(&names[0])))
            .parse_next(input)?;
    Ok(Path { names, offset })
}

/// Parses the name of an object or a relationship after FROM; some objects are named like reserved words.
pub(crate) fn object(input: &mut Input<'_>) -> ModalResult<Path> {
    let offset = input.current_token_start();
    let names = lexeme(separated(1.., name, '.')).parse_next(input)?;
    Ok(Path { names, offset })
}
