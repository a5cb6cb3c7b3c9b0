//! SELECT and its clauses.

use winnow::ascii::dec_uint;
use winnow::combinator::{alt, cut_err, delimited, opt, peek, preceded, repeat};
use winnow::prelude::*;
use winnow::stream::Location as _;

use super::condition::{condition, having};
use super::expression::expression;
use crate::data::soql::ast::{FieldSet, Grouping, Groups, Item, Join, Order, Path, Select, TypeOf};
use crate::data::soql::grammar::words::{Input, alias, keyword, lexeme, listed, object, path, symbol};

pub(super) fn select(input: &mut Input<'_>) -> ModalResult<Select> {
    keyword("SELECT").parse_next(input)?;
    let items = cut_err(listed(item)).parse_next(input)?;
    let from = cut_err(preceded(keyword("FROM"), object)).parse_next(input)?;
    let alias = opt(preceded(opt(keyword("AS")), alias)).parse_next(input)?;
    let joins = repeat(0.., preceded(symbol(","), cut_err(join))).parse_next(input)?;
    let scope = opt(preceded((keyword("USING"), cut_err(keyword("SCOPE"))), cut_err(object))).parse_next(input)?;
    let condition = opt(preceded(keyword("WHERE"), cut_err(condition))).parse_next(input)?;
    opt(preceded(keyword("WITH"), cut_err(mode))).parse_next(input)?;
    let groups = opt(preceded((keyword("GROUP"), cut_err(keyword("BY"))), cut_err(groups))).parse_next(input)?;
    let having = opt(preceded(keyword("HAVING"), cut_err(having))).parse_next(input)?;
    let order = opt(preceded(keyword("ORDER"), cut_err(preceded(keyword("BY"), listed(order))))).parse_next(input)?;
    let limit = opt(preceded(keyword("LIMIT"), cut_err(number))).parse_next(input)?;
    let offset = opt(preceded(keyword("OFFSET"), cut_err(number))).parse_next(input)?;
    let _: Vec<()> = repeat(0.., preceded(keyword("FOR"), cut_err(purpose))).parse_next(input)?;
    let all_rows = opt((keyword("ALL"), cut_err(keyword("ROWS")))).parse_next(input)?.is_some();
    let (order, offset): (Option<Vec<Order>>, Option<usize>) = (order, offset);
    let (order, offset) = (order.unwrap_or_default(), offset.unwrap_or_default());
    Ok(Select { items, from, alias, joins, scope, condition, groups, having, order, limit, offset, all_rows })
}

/// Parses a parent with its alias: `c.Account a`.
fn join(input: &mut Input<'_>) -> ModalResult<Join> {
    (path, preceded(opt(keyword("AS")), alias)).map(|(path, alias)| Join { path, alias }).parse_next(input)
}

fn number(input: &mut Input<'_>) -> ModalResult<usize> {
    lexeme(dec_uint).parse_next(input)
}

/// Parses the access mode. Access is always enforced here, so the mode has no effect.
fn mode(input: &mut Input<'_>) -> ModalResult<()> {
    alt((keyword("SECURITY_ENFORCED"), keyword("USER_MODE"), keyword("SYSTEM_MODE"))).parse_next(input)
}

/// Parses `FOR VIEW` and `FOR REFERENCE`, which have no effect here.
fn purpose(input: &mut Input<'_>) -> ModalResult<()> {
    alt((keyword("VIEW"), keyword("REFERENCE"), keyword("UPDATE"))).parse_next(input)
}

fn item(input: &mut Input<'_>) -> ModalResult<Item> {
    let children = delimited((symbol("("), peek(keyword("SELECT"))), select, cut_err(symbol(")")))
        .map(|select| Item::Children(Box::new(select)));
    alt((children, count, fields, type_of.map(Item::TypeOf), value)).parse_next(input)
}

fn count(input: &mut Input<'_>) -> ModalResult<Item> {
    let offset = input.current_token_start();
    (keyword("COUNT"), symbol("("), symbol(")")).value(Item::Count(offset)).parse_next(input)
}

fn fields(input: &mut Input<'_>) -> ModalResult<Item> {
    let offset = input.current_token_start();
    (keyword("FIELDS"), symbol("(")).parse_next(input)?;
    let set = alt((
        keyword("ALL").value(FieldSet::All),
        keyword("STANDARD").value(FieldSet::Standard),
        keyword("CUSTOM").value(FieldSet::Custom),
    ));
    let set = cut_err((set, symbol(")"))).parse_next(input)?.0;
    Ok(Item::Fields(set, offset))
}

fn value(input: &mut Input<'_>) -> ModalResult<Item> {
    let offset = input.current_token_start();
    let expression = expression.parse_next(input)?;
    let alias = opt(alias).parse_next(input)?;
    Ok(Item::Value { expression, alias, offset })
}

fn type_of(input: &mut Input<'_>) -> ModalResult<TypeOf> {
    keyword("TYPEOF").parse_next(input)?;
    let relationship = path.parse_next(input)?;
    let fields = |input: &mut Input<'_>| -> ModalResult<Vec<Path>> { listed(path).parse_next(input) };
    let branch = (preceded(keyword("WHEN"), cut_err(object)), preceded(cut_err(keyword("THEN")), cut_err(fields)));
    let branches = cut_err(repeat(1.., branch)).parse_next(input)?;
    let otherwise = opt(preceded(keyword("ELSE"), cut_err(fields))).parse_next(input)?.unwrap_or_default();
    cut_err(keyword("END")).parse_next(input)?;
    Ok(TypeOf { relationship, branches, otherwise })
}

fn groups(input: &mut Input<'_>) -> ModalResult<Groups> {
    let mut head = opt(alt((
        (keyword("ROLLUP"), symbol("(")).value(Grouping::Rollup),
        (keyword("CUBE"), symbol("(")).value(Grouping::Cube),
    )));
    let grouping = head.parse_next(input)?;
    let by = listed(expression).parse_next(input)?;
    if grouping.is_some() {
        cut_err(symbol(")")).parse_next(input)?;
    }
    Ok(Groups { grouping: grouping.unwrap_or(Grouping::Plain), by })
}

fn order(input: &mut Input<'_>) -> ModalResult<Order> {
    let expression = expression.parse_next(input)?;
    let descending = opt(alt((keyword("ASC").value(false), keyword("DESC").value(true)))).parse_next(input)?;
    let nulls = preceded(keyword("NULLS"), cut_err(alt((keyword("FIRST").value(false), keyword("LAST").value(true)))));
    let nulls_last = opt(nulls).parse_next(input)?;
    Ok(Order { expression, descending: descending.unwrap_or_default(), nulls_last: nulls_last.unwrap_or_default() })
}
