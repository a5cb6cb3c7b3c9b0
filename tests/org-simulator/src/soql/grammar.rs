//! The grammar of the queries the simulator understands.
//!
//! ```text
//! SELECT field [, field | (SELECT ...)]* | COUNT()  FROM object
//! [WHERE condition] [ORDER BY field [ASC|DESC] [NULLS FIRST|LAST], ...] [LIMIT n] [OFFSET n]
//! ```
//! As in Salesforce, AND and OR are mixed only with parentheses.

use jiff::civil::Date;
use winnow::ascii::{Caseless, dec_uint, multispace0};
use winnow::combinator::{alt, cut_err, delimited, not, opt, preceded, repeat, separated, terminated};
use winnow::error::{ContextError, ErrMode};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _};
use winnow::token::{any, none_of, one_of, take_while};

use super::ast::{Condition, Item, Literal, Operator, Order, Path, Select};
use crate::api_error::ApiError;
use crate::datetime;

const MAX_CHARS: usize = 100_000;
const MAX_NESTING: usize = 40;

type Input<'i> = LocatingSlice<&'i str>;

/// Reads a query; what is wrong with it is said in Salesforce's words.
pub(super) fn parse(text: &str) -> Result<Select, ApiError> {
    if text.chars().count() > MAX_CHARS || nesting(text) > MAX_NESTING {
        return Err(ApiError::new("QUERY_TOO_COMPLICATED", "SOQL statements are limited in length and nesting"));
    }
    let mut query = preceded(multispace0, select);
    query.parse(LocatingSlice::new(text)).map_err(|error| unexpected(text, error.offset()))
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

fn unexpected(text: &str, offset: usize) -> ApiError {
    let rest = text.get(offset..).unwrap_or_default();
    let token: String = match rest.chars().next() {
        None => "<EOF>".to_owned(),
        Some(c) if is_name(c) => rest.chars().take_while(|c| is_name(*c)).collect(),
        Some(c) => c.to_string(),
    };
    super::at("MALFORMED_QUERY", text, offset, &format!("unexpected token: '{token}'"))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
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

fn name(input: &mut Input<'_>) -> ModalResult<String> {
    (one_of(|c: char| c.is_ascii_alphabetic()), take_while(0.., is_name)).take().map(str::to_owned).parse_next(input)
}

fn path(input: &mut Input<'_>) -> ModalResult<Path> {
    let offset = input.current_token_start();
    let names = lexeme(separated(1.., name, '.')).parse_next(input)?;
    Ok(Path { names, offset })
}

fn select(input: &mut Input<'_>) -> ModalResult<Select> {
    keyword("SELECT").parse_next(input)?;
    let items = cut_err(separated(1.., item, symbol(","))).parse_next(input)?;
    let from = cut_err(preceded(keyword("FROM"), path)).parse_next(input)?;
    let condition = opt(preceded(keyword("WHERE"), cut_err(condition))).parse_next(input)?;
    let order = opt(preceded(keyword("ORDER"), cut_err(preceded(keyword("BY"), separated(1.., order, symbol(","))))))
        .parse_next(input)?;
    let limit = opt(preceded(keyword("LIMIT"), cut_err(number))).parse_next(input)?;
    let offset = opt(preceded(keyword("OFFSET"), cut_err(number))).parse_next(input)?;
    let (order, offset): (Option<Vec<Order>>, Option<usize>) = (order, offset);
    Ok(Select { items, from, condition, order: order.unwrap_or_default(), limit, offset: offset.unwrap_or_default() })
}

fn number(input: &mut Input<'_>) -> ModalResult<usize> {
    lexeme(dec_uint).parse_next(input)
}

fn item(input: &mut Input<'_>) -> ModalResult<Item> {
    let count = (keyword("COUNT"), symbol("("), symbol(")")).value(Item::Count);
    let children = delimited(symbol("("), select, cut_err(symbol(")"))).map(|select| Item::Children(Box::new(select)));
    alt((children, count, path.map(Item::Field))).parse_next(input)
}

fn order(input: &mut Input<'_>) -> ModalResult<Order> {
    let path = path.parse_next(input)?;
    let descending = opt(alt((keyword("ASC").value(false), keyword("DESC").value(true)))).parse_next(input)?;
    let nulls = preceded(keyword("NULLS"), cut_err(alt((keyword("FIRST").value(false), keyword("LAST").value(true)))));
    let nulls_last = opt(nulls).parse_next(input)?;
    Ok(Order { path, descending: descending.unwrap_or_default(), nulls_last: nulls_last.unwrap_or_default() })
}

fn condition(input: &mut Input<'_>) -> ModalResult<Condition> {
    let first = term.parse_next(input)?;
    let ands: Vec<Condition> = repeat(0.., preceded(keyword("AND"), cut_err(term))).parse_next(input)?;
    if !ands.is_empty() {
        return Ok(Condition::All(std::iter::once(first).chain(ands).collect()));
    }
    let ors: Vec<Condition> = repeat(0.., preceded(keyword("OR"), cut_err(term))).parse_next(input)?;
    Ok(if ors.is_empty() { first } else { Condition::Any(std::iter::once(first).chain(ors).collect()) })
}

fn term(input: &mut Input<'_>) -> ModalResult<Condition> {
    let nots: Vec<()> = repeat(0.., keyword("NOT")).parse_next(input)?;
    let nested = delimited(symbol("("), condition, cut_err(symbol(")")));
    let inner = alt((nested, comparison)).parse_next(input)?;
    Ok(if nots.len() % 2 == 1 { Condition::Not(Box::new(inner)) } else { inner })
}

fn comparison(input: &mut Input<'_>) -> ModalResult<Condition> {
    let path = path.parse_next(input)?;
    let negated = opt(alt((keyword("IN").value(false), (keyword("NOT"), cut_err(keyword("IN"))).value(true))))
        .parse_next(input)?;
    if let Some(negated) = negated {
        let list = delimited(symbol("("), separated(1.., literal, symbol(",")), symbol(")"));
        let literals = cut_err(list).parse_next(input)?;
        return Ok(Condition::In { path, negated, literals });
    }
    let operator = cut_err(operator).parse_next(input)?;
    let literal = cut_err(literal).parse_next(input)?;
    Ok(Condition::Compare { path, operator, literal })
}

fn operator(input: &mut Input<'_>) -> ModalResult<Operator> {
    alt((
        symbol("!=").value(Operator::NotEqual),
        symbol("<>").value(Operator::NotEqual),
        symbol("<=").value(Operator::LessOrEqual),
        symbol(">=").value(Operator::GreaterOrEqual),
        symbol("=").value(Operator::Equal),
        symbol("<").value(Operator::Less),
        symbol(">").value(Operator::Greater),
        keyword("LIKE").value(Operator::Like),
    ))
    .parse_next(input)
}

fn literal(input: &mut Input<'_>) -> ModalResult<Literal> {
    lexeme(alt((text, word, bare))).parse_next(input)
}

fn text(input: &mut Input<'_>) -> ModalResult<Literal> {
    let plain = none_of(['\'', '\\']);
    let escaped = preceded('\\', cut_err(any.verify_map(unescaped)));
    delimited('\'', repeat(0.., alt((plain, escaped))).fold(String::new, push), cut_err('\''))
        .map(Literal::Text)
        .parse_next(input)
}

fn push(mut text: String, c: char) -> String {
    // `\%` and `\_` keep their backslash: they mean something to LIKE.
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

fn word(input: &mut Input<'_>) -> ModalResult<Literal> {
    let days = |input: &mut Input<'_>| -> ModalResult<i32> {
        preceded(':', dec_uint::<_, u16, _>).map(i32::from).parse_next(input)
    };
    alt((
        keyword("NULL").value(Literal::Null),
        keyword("TRUE").value(Literal::Bool(true)),
        keyword("FALSE").value(Literal::Bool(false)),
        keyword("TODAY").value(Literal::Day { from: 0, to: 0 }),
        keyword("YESTERDAY").value(Literal::Day { from: -1, to: -1 }),
        keyword("TOMORROW").value(Literal::Day { from: 1, to: 1 }),
        preceded(Caseless("LAST_N_DAYS"), days).map(|n| Literal::Day { from: -n, to: 0 }),
        preceded(Caseless("NEXT_N_DAYS"), days).map(|n| Literal::Day { from: 1, to: n }),
    ))
    .parse_next(input)
}

/// A number, a date or a date with time.
fn bare(input: &mut Input<'_>) -> ModalResult<Literal> {
    let token = take_while(1.., |c: char| c.is_ascii_alphanumeric() || "+-:.".contains(c));
    token.verify_map(read_bare).parse_next(input).map_err(|error: ErrMode<ContextError>| error)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(query: &str) -> String {
        parse(query).unwrap_err().message
    }

    #[test]
    fn a_keyset_query_is_read() {
        let query = "SELECT Id, Account.Name FROM Opportunity WHERE SystemModstamp > 2026-11-22T10:15:30Z OR (SystemModstamp = \
                     2026-11-22T10:15:30.000Z AND Id > '0065e00000AbCdEAAV') ORDER BY SystemModstamp, Id DESC NULLS LAST LIMIT 2000";
        let select = parse(query).unwrap();
        assert_eq!(select.items.len(), 2);
        assert!(matches!(select.condition, Some(Condition::Any(ref parts)) if parts.len() == 2));
        assert!(select.order[1].descending && select.order[1].nulls_last);
        assert_eq!(select.limit, Some(2000));
    }

    #[test]
    fn strings_are_unescaped() {
        let select = parse(r"SELECT Id FROM Contact WHERE LastName = 'D\'Cruz \\ \n' AND Name LIKE 'a\%b%'").unwrap();
        let Some(Condition::All(parts)) = select.condition else { panic!() };
        assert!(matches!(&parts[0], Condition::Compare { literal: Literal::Text(t), .. } if t == "D'Cruz \\ \n"));
        assert!(matches!(&parts[1], Condition::Compare { literal: Literal::Text(t), .. } if t == "a\\%b%"));
    }

    #[test]
    fn the_message_points_at_the_unexpected_token() {
        assert!(
            message("SELECT Id FORM Account").contains("Row:1:Column:11\nunexpected token: 'FORM'"),
            "{}",
            message("SELECT Id FORM Account")
        );
        assert!(message("SELECT Id FROM").contains("unexpected token: '<EOF>'"));
        assert!(message("SELECT Id FROM Account WHERE Name = 'a").contains("unexpected token: '<EOF>'"));
        assert!(message("SELECT Id FROM Account WHERE A = 1 AND B = 2 OR C = 3").contains("unexpected token: 'OR'"));
        assert!(message("").contains("<EOF>"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let query = format!("SELECT Id FROM Account WHERE {}Name = 'a'{}", "(".repeat(5_000), ")".repeat(5_000));
        assert_eq!(parse(&query).unwrap_err().code, "QUERY_TOO_COMPLICATED");
    }

    proptest! {
        #[test]
        fn any_text_survives_escaping(value in "[^\u{E000}\u{E001}%_]{0,30}") {
            let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
            let select = parse(&format!("SELECT Id FROM Account WHERE Name = '{escaped}'")).unwrap();
            let read = matches!(select.condition, Some(Condition::Compare { literal: Literal::Text(ref t), .. }) if *t == value);
            prop_assert!(read);
        }

        #[test]
        fn no_text_makes_the_parser_panic(query in ".{0,60}") {
            let _ = parse(&query);
            let _ = parse(&format!("SELECT Id FROM Account WHERE {query}"));
        }
    }
}
