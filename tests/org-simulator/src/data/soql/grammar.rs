//! The grammar of SOQL (SOQL and SOSL reference, "SELECT").
//!
//! ```text
//! SELECT item [, item]* FROM object [alias] [USING SCOPE scope] [WHERE condition] [WITH mode]
//! [GROUP BY [ROLLUP|CUBE (] field, ... [)] [HAVING condition]]
//! [ORDER BY field [ASC|DESC] [NULLS FIRST|LAST], ...] [LIMIT n] [OFFSET n] [FOR VIEW|REFERENCE|UPDATE] [ALL ROWS]
//! ```
//! AND and OR are mixed only with parentheses, and NOT stands only at the head of a condition or of a parenthesis.

mod condition;
mod expression;
mod literal;
mod select;

use winnow::ascii::{Caseless, multispace0};
use winnow::combinator::{cut_err, not, opt, preceded, separated, terminated};
use winnow::error::ContextError;
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _};
use winnow::token::{one_of, take_while};

use super::ast::{Path, Select};
use super::pointer;
use crate::model::errors::ApiError;

const MAX_CHARS: usize = 100_000;
const MAX_NESTING: usize = 40;

type Input<'i> = LocatingSlice<&'i str>;

/// Words that are no field and no alias.
const RESERVED: [&str; 20] = [
    "AND", "ASC", "DESC", "EXCLUDES", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LIKE", "LIMIT", "NOT", "NULL",
    "NULLS", "OR", "ORDER", "SELECT", "USING", "WHERE", "WITH",
];
/// Words that may follow an object and are no alias of it.
const CLAUSES: [&str; 4] = ["OFFSET", "FOR", "ALL", "UPDATE"];

/// Reads a query; what is wrong with it is said in Salesforce's words.
pub(super) fn parse(text: &str) -> Result<Select, ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::new("MALFORMED_QUERY", "SOQL statements cannot be empty or null"));
    }
    if text.chars().count() > MAX_CHARS {
        let message = "SOQL statements cannot be longer than 100000 characters.";
        return Err(ApiError::new("QUERY_TOO_COMPLICATED", message));
    }
    if nesting(text) > MAX_NESTING {
        let message = "Query is either selecting too many fields or the filter conditions are too complicated.";
        return Err(ApiError::new("QUERY_TOO_COMPLICATED", message));
    }
    let mut query = preceded(multispace0, select::select);
    query.parse(LocatingSlice::new(text)).map_err(|error| refused(text, error.offset()))
}

/// The deepest level of parentheses, those inside strings included.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Where the parser stopped; a name or a `:name` in a literal's place is taken for a variable of Apex.
fn refused(text: &str, offset: usize) -> ApiError {
    let (before, rest) = text.split_at_checked(offset).unwrap_or((text, ""));
    let token: String = match rest.chars().next() {
        None => "<EOF>".to_owned(),
        Some(c) if is_name(c) => rest.chars().take_while(|c| is_name(*c)).collect(),
        Some(c) => c.to_string(),
    };
    let wants_value = before.trim_end().ends_with(['=', '<', '>'])
        || before.trim_end().rsplit(|c: char| !is_name(c)).next().is_some_and(|word| {
            ["LIKE", "IN", "INCLUDES", "EXCLUDES"].iter().any(|known| word.eq_ignore_ascii_case(known))
        });
    let variable = token == ":" || token.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_reserved(&token);
    if wants_value && variable {
        return pointer::at("MALFORMED_QUERY", text, offset, "Bind variables only allowed in Apex code");
    }
    pointer::at("MALFORMED_QUERY", text, offset, &format!("unexpected token: '{token}'"))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn lexeme<'i, O>(parser: impl ModalParser<Input<'i>, O, ContextError>) -> impl ModalParser<Input<'i>, O, ContextError> {
    terminated(parser, multispace0)
}

fn keyword<'i>(word: &'static str) -> impl ModalParser<Input<'i>, (), ContextError> {
    lexeme((Caseless(word), not(one_of(is_name))).void())
}

fn symbol<'i>(symbol: &'static str) -> impl ModalParser<Input<'i>, (), ContextError> {
    lexeme(symbol.void())
}

/// One or more, with commas between; after a comma there must be another.
fn listed<'i, O>(
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

fn name(input: &mut Input<'_>) -> ModalResult<String> {
    (one_of(|c: char| c.is_ascii_alphabetic()), take_while(0.., is_name)).take().map(str::to_owned).parse_next(input)
}

/// A name that is no word of the language.
fn free_name(input: &mut Input<'_>) -> ModalResult<String> {
    name.verify(|name: &String| !is_reserved(name)).parse_next(input)
}

/// A name given to an object or a value: it must not be the next clause.
fn alias(input: &mut Input<'_>) -> ModalResult<String> {
    let clause = |word: &str| CLAUSES.iter().any(|known| word.eq_ignore_ascii_case(known));
    lexeme(free_name.verify(move |name: &String| !clause(name))).parse_next(input)
}

fn path(input: &mut Input<'_>) -> ModalResult<Path> {
    let offset = input.current_token_start();
    let names =
        lexeme(separated(1.., name, '.').verify(|names: &Vec<String>| names.len() > 1 || !is_reserved(&names[0])))
            .parse_next(input)?;
    Ok(Path { names, offset })
}

/// The name of an object or a relationship after FROM; some objects are called like words of the language.
fn object(input: &mut Input<'_>) -> ModalResult<Path> {
    let offset = input.current_token_start();
    let names = lexeme(separated(1.., name, '.')).parse_next(input)?;
    Ok(Path { names, offset })
}

#[cfg(test)]
mod tests;
