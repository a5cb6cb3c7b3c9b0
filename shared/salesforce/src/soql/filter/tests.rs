use proptest::prelude::*;

use super::*;
use crate::ObjectName;
use crate::soql::{Literal, Soql, eq, quote};

fn parse(text: &str) -> Result<Filter, (usize, &'static str)> {
    text.parse::<Filter>().map_err(|invalid| (invalid.position, invalid.fault))
}

fn field() -> impl Strategy<Value = FieldName> {
    prop::sample::select(vec!["Name", "Industry", "ns__Key__c", "Owner.Name", "Parent__r.Code__c"])
        .prop_map(|name| name.parse().unwrap())
}

fn text() -> impl Strategy<Value = super::Value> {
    let any = any::<String>().prop_map(|text| quote(&text));
    let chosen =
        prop::sample::select(vec![r"'A\_%'", r"'100\%'", r"'\\'", r"'O\'Neill'", "''"]).prop_map(str::to_owned);
    prop_oneof![any, chosen].prop_map(|quoted| super::Value::Text(quoted[1..quoted.len() - 1].to_owned()))
}

fn value() -> impl Strategy<Value = super::Value> {
    let plain = vec!["0", "-0.5", "18", "TRUE", "FALSE", "NULL", "2026-11-30", "2026-11-30T08:00:00.000Z"];
    prop_oneof![text(), prop::sample::select(plain).prop_map(|plain| super::Value::Plain(plain.to_owned()))]
}

fn comparison() -> impl Strategy<Value = Expression> {
    let operators = Comparison::ALL.into_iter().filter(|operator| *operator != Comparison::Like).collect::<Vec<_>>();
    let compare = (field(), prop::sample::select(operators), value());
    let like = (field(), text());
    let list = (field(), any::<bool>(), prop::collection::vec(value(), 1..4));
    let of_texts = (field(), any::<bool>(), prop::collection::vec(text(), 1..4));
    prop_oneof![
        compare.prop_map(|(field, operator, value)| Expression::Compare(field, operator, value)),
        like.prop_map(|(field, text)| Expression::Compare(field, Comparison::Like, text)),
        list.prop_map(|(field, not, values)| {
            Expression::List(field, if not { Membership::NotIn } else { Membership::In }, values)
        }),
        of_texts.prop_map(|(field, not, values)| {
            Expression::List(field, if not { Membership::Excludes } else { Membership::Includes }, values)
        }),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let expression = comparison().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expression::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
            prop::collection::vec(inner, 2..4).prop_map(Expression::Any),
        ]
    });
    expression.prop_map(Filter).prop_filter("too long", |filter| filter.to_string().chars().count() <= MAX_CHARACTERS)
}

proptest! {
    #[test]
    fn a_rendered_filter_is_parsed_as_the_same(filter in filter()) {
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn any_text_is_parsed_or_refused_at_a_place_in_it(text in "[A-Za-z'()=<>!,.: \\\\0-9_%-]{0,60}") {
        if let Err((position, _)) = parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&position), "{}", position);
        }
    }

    #[test]
    fn no_value_becomes_syntax(value in any::<String>()) {
        let text = format!("Name = {}", quote(&value));
        prop_assert_eq!(parse(&text).unwrap().to_string(), text);
    }
}

#[test]
fn a_filter_is_rendered_in_one_form() {
    for (text, canonical) in [
        ("name='x'", "name = 'x'"),
        ("  Industry  <>  null ", "Industry != NULL"),
        ("(a=1 and (b=+2.50))", "a = 1 AND b = 2.50"),
        ("a = 1 OR (b = 2 AND c = 3)", "a = 1 OR (b = 2 AND c = 3)"),
        ("not a = 1 and b = 2", "(NOT a = 1) AND b = 2"),
        ("not (a = 1 or b = 2)", "NOT (a = 1 OR b = 2)"),
        ("Type not  in ('a' ,'b')", "Type NOT IN ('a', 'b')"),
        ("Tags__c includes ('a;b','c')", "Tags__c INCLUDES ('a;b', 'c')"),
        (r"Name LIKE '100\%\u0041'", r"Name LIKE '100\%A'"),
        ("CreatedDate>=2026-11-30T09:00:00+01:00", "CreatedDate >= 2026-11-30T08:00:00.000Z"),
        ("CloseDate < 2026-12-31", "CloseDate < 2026-12-31"),
    ] {
        assert_eq!(parse(text).map(|filter| filter.to_string()).as_deref(), Ok(canonical), "{text}");
    }
}

#[test]
fn a_fault_is_named_with_its_position() {
    for (text, position, fault) in [
        ("", 1, "a field is expected"),
        ("Name", 5, "an operator is expected"),
        ("Name = ", 8, "a value is expected"),
        ("Name = x", 8, "in single quotes"),
        ("Name = 'x", 8, "no closing quote"),
        (r"Name = '\q'", 8, "unknown escape sequence"),
        ("Name = 'x' Type = 'y'", 12, "AND, OR or the end"),
        ("a = 1 AND b = 2 OR c = 3", 17, "parentheses"),
        ("(a = 1", 7, "closing parenthesis"),
        ("Type IN (SELECT Id FROM Account)", 10, "subquery"),
        ("Type IN ()", 10, "a value is expected"),
        ("Name = :name", 8, "bind variable"),
        ("CALENDAR_YEAR(CloseDate) = 2026", 14, "function"),
        ("Account.Owner.Name = 'x'", 1, "one relationship"),
        ("Name LIKE 5", 11, "LIKE needs a text"),
        ("CloseDate = TODAY", 13, "relative date"),
        ("CloseDate > LAST_N_DAYS:30", 13, "relative date"),
        ("CloseDate > 2026-13-01", 13, "a date is written as"),
        ("Name = 'x'; DELETE", 11, "does not belong"),
        ("AND = 1", 1, "a field is expected"),
    ] {
        let (found, said) = parse(text).unwrap_err();
        assert_eq!(found, position, "{text}: {said}");
        assert!(said.contains(fault), "{text}: {said}");
    }
}

#[test]
fn a_deep_or_long_filter_is_refused() {
    for text in [format!("{}a = 1{}", "(".repeat(500), ")".repeat(500)), format!("{}a = 1", "NOT ".repeat(500))] {
        assert!(parse(&text).unwrap_err().1.contains("inside one another"));
    }
    assert_eq!(parse(&format!("Name = '{}'", "x".repeat(MAX_CHARACTERS))).unwrap_err().0, MAX_CHARACTERS + 1);
}

#[test]
fn a_filter_is_a_part_of_a_query() {
    let filter = parse("Industry = 'Energy' OR Owner.Name = 'Ada'").unwrap();
    let query = Soql::select(&[FieldName::ID])
        .from(&ObjectName::from_static("Account"))
        .where_(eq(&FieldName::ID, Literal::Null))
        .where_(filter.condition());
    let text = "SELECT Id FROM Account WHERE (Id = NULL AND (Industry = 'Energy' OR Owner.Name = 'Ada'))";
    assert_eq!(query.to_string(), text);
    let fields: Vec<&str> = filter.fields().into_iter().map(FieldName::as_str).collect();
    assert_eq!(fields, ["Industry", "Owner.Name"]);
}
