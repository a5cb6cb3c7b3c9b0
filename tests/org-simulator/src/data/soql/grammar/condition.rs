//! Conditions of WHERE and HAVING.

use winnow::combinator::{alt, cut_err, delimited, opt, peek, preceded, repeat};
use winnow::prelude::*;
use winnow::stream::Location as _;

use super::expression::expression;
use super::literal::{literal, text};
use crate::data::soql::ast::{Condition, Item, List, Operator, Select};
use crate::data::soql::grammar::words::{Input, alias, keyword, lexeme, listed, object, symbol};

pub(super) fn condition(input: &mut Input<'_>) -> ModalResult<Condition> {
    if opt(keyword("NOT")).parse_next(input)?.is_some() {
        return cut_err(term).map(|inner| Condition::Not(Box::new(inner))).parse_next(input);
    }
    let first = term.parse_next(input)?;
    let ands: Vec<Condition> = repeat(0.., preceded(keyword("AND"), cut_err(term))).parse_next(input)?;
    if !ands.is_empty() {
        return Ok(Condition::All(std::iter::once(first).chain(ands).collect()));
    }
    let ors: Vec<Condition> = repeat(0.., preceded(keyword("OR"), cut_err(term))).parse_next(input)?;
    Ok(if ors.is_empty() { first } else { Condition::Any(std::iter::once(first).chain(ors).collect()) })
}

/// HAVING has the same conditions, on groups.
pub(super) fn having(input: &mut Input<'_>) -> ModalResult<Condition> {
    condition.parse_next(input)
}

fn term(input: &mut Input<'_>) -> ModalResult<Condition> {
    let nested = delimited(symbol("("), condition, cut_err(symbol(")")));
    alt((nested, comparison)).parse_next(input)
}

fn comparison(input: &mut Input<'_>) -> ModalResult<Condition> {
    let left = expression.parse_next(input)?;
    let negated = opt(alt((keyword("IN").value(false), (keyword("NOT"), cut_err(keyword("IN"))).value(true))))
        .parse_next(input)?;
    if let Some(negated) = negated {
        return Ok(Condition::In { left, negated, list: cut_err(list).parse_next(input)? });
    }
    let includes = opt(alt((keyword("INCLUDES").value(false), keyword("EXCLUDES").value(true)))).parse_next(input)?;
    if let Some(negated) = includes {
        let values = delimited(symbol("("), listed(lexeme(text)), symbol(")"));
        return Ok(Condition::Includes { left, negated, values: cut_err(values).parse_next(input)? });
    }
    let operator = cut_err(operator).parse_next(input)?;
    let literal = cut_err(literal).parse_next(input)?;
    Ok(Condition::Compare { left, operator, literal })
}

fn list(input: &mut Input<'_>) -> ModalResult<List> {
    symbol("(").parse_next(input)?;
    let select = preceded(peek(keyword("SELECT")), cut_err(semi_join)).map(|select| List::Select(Box::new(select)));
    let list = alt((select, listed(literal).map(List::Literals))).parse_next(input)?;
    symbol(")").parse_next(input)?;
    Ok(list)
}

/// Parses the subquery of a semi-join: one field, one object and a condition.
fn semi_join(input: &mut Input<'_>) -> ModalResult<Select> {
    keyword("SELECT").parse_next(input)?;
    let offset = input.current_token_start();
    let expression = cut_err(expression).parse_next(input)?;
    let from = cut_err(preceded(keyword("FROM"), object)).parse_next(input)?;
    let alias = opt(alias).parse_next(input)?;
    let condition = opt(preceded(keyword("WHERE"), cut_err(condition))).parse_next(input)?;
    let items = vec![Item::Value { expression, alias: None, offset }];
    Ok(Select {
        items,
        from,
        alias,
        joins: Vec::new(),
        scope: None,
        condition,
        groups: None,
        having: None,
        order: Vec::new(),
        limit: None,
        offset: 0,
        all_rows: false,
    })
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
