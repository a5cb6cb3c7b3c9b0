//! The grammar of SOQL (SOQL and SOSL reference, "SELECT").
//!
//! ```text
//! SELECT item [, item]* FROM object [alias] [, alias.parent alias]* [USING SCOPE scope] [WHERE condition] [WITH mode]
//! [GROUP BY [ROLLUP|CUBE (] field, ... [)] [HAVING condition]]
//! [ORDER BY field [ASC|DESC] [NULLS FIRST|LAST], ...] [LIMIT n] [OFFSET n] [FOR VIEW|REFERENCE|UPDATE] [ALL ROWS]
//! ```
//! AND and OR are mixed only with parentheses, and NOT is allowed only at the start of a condition or of a parenthesis.

mod condition;
mod expression;
mod literal;
mod select;

use winnow::ascii::multispace0;
use winnow::combinator::preceded;
use winnow::prelude::*;
use winnow::stream::LocatingSlice;

use super::ast::Select;
use super::pointer;
use crate::data::soql::grammar::words::{is_name, is_reserved};
use crate::model::errors::ApiError;

const MAX_CHARS: usize = 100_000;
const MAX_NESTING: usize = 40;

/// Parses a query; errors have Salesforce's messages.
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
    query.parse(LocatingSlice::new(text)).map_err(|error| syntax_error(text, error.offset()))
}

/// Returns the depth of nested parentheses, including those inside strings.
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

/// Returns the error at the position where the parser stopped; a name or `:name` in the place of a literal is reported
/// as an Apex variable.
fn syntax_error(text: &str, offset: usize) -> ApiError {
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

#[cfg(test)]
mod tests;
pub(crate) mod words;
