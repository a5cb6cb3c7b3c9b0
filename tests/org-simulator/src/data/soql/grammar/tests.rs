use proptest::prelude::*;

use super::*;
use crate::data::soql::ast::{Condition, Item, Literal};

fn message(query: &str) -> String {
    parse(query).unwrap_err().message
}

#[test]
fn a_keyset_query_is_parsed() {
    let query = "SELECT Id, Account.Name FROM Opportunity WHERE SystemModstamp > 2026-11-22T10:15:30Z OR (SystemModstamp = \
                 2026-11-22T10:15:30.000Z AND Id > '0065e00000AbCdEAAV') ORDER BY SystemModstamp, Id DESC NULLS LAST LIMIT 2000";
    let select = parse(query).unwrap();
    assert_eq!(select.items.len(), 2);
    assert!(matches!(select.condition, Some(Condition::Any(ref parts)) if parts.len() == 2));
    assert!(select.order[1].descending && select.order[1].nulls_last);
    assert_eq!(select.limit, Some(2000));
}

#[test]
fn every_clause_is_parsed() {
    for query in [
        "select id from account",
        "SELECT a.Id FROM Account a WHERE a.Name = 'x'",
        "SELECT Id FROM Group",
        "SELECT Id FROM Order ORDER BY Id",
        "SELECT Id FROM Account USING SCOPE mine WHERE Name LIKE 'a%' WITH SECURITY_ENFORCED ORDER BY Name LIMIT 1 OFFSET 2",
        "SELECT StageName, COUNT(Id) n, SUM(Amount) FROM Opportunity GROUP BY ROLLUP(StageName) HAVING COUNT(Id) > 1 AND SUM(Amount) != null",
        "SELECT CALENDAR_YEAR(convertTimezone(CreatedDate)) FROM Lead GROUP BY CALENDAR_YEAR(convertTimezone(CreatedDate))",
        "SELECT toLabel(StageName), FORMAT(convertCurrency(Amount)) a FROM Opportunity FOR VIEW",
        "SELECT TYPEOF What WHEN Account THEN Phone, Name WHEN Opportunity THEN Amount ELSE Name END FROM Task",
        "SELECT FIELDS(ALL), (SELECT Id FROM Contacts WHERE Email != null ORDER BY Name LIMIT 3) FROM Account LIMIT 200",
        "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact WHERE Email = null) AND (NOT Name LIKE 'a%')",
        "SELECT Id FROM Contact WHERE Languages__c INCLUDES ('a;b', 'c') AND CreatedDate = LAST_N_FISCAL_QUARTERS:2",
        "SELECT Count, Format FROM Thing__c",
        "SELECT Id FROM Account FOR REFERENCE ALL ROWS",
    ] {
        assert!(parse(query).is_ok(), "{query}: {:?}", parse(query));
    }
}

#[test]
fn count_without_a_field_is_not_a_function() {
    assert!(matches!(parse("SELECT COUNT() FROM Lead").unwrap().items[0], Item::Count(7)));
    assert!(message("SELECT SUM() FROM Lead").contains("unexpected token: ')'"));
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
    for (query, column, token) in [
        ("SELECT Id FORM Account", 16, "Account"),
        ("SELECT Id, FROM Account", 12, "FROM"),
        ("SELECT Id FROM", 15, "<EOF>"),
        ("SELECT Id FROM Account WHERE Name = 'O'Brien'", 40, "Brien"),
        ("SELECT Id FROM Account WHERE A = 1 AND B = 2 OR C = 3", 46, "OR"),
        ("SELECT Id FROM Account WHERE A = 1 AND NOT B = 2", 40, "NOT"),
        ("SELECT Id FROM Account WHERE NOT A = 1 AND B = 2", 40, "AND"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 1)", 67, "LIMIT"),
        ("SELECT Id FROM Account LIMIT 1 WHERE A = 1", 32, "WHERE"),
        ("UPDATE Account", 1, "UPDATE"),
    ] {
        let expected = format!("ERROR at Row:1:Column:{column}\nunexpected token: '{token}'");
        assert!(message(query).ends_with(&expected), "{query}: {}", message(query));
    }
    assert!(message("SELECT Id FROM Account WHERE Name = 'a").contains("unexpected token: '<EOF>'"));
    assert_eq!(message(" "), "SOQL statements cannot be empty or null");
}

#[test]
fn a_name_in_place_of_a_value_is_an_apex_variable() {
    for query in
        ["SELECT Id FROM Account WHERE Name = :name", "SELECT Id FROM Account WHERE CreatedDate > LastModifiedDate"]
    {
        assert!(message(query).ends_with("Bind variables only allowed in Apex code"), "{}", message(query));
    }
}

#[test]
fn a_query_too_long_or_too_deep_is_rejected() {
    let deep = format!("SELECT Id FROM Account WHERE {}Name = 'a'{}", "(".repeat(5_000), ")".repeat(5_000));
    let long = format!("SELECT Id FROM Account WHERE Name = '{}'", "a".repeat(100_000));
    for query in [deep, long] {
        assert_eq!(parse(&query).unwrap_err().code, "QUERY_TOO_COMPLICATED");
    }
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
