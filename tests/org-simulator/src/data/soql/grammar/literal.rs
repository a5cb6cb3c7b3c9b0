//! Literals: strings, numbers, dates, times, and keywords.

use jiff::civil::Date;
use winnow::combinator::{alt, cut_err, delimited, opt, preceded, repeat};
use winnow::prelude::*;
use winnow::token::{any, none_of, take_while};

use crate::data::soql::ast::Literal;
use crate::data::soql::date_literal::DateLiteral;
use crate::data::soql::grammar::words::{Input, lexeme, name};
use crate::model::datetime;

pub(super) fn literal(input: &mut Input<'_>) -> ModalResult<Literal> {
    lexeme(alt((text.map(Literal::Text), money, word, bare))).parse_next(input)
}

pub(super) fn text(input: &mut Input<'_>) -> ModalResult<String> {
    let plain = none_of(['\'', '\\']);
    let escaped = preceded('\\', cut_err(any.verify_map(unescaped)));
    delimited('\'', repeat(0.., alt((plain, escaped))).fold(String::new, push), cut_err('\'')).parse_next(input)
}

fn push(mut text: String, c: char) -> String {
    // `\%` and `\_` keep their backslash, which LIKE interprets.
    match c {
        ESCAPED_PERCENT => text.push_str("\\%"),
        ESCAPED_UNDERSCORE => text.push_str("\\_"),
        c => text.push(c),
    }
    text
}

const ESCAPED_PERCENT: char = '\u{E000}';
const ESCAPED_UNDERSCORE: char = '\u{E001}';

fn unescaped(c: char) -> Option<char> {
    match c {
        'n' | 'N' => Some('\n'),
        'r' | 'R' => Some('\r'),
        't' | 'T' => Some('\t'),
        'b' | 'B' => Some('\u{8}'),
        'f' | 'F' => Some('\u{c}'),
        '\'' | '"' | '\\' => Some(c),
        '%' => Some(ESCAPED_PERCENT),
        '_' => Some(ESCAPED_UNDERSCORE),
        _ => None,
    }
}

/// Parses `NULL`, `TRUE`, `FALSE` and the date literals, some of which have a number: `LAST_N_DAYS:7`.
fn word(input: &mut Input<'_>) -> ModalResult<Literal> {
    let number = take_while(1.., |c: char| c.is_ascii_digit());
    (name, opt(preceded(':', number))).verify_map(|(name, n)| read_word(&name, n)).parse_next(input)
}

fn read_word(name: &str, number: Option<&str>) -> Option<Literal> {
    let upper = name.to_ascii_uppercase();
    if let Some(number) = number {
        return DateLiteral::numbered(&upper, number.parse().ok()?).map(Literal::Days);
    }
    match upper.as_str() {
        "NULL" => Some(Literal::Null),
        "TRUE" => Some(Literal::Bool(true)),
        "FALSE" => Some(Literal::Bool(false)),
        other => DateLiteral::plain(other).map(Literal::Days),
    }
}

/// Parses an amount in a currency, `USD5000.5`.
fn money(input: &mut Input<'_>) -> ModalResult<Literal> {
    take_while(4.., |c: char| c.is_ascii_alphanumeric() || c == '.').verify_map(read_money).parse_next(input)
}

fn read_money(token: &str) -> Option<Literal> {
    let (code, number) = token.split_at_checked(3)?;
    let is_amount = number.starts_with(|c: char| c.is_ascii_digit()) && code.chars().all(|c| c.is_ascii_alphabetic());
    let amount = number.parse().ok().filter(|_| is_amount)?;
    Some(Literal::Money(code.to_ascii_uppercase(), amount))
}

/// Parses a number, a date or a date with time.
fn bare(input: &mut Input<'_>) -> ModalResult<Literal> {
    let token = take_while(1.., |c: char| c.is_ascii_alphanumeric() || "+-:.".contains(c));
    token.verify_map(read_bare).parse_next(input)
}

fn read_bare(token: &str) -> Option<Literal> {
    if let Some(at) = datetime::parse(token) {
        return Some(Literal::Instant(at));
    }
    if token.len() == 10 && token.matches('-').count() == 2 {
        return token.parse::<Date>().ok().map(Literal::Date);
    }
    let numeric = token.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    numeric.then(|| token.parse().ok()).flatten().map(Literal::Number)
}
