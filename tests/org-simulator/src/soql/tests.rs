use serde_json::{Map, Value as Json, json};

use super::flat;
use super::*;
use crate::org::Org;
use crate::{Clock, Seed, control, seed};

fn org() -> Org {
    let mut org = Org::new("http://127.0.0.1:1".to_owned(), Clock::manual("2026-11-22T10:00:00Z".parse().unwrap()));
    seed::fill(&mut org, Seed::Default).unwrap();
    org
}

fn names(org: &Org, query: &str) -> Vec<String> {
    rows(org, query).iter().map(|row| row["Name"].as_str().unwrap_or("-").to_owned()).collect()
}

fn rows(org: &Org, query: &str) -> Vec<Json> {
    let found = run(org, &control::admin(org), query, false).unwrap();
    render(org, &control::admin(org), &found, &found.ids, "66.0")
}

fn code(org: &Org, query: &str) -> &'static str {
    run(org, &control::admin(org), query, false).err().unwrap().code
}

#[test]
fn conditions_pick_rows() {
    let org = org();
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
        assert_eq!(rows(&org, &format!("SELECT Id FROM Opportunity WHERE {condition}")).len(), count, "{condition}");
    }
}

#[test]
fn quotes_in_names_are_found() {
    let org = org();
    assert_eq!(names(&org, "SELECT Name FROM Contact WHERE LastName = 'D\\'Almada'"), ["Ines D'Almada"]);
}

#[test]
fn rows_come_in_the_order_asked_for() {
    let org = org();
    assert_eq!(
        names(&org, "SELECT Name FROM Account ORDER BY Name LIMIT 2 OFFSET 1"),
        ["Harbourline Logistics", "Quillfeather & Sons Press"]
    );
    let amounts = |order: &str| -> Vec<Json> {
        rows(&org, &format!("SELECT Amount FROM Opportunity ORDER BY {order}"))
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
fn a_keyset_walk_sees_every_row_once() {
    let org = org();
    let all: Vec<Json> =
        rows(&org, "SELECT Id FROM Contact ORDER BY SystemModstamp, Id").iter().map(|r| r["Id"].clone()).collect();
    let mut walked = Vec::new();
    let mut condition = String::new();
    loop {
        let page = rows(
            &org,
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
    let org = org();
    let row =
        &rows(&org, "SELECT Account.Name, Account.Id, (SELECT Id FROM Cases) FROM Contact WHERE AccountId = null")[0];
    assert_eq!((&row["Account"], &row["Cases"]), (&Json::Null, &Json::Null));
}

#[test]
fn children_come_with_their_parent() {
    let org = org();
    let row = &rows(
        &org,
        "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Name LIKE 'Harbour%'",
    )[0];
    assert_eq!(row["Contacts"]["totalSize"], 2);
    assert_eq!(row["Contacts"]["records"][0]["LastName"], "D'Almada");
    assert_eq!(row["Contacts"]["records"][0]["attributes"]["type"], "Contact");
}

#[test]
fn an_open_parent_shows_its_name_and_kind() {
    let org = org();
    let row = &rows(&org, "SELECT What.Name, What.Type, Who.Name FROM Task WHERE What.Name LIKE 'Harbourline%'")[0];
    assert_eq!(row["What"]["Type"], "Opportunity");
    assert_eq!(row["Who"]["Name"], "Ines D'Almada");
}

#[test]
fn mistakes_get_salesforces_codes() {
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
    control::set_private(&mut org, "Account", true).unwrap();
    let rep = control::actor(&org, "casey@larkspur.example").unwrap();
    let fields = Map::from_iter([("Name".to_owned(), json!("Casey's own"))]);
    org.create(&rep, "Account", &fields).unwrap();

    let seen = run(&org, &rep, "SELECT Id FROM Account", false).unwrap().ids.len();

    assert_eq!(seen, 1);
    assert_eq!(rows(&org, "SELECT Id FROM Account").len(), 6);
}

#[test]
fn deleted_rows_are_only_in_query_all() {
    let mut org = org();
    let admin = control::admin(&org);
    let id = run(&org, &admin, "SELECT Id FROM Lead LIMIT 1", false).unwrap().ids[0];
    org.delete(&admin, "Lead", id).unwrap();
    let count = |all_rows| run(&org, &admin, "SELECT Id FROM Lead", all_rows).unwrap().ids.len();
    assert_eq!((count(false), count(true)), (2, 3));
}

#[test]
fn flat_rows_have_a_column_a_field_and_no_children() {
    let org = org();
    let admin = control::admin(&org);
    let query = "SELECT Name, Account.Name, Amount, CreatedDate FROM Opportunity WHERE Amount = 8000";
    let flat = flat::rows(&org, &admin, query, false).unwrap();
    assert_eq!((flat.object(), flat.len()), ("Opportunity", 1));
    assert_eq!(flat.header(), ["Name", "Account.Name", "Amount", "CreatedDate"]);
    let row = flat.rows(&org, 0).next().unwrap();
    assert_eq!(row[2].as_deref(), Some("8000.0"));
    assert_eq!(row[3].as_deref(), Some("2026-11-22T10:00:00.000Z"));
    for refused in ["SELECT COUNT() FROM Account", "SELECT Id, (SELECT Id FROM Contacts) FROM Account"] {
        assert_eq!(flat::rows(&org, &admin, refused, false).err().unwrap().code, "API_ERROR");
    }
}
