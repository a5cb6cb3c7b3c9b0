use serde_json::{Map, Value as Json, json};

use super::*;
use crate::Clock;
use crate::data::seed::{self, Seed};
use crate::model::org::Org;
use crate::model::people;
use crate::model::sharing::SharingDefault;

pub(super) fn org() -> Org {
    let mut org =
        Org::production("http://127.0.0.1:1".to_owned(), Clock::manual("2026-11-22T10:00:00Z".parse().unwrap()));
    seed::fill(&mut org, Seed::Default).unwrap();
    org
}

fn names(org: &mut Org, query: &str) -> Vec<String> {
    rows(org, query).iter().map(|row| row["Name"].as_str().unwrap_or("-").to_owned()).collect()
}

fn rows(org: &mut Org, query: &str) -> Vec<Json> {
    seen_by(org, &people::admin(org), query)
}

pub(super) fn seen_by(org: &mut Org, actor: &Actor, query: &str) -> Vec<Json> {
    let found = run(org, actor, query, false).unwrap();
    page(org, actor, &found, 0, PageOptions { version: "66.0", page: 2_000 }).records
}

fn code(org: &Org, query: &str) -> &'static str {
    run(org, &people::admin(org), query, false).err().unwrap().code
}

#[test]
fn conditions_pick_rows() {
    let mut org = org();
    for (condition, count) in [
        ("Amount > 15000", 3),
        ("Amount >= 15000 AND IsClosed = false", 3),
        ("Amount = null", 1),
        ("Amount != null", 5),
        ("NOT Amount = null", 5),
        ("StageName IN ('Closed Won', 'closed lost')", 2),
        ("StageName NOT IN ('Closed Won', 'Closed Lost')", 4),
        ("Name LIKE '%renewal%'", 2),
        ("(IsWon = true OR Amount < 10000) AND CloseDate < 2026-10-01", 2),
        ("Account.Name = 'Quillfeather & Sons Press'", 1),
        ("Account.Owner.Username = 'admin@larkspur.example'", 6),
        ("CreatedDate = TODAY", 6),
        ("CreatedDate < TODAY", 0),
        ("CloseDate = LAST_N_DAYS:90", 1),
        ("RecordType.DeveloperName = 'Renewal'", 2),
    ] {
        assert_eq!(
            rows(&mut org, &format!("SELECT Id FROM Opportunity WHERE {condition}")).len(),
            count,
            "{condition}"
        );
    }
}

#[test]
fn quotes_in_names_are_found() {
    let mut org = org();
    assert_eq!(names(&mut org, "SELECT Name FROM Contact WHERE LastName = 'D\\'Almada'"), ["Ines D'Almada"]);
}

#[test]
fn rows_are_ordered_by_order_by() {
    let mut org = org();
    assert_eq!(
        names(&mut org, "SELECT Name FROM Account ORDER BY Name LIMIT 2 OFFSET 1"),
        ["Harbourline Logistics", "Quillfeather & Sons Press"]
    );
    let mut amounts = |order: &str| -> Vec<Json> {
        rows(&mut org, &format!("SELECT Amount FROM Opportunity ORDER BY {order}"))
            .iter()
            .map(|r| r["Amount"].clone())
            .collect()
    };
    assert_eq!(amounts("Amount")[0], Json::Null);
    assert_eq!(amounts("Amount NULLS LAST")[0], json!(8000.0));
    assert_eq!(amounts("Amount DESC NULLS LAST")[0], json!(98000.0));
    assert_eq!(amounts("IsClosed DESC, Amount DESC")[..2], [json!(30000.0), json!(8000.0)]);
}

#[test]
fn keyset_pagination_returns_every_row_once() {
    let mut org = org();
    let all: Vec<Json> =
        rows(&mut org, "SELECT Id FROM Contact ORDER BY SystemModstamp, Id").iter().map(|r| r["Id"].clone()).collect();
    let mut walked = Vec::new();
    let mut condition = String::new();
    loop {
        let page = rows(
            &mut org,
            &format!("SELECT Id, SystemModstamp FROM Contact {condition} ORDER BY SystemModstamp, Id LIMIT 2"),
        );
        let Some(last) = page.last() else { break };
        let (stamp, id) = (last["SystemModstamp"].as_str().unwrap(), last["Id"].as_str().unwrap());
        condition = format!("WHERE SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{id}')");
        walked.extend(page.iter().map(|r| r["Id"].clone()));
    }
    assert_eq!(walked, all);
    assert_eq!(walked.len(), 5);
}

#[test]
fn a_missing_parent_is_null_and_so_are_missing_children() {
    let mut org = org();
    let row =
        &rows(&mut org, "SELECT Account.Name, Account.Id, (SELECT Id FROM Cases) FROM Contact WHERE AccountId = null")
            [0];
    assert_eq!((&row["Account"], &row["Cases"]), (&Json::Null, &Json::Null));
}

#[test]
fn children_come_with_their_parent() {
    let mut org = org();
    let row = &rows(
        &mut org,
        "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Name LIKE 'Harbour%'",
    )[0];
    assert_eq!(row["Contacts"]["totalSize"], 2);
    assert_eq!(row["Contacts"]["records"][0]["LastName"], "D'Almada");
    assert_eq!(row["Contacts"]["records"][0]["attributes"]["type"], "Contact");
}

#[test]
fn an_open_parent_shows_its_name_and_kind() {
    let mut org = org();
    let row = &rows(&mut org, "SELECT What.Name, What.Type, Who.Name FROM Task WHERE What.Name LIKE 'Harbourline%'")[0];
    assert_eq!(row["What"]["Type"], "Opportunity");
    assert_eq!(row["Who"]["Name"], "Ines D'Almada");
}

#[test]
fn invalid_queries_get_salesforces_codes() {
    let org = org();
    assert_eq!(code(&org, "SELECT Nope FROM Account"), "INVALID_FIELD");
    assert_eq!(code(&org, "SELECT Nope.Name FROM Account"), "INVALID_FIELD");
    assert_eq!(code(&org, "SELECT Id FROM Nope"), "INVALID_TYPE");
    assert_eq!(code(&org, "SELECT Id, (SELECT Id FROM Nopes) FROM Account"), "INVALID_TYPE");
    assert_eq!(code(&org, "SELECT Id FROM Account WHERE CreatedDate > '2026-01-01T00:00:00Z'"), "INVALID_FIELD");
    assert_eq!(code(&org, "SELECT Id FROM Account WHERE Name = 5"), "INVALID_FIELD");
    assert_eq!(code(&org, "SELECT Id FROM Account WHERE Id = 'x'"), "INVALID_QUERY_FILTER_OPERATOR");
    assert_eq!(code(&org, "SELECT Id FROM ContentDocumentLink"), "MALFORMED_QUERY");
    assert_eq!(
        code(&org, "SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId != '0015e0000000001'"),
        "MALFORMED_QUERY"
    );
}

#[test]
fn a_rep_sees_only_own_records_of_a_private_object() {
    let mut org = org();
    org.set_sharing_default("Account", SharingDefault::Private).unwrap();
    let rep = people::actor(&org, "casey@larkspur.example").unwrap();
    let fields = Map::from_iter([("Name".to_owned(), json!("Casey's own"))]);
    org.create(&rep, "Account", &fields).unwrap();

    let seen = run(&org, &rep, "SELECT Id FROM Account", false).unwrap().len();

    assert_eq!(seen, 1);
    assert_eq!(rows(&mut org, "SELECT Id FROM Account").len(), 6);
}

#[test]
fn deleted_rows_are_only_in_query_all() {
    let mut org = org();
    let admin = people::admin(&org);
    let id = run(&org, &admin, "SELECT Id FROM Lead LIMIT 1", false).unwrap().ids()[0];
    org.delete(&admin, "Lead", id).unwrap();
    let count = |all_rows| run(&org, &admin, "SELECT Id FROM Lead", all_rows).unwrap().len();
    assert_eq!((count(false), count(true)), (2, 3));
}

#[test]
fn flat_rows_have_one_column_per_field_and_no_children() {
    let org = org();
    let admin = people::admin(&org);
    let query = "SELECT Name, Account.Name, Amount, CreatedDate FROM Opportunity WHERE Amount = 8000";
    let flat = flat::rows(&org, &admin, query, false).unwrap();
    assert_eq!((flat.object(), flat.rows(&org, 0).count()), ("Opportunity", 1));
    assert_eq!(flat.header(), ["Name", "Account.Name", "Amount", "CreatedDate"]);
    let row = flat.rows(&org, 0).next().unwrap();
    assert_eq!(row[2].as_deref(), Some("8000.0"));
    assert_eq!(row[3].as_deref(), Some("2026-11-22T10:00:00.000Z"));
    for refused in ["SELECT COUNT() FROM Account", "SELECT Id, (SELECT Id FROM Contacts) FROM Account"] {
        assert_eq!(flat::rows(&org, &admin, refused, false).err().unwrap().code, "API_ERROR");
    }
}

fn message(org: &Org, query: &str) -> String {
    run(org, &people::admin(org), query, false).err().unwrap().message
}

#[test]
fn error_texts_are_those_of_salesforce() {
    let org = org();
    for (query, expected) in [
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "value of filter criterion for field 'Name' must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Opportunity WHERE Amount = '5'",
            "value of filter criterion for field 'Amount' must be of type double and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Opportunity WHERE CloseDate = '2026-01-01'",
            "value of filter criterion for field 'CloseDate' must be of type date and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Opportunity WHERE IsWon = 'true'",
            "value of filter criterion for field 'IsWon' must be of type boolean and should not be enclosed in quotes",
        ),
        ("SELECT Id FROM Account WHERE Id = 'x'", "invalid ID field: x"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "invalid operator on id field"),
        (
            "SELECT Id FROM Opportunity WHERE Description = 'x'",
            "field 'Description' can not be filtered in a query call",
        ),
        ("SELECT Id FROM Opportunity ORDER BY Description", "field 'Description' can not be sorted in a query call"),
        (
            "SELECT Amount, COUNT(Id) FROM Opportunity GROUP BY Amount",
            "field 'Amount' can not be grouped in a query call",
        ),
        ("SELECT Name, COUNT(Id) FROM Opportunity GROUP BY StageName", "Field must be grouped or aggregated: Name"),
        ("SELECT Name, COUNT(Id) FROM Opportunity", "Field must be grouped or aggregated: Name"),
        ("SELECT SUM(Name) FROM Opportunity", "field Name does not support aggregate operator SUM"),
        ("SELECT Name n FROM Opportunity", "only aggregate expressions use field aliasing"),
        ("SELECT Id, (SELECT COUNT(Id) FROM Contacts) FROM Account", "only root queries support aggregate expressions"),
        ("SELECT Id, Name, id FROM Account", "duplicate field selected: Id"),
        ("SELECT FIELDS(ALL) FROM Account", "The SOQL FIELDS function must have a LIMIT of at most 200"),
        ("SELECT FIELDS(CUSTOM) FROM Account LIMIT 201", "The SOQL FIELDS function must have a LIMIT of at most 200"),
        (
            "SELECT Id FROM Account WHERE BillingAddress = null",
            "Address fields can only be filtered using Distance expressions",
        ),
        ("SELECT Id FROM Account OFFSET 2001", "Maximum SOQL offset allowed is 2000"),
        ("SELECT Id FROM Account ALL ROWS", "ALL ROWS not allowed in this context"),
        (
            "SELECT What.Nope FROM Task",
            "No such column 'Nope' on entity 'Name'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
        ),
    ] {
        let message = message(&org, query);
        assert!(message == expected || message.ends_with(&format!("\n{expected}")), "{query}: {message}");
    }
    assert_eq!(code(&org, "SELECT Id FROM Account OFFSET 2001"), "NUMBER_OUTSIDE_VALID_RANGE");
    assert_eq!(
        message(&org, "SELECT Id, Nope FROM Account").lines().take(4).collect::<Vec<_>>(),
        ["", "SELECT Id, Nope FROM Account", "           ^", "ERROR at Row:1:Column:12"]
    );
}

#[test]
fn semi_joins_follow_salesforces_restrictions() {
    let mut org = org();
    let with = rows(&mut org, "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)").len();
    let without = rows(&mut org, "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)").len();
    assert!(with > 0 && without > 0);
    assert_eq!(with + without, 5);
    let inner = "Id IN (SELECT AccountId FROM Contact)";
    for (condition, expected) in [
        (format!("{inner} OR Name = 'x'"), "Semi join sub-selects are not allowed with the 'OR' operator"),
        (
            format!("Name = 'x' AND ({inner} OR Name = 'y')"),
            "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions.",
        ),
        (format!("{inner} AND {inner} AND {inner}"), "Maximum 2 semi join sub-selects are allowed."),
        (
            "Id IN (SELECT AccountId FROM Contact WHERE AccountId IN (SELECT Id FROM Account))".to_owned(),
            "Nesting of semi join sub-selects is not supported",
        ),
        (
            "Id IN (SELECT ParentId FROM Account)".to_owned(),
            "The inner and outer selects should not be on the same object type",
        ),
        (
            "Id IN (SELECT LastName FROM Contact)".to_owned(),
            "Semi join sub-selects can only query id fields, cannot use: 'LastName'",
        ),
        (
            "OwnerId IN (SELECT AccountId FROM Contact)".to_owned(),
            "The selected field 'AccountId' in the subquery and the left operand field in the where expression in the outer query \
             'OwnerId' should point to the same object type",
        ),
    ] {
        let message = message(&org, &format!("SELECT Id FROM Account WHERE {condition}"));
        assert!(message.ends_with(expected), "{condition}: {message}");
    }
}

#[test]
fn groups_aggregate_their_rows() {
    let mut org = org();
    let all = rows(&mut org, "SELECT COUNT(Id), COUNT(Amount) n, SUM(Amount), MIN(CloseDate) FROM Opportunity");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["attributes"], json!({"type": "AggregateResult"}));
    assert_eq!((&all[0]["expr0"], &all[0]["n"]), (&json!(6), &json!(5)));
    let sum: f64 = rows(&mut org, "SELECT Amount FROM Opportunity").iter().filter_map(|r| r["Amount"].as_f64()).sum();
    assert_eq!(all[0]["expr1"], json!(sum));

    let closed =
        rows(&mut org, "SELECT IsClosed, COUNT(Id) FROM Opportunity GROUP BY IsClosed ORDER BY COUNT(Id) DESC");
    assert_eq!(closed[0], json!({"attributes": {"type": "AggregateResult"}, "IsClosed": false, "expr0": 4}));
    let many = rows(&mut org, "SELECT IsClosed FROM Opportunity GROUP BY IsClosed HAVING COUNT(Id) > 2");
    assert_eq!(many.len(), 1);
    let years = rows(
        &mut org,
        "SELECT CALENDAR_YEAR(CreatedDate) y, COUNT_DISTINCT(StageName) FROM Opportunity GROUP BY CALENDAR_YEAR(CreatedDate)",
    );
    assert_eq!(years[0]["y"], 2026);
    let parents = rows(&mut org, "SELECT Account.Name, COUNT(Id) FROM Opportunity GROUP BY Account.Name LIMIT 1");
    assert!(parents[0]["Name"].is_string());
    assert_eq!(rows(&mut org, "SELECT COUNT(Id) FROM Account WHERE Name = 'none'")[0]["expr0"], 0);
    assert!(rows(&mut org, "SELECT Name FROM Account WHERE Name = 'none' GROUP BY Name").is_empty());
}

#[test]
fn a_rollup_adds_subtotals_and_a_cube_adds_all_of_them() {
    let mut org = org();
    let query = |kind: &str| {
        format!(
            "SELECT IsClosed, IsWon, COUNT(Id) n, GROUPING(IsClosed) c, GROUPING(IsWon) w FROM Opportunity GROUP BY {kind}(IsClosed, IsWon)"
        )
    };
    let rollup = rows(&mut org, &query("ROLLUP"));
    let totals: Vec<_> = rollup.iter().filter(|row| row["c"] == 1).collect();
    assert_eq!(totals.len(), 1);
    assert_eq!((&totals[0]["n"], &totals[0]["IsClosed"]), (&json!(6), &Json::Null));
    let by_won = rows(&mut org, &query("CUBE")).into_iter().filter(|row| row["c"] == 1 && row["w"] == 0).count();
    assert_eq!(by_won, 2);
}

#[test]
fn type_of_shows_the_fields_of_each_kind() {
    let mut org = org();
    let query = "SELECT TYPEOF What WHEN Opportunity THEN StageName, Account.Name WHEN Account THEN Phone ELSE Name END FROM Task WHERE What.Type = 'Opportunity'";
    let row = &rows(&mut org, query)[0]["What"];
    assert_eq!(row["attributes"]["type"], "Opportunity");
    assert!(row["StageName"].is_string() && row["Account"]["Name"].is_string());
    assert!(row.get("Name").is_none());
}

#[test]
fn values_have_the_order_and_names_of_the_select_list() {
    let mut org = org();
    let row = &rows(
        &mut org,
        "SELECT FORMAT(Amount) Money, Account.Name, toLabel(StageName), Id FROM Opportunity WHERE Amount = 98000",
    )[0];
    let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["attributes", "Money", "Account", "StageName", "Id"]);
    assert_eq!(row["Money"], "$98,000.00");
    let all = &rows(&mut org, "SELECT FIELDS(ALL) FROM Account LIMIT 1")[0];
    assert!(all.get("Name").is_some() && all.get("Ferry_External_Id__c").is_some());
    let standard = &rows(&mut org, "SELECT FIELDS(STANDARD) FROM Account")[0];
    assert!(standard.get("Name").is_some() && standard.get("Ferry_External_Id__c").is_none());
}

#[test]
fn hidden_objects_and_fields_do_not_exist() {
    let mut org = org();
    let rep = people::actor(&org, "casey@larkspur.example").unwrap();
    let refused = |org: &Org, query: &str| run(org, &rep, query, false).err().map(|error| error.code);
    for query in
        ["SELECT Phone FROM Account", "SELECT Account.Phone FROM Contact", "SELECT Id FROM Account WHERE Phone = '1'"]
    {
        assert_eq!(refused(&org, query), None);
    }
    org.profiles.limits_mut(rep.profile, "Account").hidden_fields.insert("phone".to_owned());
    for query in [
        "SELECT Phone FROM Account",
        "SELECT Account.Phone FROM Contact",
        "SELECT Id FROM Account WHERE Phone = '1'",
        "SELECT Id FROM Account ORDER BY Phone",
        "SELECT COUNT(Id) FROM Account GROUP BY Phone",
    ] {
        assert_eq!(refused(&org, query), Some("INVALID_FIELD"), "{query}");
    }
    let shown = seen_by(&mut org, &rep, "SELECT FIELDS(STANDARD) FROM Account LIMIT 1");
    assert!(shown[0].get("Phone").is_none() && shown[0].get("Name").is_some());
    org.profiles.limits_mut(rep.profile, "Contact").hidden = true;
    assert_eq!(refused(&org, "SELECT Id FROM Contact"), Some("INVALID_TYPE"));
    assert_eq!(refused(&org, "SELECT Id, (SELECT Id FROM Contacts) FROM Account"), Some("INVALID_TYPE"));
}

#[test]
fn counts_include_only_visible_records() {
    let mut org = org();
    org.set_sharing_default("Account", SharingDefault::Private).unwrap();
    let rep = people::actor(&org, "casey@larkspur.example").unwrap();
    assert_eq!(run(&org, &rep, "SELECT COUNT() FROM Account", false).unwrap().total(), 0);
    assert_eq!(seen_by(&mut org, &rep, "SELECT COUNT(Id) n FROM Account")[0]["n"], 0);
    assert!(
        seen_by(&mut org, &rep, "SELECT Account.Name FROM Contact WHERE AccountId != null LIMIT 1")[0]["Account"]
            .is_null()
    );
}
