//! SOQL: pages, shapes of results, and queries across relationships.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::check::{Check, Finding, holds, same};
use crate::org::{Org, query_path};

const QUERY: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm";
const OPTIONS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_queryoptions.htm";
const RELATIONSHIPS: &str = "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_relationships_query_using.htm";
const DELETED: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm";
const TYPEOF: &str = "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_typeof.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a result has its size, done and the records with their type",
        source: "recording rest/query/contacts-dev-edition-few-fields.json",
        relied_on: "the rows of a query are read",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("result")}))?;
            let found = org.query(&format!("SELECT Id, Name, Site FROM Account WHERE Id = '{id}'"))?;
            let attributes = json!({"type": "Account", "url": format!("/services/data/v66.0/sobjects/Account/{id}")});
            let row = json!({"attributes": attributes, "Id": id, "Name": org.name("result"), "Site": null});
            found.is(200, &json!({"totalSize": 1, "done": true, "records": [row], "nextRecordsUrl": "<absent>"}))?;
            Ok(())
        },
    },
    Check {
        name: "a result without records is an empty list",
        source: "recording rest/query/empty.json",
        relied_on: "no rows are told from an error",
        run: |org| {
            let found = org.query("SELECT Id FROM Account WHERE Id = '001000000000000AAA'")?;
            found.is(200, &json!({"totalSize": 0, "done": true, "records": []}))?;
            Ok(())
        },
    },
    Check {
        name: "a page of 200 records names the next one, and the last does not",
        source: "recording rest/query/accounts-page-1-of-2.json",
        relied_on: "nextRecordsUrl is followed until done",
        run: |org| {
            let (first, second) = pages(org)?;
            same("records of the first page", &200, &first.list("/records").len())?;
            same("totalSize", first.at("/totalSize"), second.at("/totalSize"))?;
            let second = second.is(200, &json!({"totalSize": 205, "done": true, "nextRecordsUrl": "<absent>"}))?;
            same("records of the last page", &5, &second.list("/records").len())
        },
    },
    Check {
        name: "pages have every record once and in order",
        source: QUERY,
        relied_on: "a sync misses no record between pages",
        run: |org| {
            let (first, second) = pages(org)?;
            let names = |page: &Answer| -> Vec<String> {
                page.list("/records").iter().filter_map(|row| Some(row["LastName"].as_str()?.to_owned())).collect()
            };
            let mut all = names(&first);
            all.extend(names(&second));
            let mut sorted = all.clone();
            sorted.sort_unstable();
            sorted.dedup();
            same("names over both pages", &sorted, &all)
        },
    },
    Check {
        name: "the locator of nextRecordsUrl ends in the position of the next record",
        source: "recording rest/query/accounts-page-1-of-2.json",
        relied_on: "nextRecordsUrl is used unchanged",
        run: |org| {
            let (first, _) = pages(org)?;
            let next = first.text("/nextRecordsUrl")?;
            holds(
                next.starts_with("/services/data/v66.0/query/01g") && next.ends_with("-200"),
                "/services/data/v66.0/query/01g...-200",
                next,
            )
        },
    },
    Check {
        name: "an unknown locator is INVALID_QUERY_LOCATOR",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_querymore.htm",
        relied_on: "a sync whose cursor has expired begins again at its stored position",
        run: |org| {
            org.get("query/01g000000000001AAA-2000").send()?.fails(400, "INVALID_QUERY_LOCATOR")?;
            Ok(())
        },
    },
    Check {
        name: "a parent is an object with its type, or null",
        source: "recording rest/query/child-to-parent.json",
        relied_on: "a contact without an account has no account object",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("parent row")}))?;
            let ids = org.create_all(
                "Contact",
                vec![
                    json!({"LastName": org.name("1 with"), "AccountId": account}),
                    json!({"LastName": org.name("2 without")}),
                ],
            )?;
            let soql = format!(
                "SELECT Id, Account.Name FROM Contact WHERE Id IN ('{}', '{}') ORDER BY LastName",
                ids[0], ids[1]
            );
            let parent = json!({
                "attributes": {"type": "Account", "url": "<contains /Account/>"}, "Name": org.name("parent row"),
            });
            org.query(&soql)?.is(200, &json!({"records": [{"Account": parent}, {"Account": null}]}))?;
            Ok(())
        },
    },
    Check {
        name: "children are a result of their own, or null",
        source: "recording rest/query/contacts-with-opportunities-subquery.json",
        relied_on: "a parent without children is told from a parent with some",
        run: |org| {
            let ids = org.create_all(
                "Account",
                vec![json!({"Name": org.name("1 with")}), json!({"Name": org.name("2 without")})],
            )?;
            org.create("Contact", json!({"LastName": org.name("child row"), "AccountId": ids[0]}))?;
            let soql = format!(
                "SELECT Id, (SELECT LastName FROM Contacts) FROM Account WHERE Id IN ('{}', '{}') ORDER BY Name",
                ids[0], ids[1]
            );
            let children = json!({
                "totalSize": 1, "done": true,
                "records": [{"attributes": {"type": "Contact"}, "LastName": org.name("child row")}],
            });
            org.query(&soql)?.is(200, &json!({"records": [{"Contacts": children}, {"Contacts": null}]}))?;
            Ok(())
        },
    },
    Check {
        name: "a filter on a parent's field selects the children",
        source: RELATIONSHIPS,
        relied_on: "the contacts of an account are found by the account's key",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("filter"), "Site": org.key("site")}))?;
            let contact = org.create("Contact", json!({"LastName": org.name("of filter"), "AccountId": account}))?;
            let found = org.query(&format!("SELECT Id FROM Contact WHERE Account.Site = '{}'", org.key("site")))?;
            found.is(200, &json!({"totalSize": 1, "records": [{"Id": contact}]}))?;
            Ok(())
        },
    },
    Check {
        name: "a semi-join selects parents of children",
        source: "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_comparisonoperators.htm",
        relied_on: "accounts with a contact are found by one query",
        run: |org| {
            let ids = org.create_all(
                "Account",
                vec![json!({"Name": org.name("semi 1")}), json!({"Name": org.name("semi 2")})],
            )?;
            org.create("Contact", json!({"LastName": org.name("of semi"), "AccountId": ids[1]}))?;
            let soql = format!(
                "SELECT Id FROM Account WHERE Id IN ('{}', '{}') AND Id IN (SELECT AccountId FROM Contact)",
                ids[0], ids[1]
            );
            org.query(&soql)?.is(200, &json!({"totalSize": 1, "records": [{"Id": ids[1]}]}))?;
            Ok(())
        },
    },
    Check {
        name: "COUNT() has its number in totalSize and no records",
        source: "recording rest/query/count.json",
        relied_on: "rows are counted without reading them",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("count")}))?;
            let found = org.query(&format!("SELECT COUNT() FROM Account WHERE Id = '{account}'"))?;
            found.is(200, &json!({"totalSize": 1, "done": true, "records": []}))?;
            Ok(())
        },
    },
    Check {
        name: "COUNT(Id) is an AggregateResult with expr0",
        source: "recording rest/query/count-id-aggregate.json",
        relied_on: "a comparison with the mirror counts rows by a filter",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("count Id")}))?;
            let found = org.query(&format!("SELECT COUNT(Id) FROM Account WHERE Id = '{account}'"))?;
            found.is(
                200,
                &json!({"totalSize": 1, "records": [{"attributes": {"type": "AggregateResult"}, "expr0": 1}]}),
            )?;
            Ok(())
        },
    },
    Check {
        name: "GROUP BY has one row for each value",
        source: "recording rest/query/group-by.json",
        relied_on: "the stages of a pipeline are counted by one query",
        run: |org| {
            let lead = |name: &str, source: &str| {
                json!({
                    "LastName": org.name(name), "Company": org.name("group"), "LeadSource": source,
                })
            };
            org.create_all("Lead", vec![lead("g1", "Web"), lead("g2", "Web"), lead("g3", "Other")])?;
            let soql = format!(
                "SELECT LeadSource, COUNT(Id) n FROM Lead WHERE Company = '{}' GROUP BY LeadSource ORDER BY COUNT(Id)",
                org.name("group")
            );
            let row =
                |source: &str, n: u64| json!({"attributes": {"type": "AggregateResult"}, "LeadSource": source, "n": n});
            org.query(&soql)?.is(200, &json!({"totalSize": 2, "records": [row("Other", 1), row("Web", 2)]}))?;
            Ok(())
        },
    },
    Check {
        name: "queryAll returns deleted records, and query does not",
        source: DELETED,
        relied_on: "a missing record is deleted only if queryAll says so",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("deleted row")}))?;
            org.delete(&format!("sobjects/Account/{id}")).send()?.has_status(204)?;
            let path = query_path(&format!("SELECT Id, IsDeleted, MasterRecordId FROM Account WHERE Id = '{id}'"));
            org.get(&path).send()?.is(200, &json!({"totalSize": 0}))?;
            let all = org.get(&path.replacen("query", "queryAll", 1)).send()?;
            all.is(200, &json!({"totalSize": 1, "records": [{"Id": id, "IsDeleted": true, "MasterRecordId": null}]}))?;
            Ok(())
        },
    },
    Check {
        name: "TYPEOF reads fields by the type of a polymorphic reference",
        source: TYPEOF,
        relied_on: "activities name the record that they are about",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("typeof")}))?;
            let task = org.create("Task", json!({"Subject": org.name("typeof"), "WhatId": account}))?;
            let found = org.query(&format!(
                "SELECT What.Type, TYPEOF What WHEN Account THEN Name, Site ELSE Name END FROM Task WHERE Id = '{task}'"
            ));
            // An org may refuse the two forms in one query; the second alone is what counts.
            let found = match found {
                Ok(found) => found,
                Err(_) => org.query(&format!(
                    "SELECT TYPEOF What WHEN Account THEN Name, Site ELSE Name END FROM Task WHERE Id = '{task}'"
                ))?,
            };
            found.is(
                200,
                &json!({"records": [{"What": {"attributes": {"type": "Account"}, "Name": org.name("typeof")}}]}),
            )?;
            Ok(())
        },
    },
    Check {
        name: "rows of equal SystemModstamp are ordered by Id",
        source: "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_orderby.htm",
        relied_on: "a sync continues after the last row that it has read",
        run: |org| {
            let records =
                (0..20).map(|n| json!({"Name": org.name(&format!("order {n}")), "Site": org.key("order")})).collect();
            org.create_all("Account", records)?;
            let found = org.query(&format!(
                "SELECT Id, SystemModstamp FROM Account WHERE Site = '{}' ORDER BY SystemModstamp, Id",
                org.key("order")
            ))?;
            let rows: Vec<(&str, &str)> = found
                .list("/records")
                .iter()
                .filter_map(|row| Some((row["SystemModstamp"].as_str()?, row["Id"].as_str()?)))
                .collect();
            holds(rows.len() == 20 && rows.is_sorted(), "20 rows in the order of SystemModstamp and Id", found.shown())
        },
    },
    Check {
        name: "the rows after a keyset position are those that were not read",
        source: "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_orderby.htm",
        relied_on: "a sync stores its own position and no cursor",
        run: |org| {
            let records =
                (0..6).map(|n| json!({"Name": org.name(&format!("keyset {n}")), "Site": org.key("keyset")})).collect();
            org.create_all("Account", records)?;
            let of = format!("FROM Account WHERE Site = '{}'", org.key("keyset"));
            let first = org.query(&format!("SELECT Id, SystemModstamp {of} ORDER BY SystemModstamp, Id LIMIT 3"))?;
            let (stamp, id) = (first.text("/records/2/SystemModstamp")?, first.text("/records/2/Id")?);
            let literal = stamp.replace("+0000", "Z");
            let rest = org.query(&format!(
                "SELECT Id {of} AND (SystemModstamp > {literal} OR (SystemModstamp = \
                {literal} AND Id > '{id}')) ORDER BY SystemModstamp, Id"
            ))?;
            let repeated = rest
                .list("/records")
                .iter()
                .any(|row| first.list("/records").iter().any(|read| read["Id"] == row["Id"]));
            holds(rest.at("/totalSize") == &json!(3) && !repeated, "the other 3 rows", rest.shown())
        },
    },
    Check {
        name: "a batch size below 200 is not used",
        source: OPTIONS,
        relied_on: "small pages are not asked for",
        run: |org| {
            org.create_all("Contact", contacts(org, 201))?;
            let request = org.get(&query_path(&soql(org))).header("Sforce-Query-Options", "batchSize=50");
            let size = request.send()?.has_status(200)?.list("/records").len();
            holds(size >= 200, "at least 200 records in a page", size)
        },
    },
];

fn contacts(org: &Org, count: usize) -> Vec<Value> {
    (0..count).map(|n| json!({"LastName": org.name(&format!("page {n:03}"))})).collect()
}

fn soql(org: &Org) -> String {
    format!("SELECT Id, LastName FROM Contact WHERE LastName LIKE '{}%' ORDER BY LastName", org.name("page "))
}

/// Creates 205 contacts and reads them in two pages.
fn pages(org: &Org) -> Result<(Answer, Answer), Finding> {
    org.create_all("Contact", contacts(org, 205))?;
    let request = org.get(&query_path(&soql(org))).header("Sforce-Query-Options", "batchSize=200");
    let first = request.send()?.is(200, &json!({"totalSize": 205, "done": false, "nextRecordsUrl": "<text>"}))?;
    let second = org.get(&first.text("/nextRecordsUrl")?).send()?.has_status(200)?;
    Ok((first, second))
}
