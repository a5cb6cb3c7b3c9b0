//! The grammar of a filter, read by recursive descent.
//!
//! ```text
//! expression = part { "AND" part } | part { "OR" part }
//! part       = "NOT" part | "(" expression ")" | comparison
//! comparison = field ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value | field "LIKE" text
//!            | field ( "IN" | "NOT" "IN" | "INCLUDES" | "EXCLUDES" ) "(" value { "," value } ")"
//! ```

use super::tokens::{InvalidFilter, Kind, RELATIVE_DATE, Token, tokens};
use super::{Comparison, Expression, Membership, Value};
use crate::FieldName;

/// The most expressions inside one another.
const MAX_DEPTH: usize = 20;
const TOO_DEEP: &str = "the condition has more than 20 expressions inside one another";

/// The words that are no fields.
const KEYWORDS: [&str; 7] = ["AND", "OR", "NOT", "IN", "LIKE", "INCLUDES", "EXCLUDES"];
/// The beginnings of relative dates.
const RELATIVE: [&str; 7] = ["TODAY", "YESTERDAY", "TOMORROW", "LAST_", "THIS_", "NEXT_", "N_"];

/// Parses the whole text.
pub(super) fn parse(text: &str) -> Result<Expression, InvalidFilter> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens };
    let expression = parser.expression(0)?;
    match parser.peek() {
        Some(Token { kind: Kind::End, .. }) | None => Ok(expression),
        Some(_) => parser.fail("AND, OR or the end is expected"),
    }
}

struct Parser<'a> {
    /// The words that are left, the last of which is the end.
    tokens: &'a [Token],
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.first()
    }

    fn fail<T>(&self, fault: &'static str) -> Result<T, InvalidFilter> {
        Err(InvalidFilter { position: self.peek().map_or(1, |token| token.position), fault })
    }

    /// Passes a word. The end is never passed.
    fn advance(&mut self) {
        if let [_, rest @ ..] = self.tokens
            && !rest.is_empty()
        {
            self.tokens = rest;
        }
    }

    fn accept(&mut self, kind: &Kind) -> bool {
        let is = self.peek().is_some_and(|token| token.kind == *kind);
        if is {
            self.advance();
        }
        is
    }

    fn accept_keyword(&mut self, keyword: &str) -> bool {
        let is = self.is_keyword(keyword);
        if is {
            self.advance();
        }
        is
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token { kind: Kind::Name(name), .. }) if name.eq_ignore_ascii_case(keyword))
    }

    fn expression(&mut self, depth: usize) -> Result<Expression, InvalidFilter> {
        let first = self.part(depth)?;
        let (joined_by, other) = if self.is_keyword("OR") { ("OR", "AND") } else { ("AND", "OR") };
        let mut parts = vec![first];
        while self.accept_keyword(joined_by) {
            parts.push(self.part(depth)?);
        }
        if self.is_keyword(other) {
            return self.fail("AND and OR are combined with parentheses");
        }
        match (parts.len(), joined_by) {
            (1, _) => Ok(parts.swap_remove(0)),
            (_, "OR") => Ok(Expression::Any(parts)),
            _ => Ok(Expression::All(parts)),
        }
    }

    fn part(&mut self, depth: usize) -> Result<Expression, InvalidFilter> {
        if depth > MAX_DEPTH {
            return self.fail(TOO_DEEP);
        }
        if self.accept_keyword("NOT") {
            return Ok(Expression::Not(Box::new(self.part(depth + 1)?)));
        }
        if self.accept(&Kind::Open) {
            let inner = self.expression(depth + 1)?;
            return if self.accept(&Kind::Close) { Ok(inner) } else { self.fail("a closing parenthesis is expected") };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expression, InvalidFilter> {
        let field = self.field()?;
        if let Some(Token { kind: Kind::Operator(operator), .. }) = self.peek() {
            let operator = Comparison::ALL.into_iter().find(|known| known.as_str() == *operator);
            let Some(operator) = operator else { return self.fail("an operator is expected") };
            self.advance();
            return Ok(Expression::Compare(field, operator, self.value()?));
        }
        if self.accept_keyword("LIKE") {
            let text = self.text("LIKE needs a text in single quotes")?;
            return Ok(Expression::Compare(field, Comparison::Like, text));
        }
        if self.accept_keyword("NOT") {
            let is_list = self.accept_keyword("IN");
            return if is_list { self.list(field, Membership::NotIn) } else { self.fail("IN is expected") };
        }
        let lists = [("IN", Membership::In), ("INCLUDES", Membership::Includes), ("EXCLUDES", Membership::Excludes)];
        for (keyword, membership) in lists {
            if self.accept_keyword(keyword) {
                return self.list(field, membership);
            }
        }
        if self.peek().is_some_and(|token| token.kind == Kind::Open) {
            return self.fail("a function is not allowed");
        }
        self.fail("an operator is expected: =, !=, <, <=, >, >=, LIKE, IN, NOT IN, INCLUDES or EXCLUDES")
    }

    fn field(&mut self) -> Result<FieldName, InvalidFilter> {
        const EXPECTED: &str = "a field is expected";
        let Some(Token { kind: Kind::Name(name), .. }) = self.peek() else { return self.fail(EXPECTED) };
        if KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(name)) {
            return self.fail(EXPECTED);
        }
        if name.split('.').count() > 2 {
            return self.fail("a path may have one relationship, as Account.Industry");
        }
        let Ok(field) = name.parse() else { return self.fail(EXPECTED) };
        self.advance();
        Ok(field)
    }

    fn list(&mut self, field: FieldName, membership: Membership) -> Result<Expression, InvalidFilter> {
        if !self.accept(&Kind::Open) {
            return self.fail("an opening parenthesis is expected");
        }
        if self.is_keyword("SELECT") {
            return self.fail("a subquery is not allowed");
        }
        let of_texts = matches!(membership, Membership::Includes | Membership::Excludes);
        let mut values = Vec::new();
        loop {
            let next = if of_texts { self.text("a text in single quotes is expected") } else { self.value() };
            values.push(next?);
            if self.accept(&Kind::Close) {
                return Ok(Expression::List(field, membership, values));
            }
            if !self.accept(&Kind::Comma) {
                return self.fail("a comma or a closing parenthesis is expected");
            }
        }
    }

    fn text(&mut self, fault: &'static str) -> Result<Value, InvalidFilter> {
        match self.peek() {
            Some(Token { kind: Kind::Text(_), .. }) => self.value(),
            _ => self.fail(fault),
        }
    }

    fn value(&mut self) -> Result<Value, InvalidFilter> {
        let value = match self.peek().map(|token| &token.kind) {
            Some(Kind::Text(text)) => Value::Text(text.clone()),
            Some(Kind::Plain(text)) => Value::Plain(text.clone()),
            Some(Kind::Name(name)) => {
                let name = name.to_ascii_uppercase();
                if RELATIVE.iter().any(|beginning| name.starts_with(beginning)) {
                    return self.fail(RELATIVE_DATE);
                }
                if !["TRUE", "FALSE", "NULL"].contains(&name.as_str()) {
                    return self.fail("a value is expected; a text is written in single quotes");
                }
                Value::Plain(name)
            }
            _ => return self.fail("a value is expected"),
        };
        self.advance();
        Ok(value)
    }
}
