//! Fields and functions of fields.

use winnow::combinator::{alt, cut_err, delimited, opt, peek, preceded};
use winnow::prelude::*;

use super::literal::{literal, text};
use crate::data::soql::ast::{Aggregate, Expression, Literal, Path, Zone};
use crate::data::soql::date_function::DateFunction;
use crate::data::soql::distance::{Center, Unit};
use crate::data::soql::grammar::words::{Input, keyword, lexeme, name, path, symbol};

pub(super) fn expression(input: &mut Input<'_>) -> ModalResult<Expression> {
    alt((distance, function, path.map(Expression::Field))).parse_next(input)
}

/// Parses `DISTANCE(field, GEOLOCATION(latitude, longitude), 'mi')`.
fn distance(input: &mut Input<'_>) -> ModalResult<Expression> {
    (keyword("DISTANCE"), symbol("(")).parse_next(input)?;
    let place = delimited(
        (symbol(","), keyword("GEOLOCATION"), symbol("(")),
        (degrees, preceded(symbol(","), degrees)),
        (symbol(")"), symbol(",")),
    );
    let unit = lexeme(text.verify_map(|unit| match unit.to_ascii_lowercase().as_str() {
        "mi" => Some(Unit::Miles),
        "km" => Some(Unit::Kilometers),
        _ => None,
    }));
    let (path, (latitude, longitude), unit) = cut_err((path, place, unit)).parse_next(input)?;
    cut_err(symbol(")")).parse_next(input)?;
    Ok(Expression::Distance(path, Center { latitude, longitude, unit }))
}

fn degrees(input: &mut Input<'_>) -> ModalResult<f64> {
    lexeme(literal)
        .verify_map(|literal| match literal {
            Literal::Number(degrees) => Some(degrees),
            _ => None,
        })
        .parse_next(input)
}

/// A function of a field.
enum Function {
    Date(DateFunction),
    Aggregate(Aggregate),
    Label,
    Format,
    Currency,
    Grouping,
}

fn function(input: &mut Input<'_>) -> ModalResult<Expression> {
    let mut head = (lexeme(name.verify_map(|name| known(&name))), symbol("("), peek(opt(symbol(")"))))
        .verify(is_count_without_field);
    let (function, ..) = head.parse_next(input)?;
    if matches!(function, Function::Format)
        && let Some(Expression::Aggregate(aggregate, argument)) = opt(within_format).parse_next(input)?
    {
        cut_err(symbol(")")).parse_next(input)?;
        return Ok(Expression::FormatOf(aggregate, argument));
    }
    let (wrapped, argument) = match function {
        Function::Date(_) => cut_err(within_wrapper("CONVERTTIMEZONE")).parse_next(input)?,
        Function::Format => cut_err(within_wrapper("CONVERTCURRENCY")).parse_next(input)?,
        _ => (false, cut_err(path).parse_next(input)?),
    };
    cut_err(symbol(")")).parse_next(input)?;
    Ok(match function {
        Function::Date(function) => Expression::Date(function, if wrapped { Zone::User } else { Zone::Utc }, argument),
        Function::Aggregate(function) => Expression::Aggregate(function, argument),
        Function::Label => Expression::Label(argument),
        Function::Format if wrapped => Expression::FormatCurrency(argument),
        Function::Format => Expression::Format(argument),
        Function::Currency => Expression::Currency(argument),
        Function::Grouping => Expression::Grouping(argument),
    })
}

/// Parses an aggregate within `FORMAT()`, also around or within `convertCurrency()`.
fn within_format(input: &mut Input<'_>) -> ModalResult<Expression> {
    let aggregate = |input: &mut Input<'_>| {
        let head = lexeme(name.verify_map(|name| known_aggregate(&name)));
        let argument = delimited(symbol("("), within_wrapper("CONVERTCURRENCY"), symbol(")"));
        (head, argument).map(|(function, (_, argument))| Expression::Aggregate(function, argument)).parse_next(input)
    };
    let converted = delimited((keyword("CONVERTCURRENCY"), symbol("(")), aggregate, symbol(")"));
    alt((converted, aggregate)).parse_next(input)
}

/// Rejects `COUNT()`, which is not a function of a field.
fn is_count_without_field((function, (), end): &(Function, (), Option<()>)) -> bool {
    !matches!(function, Function::Aggregate(Aggregate::Count)) || end.is_none()
}

/// Parses a field, or a field within a wrapper function; returns whether there is one.
fn within_wrapper<'i>(wrapper: &'static str) -> impl FnMut(&mut Input<'i>) -> ModalResult<(bool, Path)> {
    move |input| {
        let wrapped = delimited((keyword(wrapper), symbol("(")), cut_err(path), cut_err(symbol(")")));
        alt((wrapped.map(|path| (true, path)), path.map(|path| (false, path)))).parse_next(input)
    }
}

fn known_aggregate(name: &str) -> Option<Aggregate> {
    Aggregate::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, function)| *function)
}

fn known(name: &str) -> Option<Function> {
    let upper = name.to_ascii_uppercase();
    let date = || DateFunction::NAMES.iter().find(|(known, _)| *known == upper).map(|(_, f)| Function::Date(*f));
    let aggregate = || known_aggregate(name).map(Function::Aggregate);
    match upper.as_str() {
        "TOLABEL" => Some(Function::Label),
        "FORMAT" => Some(Function::Format),
        "CONVERTCURRENCY" => Some(Function::Currency),
        "GROUPING" => Some(Function::Grouping),
        _ => date().or_else(aggregate),
    }
}
