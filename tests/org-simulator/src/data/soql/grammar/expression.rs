//! Fields and functions of fields.

use winnow::combinator::{alt, cut_err, delimited, opt, peek};
use winnow::prelude::*;

use crate::data::soql::ast::{Aggregate, Expression, Path};
use crate::data::soql::date_function::DateFunction;
use crate::data::soql::grammar::words::{Input, keyword, lexeme, name, path, symbol};

pub(super) fn expression(input: &mut Input<'_>) -> ModalResult<Expression> {
    alt((function, path.map(Expression::Field))).parse_next(input)
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
    let mut head = (lexeme(name.verify_map(|name| known(&name))), symbol("("), peek(opt(symbol(")")))).verify(no_count);
    let (function, ..) = head.parse_next(input)?;
    let argument = match function {
        Function::Date(_) => cut_err(inside("CONVERTTIMEZONE")).parse_next(input)?,
        Function::Format => cut_err(inside("CONVERTCURRENCY")).parse_next(input)?,
        _ => cut_err(path).parse_next(input)?,
    };
    cut_err(symbol(")")).parse_next(input)?;
    Ok(match function {
        Function::Date(function) => Expression::Date(function, argument),
        Function::Aggregate(function) => Expression::Aggregate(function, argument),
        Function::Label => Expression::Label(argument),
        Function::Format => Expression::Format(argument),
        Function::Currency => Expression::Currency(argument),
        Function::Grouping => Expression::Grouping(argument),
    })
}

/// Rejects `COUNT()`, which is not a function of a field.
fn no_count((function, (), end): &(Function, (), Option<()>)) -> bool {
    !matches!(function, Function::Aggregate(Aggregate::Count)) || end.is_none()
}

/// Parses a field, or a field within a wrapper function that has no effect here.
fn inside<'i>(wrapper: &'static str) -> impl FnMut(&mut Input<'i>) -> ModalResult<Path> {
    move |input| {
        let wrapped = delimited((keyword(wrapper), symbol("(")), cut_err(path), cut_err(symbol(")")));
        alt((wrapped, path)).parse_next(input)
    }
}

fn known(name: &str) -> Option<Function> {
    let upper = name.to_ascii_uppercase();
    let date = || DateFunction::NAMES.iter().find(|(known, _)| *known == upper).map(|(_, f)| Function::Date(*f));
    let aggregate = || Aggregate::NAMES.iter().find(|(known, _)| *known == upper).map(|(_, f)| Function::Aggregate(*f));
    match upper.as_str() {
        "TOLABEL" => Some(Function::Label),
        "FORMAT" => Some(Function::Format),
        "CONVERTCURRENCY" => Some(Function::Currency),
        "GROUPING" => Some(Function::Grouping),
        _ => date().or_else(aggregate),
    }
}
