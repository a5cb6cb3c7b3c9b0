//! SOQL: literals, escapes, comparisons and errors.

use serde_json::json;

use crate::check::{Check, Finding, holds, same};
use crate::org::{Org, query_path};

const ESCAPES: &str = "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm";
const DATES: &str = "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_dateformats.htm";
const OPERATORS: &str = "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_comparisonoperators.htm";
const FIELDS: &str = "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_fields.htm";
const ERRORS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm";
const LIMITS: &str = "https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "quotes, backslashes and line breaks are escaped by a backslash",
        source: ESCAPES,
        relied_on: "no text of the platform can change a query",
        run: |org| {
            let site = r#"O'Neil \ "x" "#.trim_end();
            let id = org.create("Account", json!({"Name": org.name("escapes"), "Site": site}))?;
            let escaped = site.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"");
            finds(org, &format!("SELECT Id FROM Account WHERE Site = '{escaped}' AND Id = '{id}'"), 1)
        },
    },
    Check {
        name: "percent sign and underscore are wildcards of LIKE unless they are escaped",
        source: ESCAPES,
        relied_on: "a search for a text finds the text itself",
        run: |org| {
            let site = org.key("50%_x");
            let id = org.create("Account", json!({"Name": org.name("wildcards"), "Site": site}))?;
            let of = |pattern: &str| format!("SELECT Id FROM Account WHERE Id = '{id}' AND Site LIKE '{pattern}'");
            finds(org, &of("%50\\%\\_x"), 1)?;
            finds(org, &of("%50\\%\\_y"), 0)?;
            finds(org, &of("%50____"), 0)?;
            finds(org, &of("%50%x"), 1)
        },
    },
    Check {
        name: "texts are compared without regard to case",
        source: OPERATORS,
        relied_on: "a search by name finds names of any case",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("MiXeD"), "Site": "MiXeD"}))?;
            finds(org, &format!("SELECT Id FROM Account WHERE Id = '{id}' AND Site = 'mixed'"), 1)?;
            finds(org, &format!("SELECT Id FROM Account WHERE Id = '{id}' AND Site LIKE 'MIX%'"), 1)
        },
    },
    Check {
        name: "objects and fields are named in any case, and returned in the org's",
        source: FIELDS,
        relied_on: "the names in a response are those of describe",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("names")}))?;
            let found = org.query(&format!("select ID, nAmE from aCCount where iD = '{id}'"))?;
            found.is(
                200,
                &json!({"records": [{"attributes": {"type": "Account"}, "Id": id, "Name": org.name("names")}]}),
            )?;
            Ok(())
        },
    },
    Check {
        name: "ids of 15 and 18 characters match the same record",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm",
        relied_on: "ids from licenses are compared with ids from tokens",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("15")}))?;
            finds(org, &format!("SELECT Id FROM Account WHERE Id = '{}'", &id[..15]), 1)?;
            finds(org, &format!("SELECT Id FROM Account WHERE Id IN ('{id}')"), 1)
        },
    },
    Check {
        name: "null is compared by the word null",
        source: OPERATORS,
        relied_on: "records without a key are found",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("is null")}))?;
            finds(org, &format!("SELECT Id FROM Account WHERE Id = '{id}' AND Site = NULL"), 1)?;
            finds(org, &format!("SELECT Id FROM Account WHERE Id = '{id}' AND Site != null"), 0)
        },
    },
    Check {
        name: "not equal includes the records without a value",
        source: OPERATORS,
        relied_on: "a filter by another value does not lose empty ones",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("not equal")}))?;
            finds(org, &format!("SELECT Id FROM Account WHERE Id = '{id}' AND Site != 'somewhere'"), 1)
        },
    },
    Check {
        name: "a time in a filter has no quotes",
        source: DATES,
        relied_on: "a sync filters by SystemModstamp",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("time literal")}))?;
            for literal in ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z", "2020-01-01T01:00:00+01:00"] {
                finds(org, &format!("SELECT Id FROM Account WHERE Id = '{id}' AND SystemModstamp > {literal}"), 1)?;
            }
            let quoted =
                org.get(&query_path("SELECT Id FROM Account WHERE SystemModstamp > '2020-01-01T00:00:00Z'")).send()?;
            quoted.fails(400, "INVALID_FIELD")?;
            Ok(())
        },
    },
    Check {
        name: "a date is no literal of a time, nor a time of a date",
        source: DATES,
        relied_on: "filters are made by the type of the field",
        run: |org| {
            for soql in [
                "SELECT Id FROM Opportunity WHERE CloseDate > 2020-01-01T00:00:00Z",
                "SELECT Id FROM Account WHERE SystemModstamp > 2020-01-01",
            ] {
                org.get(&query_path(soql)).send()?.fails(400, "INVALID_FIELD")?;
            }
            Ok(())
        },
    },
    Check {
        name: "date functions name days relative to today",
        source: DATES,
        relied_on: "the pipeline of a period is selected by the org",
        run: |org| {
            let id = org.create("Account", json!({"Name": org.name("today")}))?;
            for (literal, found) in
                [("CreatedDate >= LAST_N_DAYS:2", 1), ("CreatedDate < LAST_N_DAYS:2", 0), ("CreatedDate > TOMORROW", 0)]
            {
                finds(org, &format!("SELECT Id FROM Account WHERE Id = '{id}' AND {literal}"), found)?;
            }
            Ok(())
        },
    },
    Check {
        name: "a query that cannot be parsed is MALFORMED_QUERY",
        source: ERRORS,
        relied_on: "a query that is wrong is not repeated",
        run: |org| refused(org, "SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
    },
    Check {
        name: "an unknown field in a query is INVALID_FIELD with its name",
        source: ERRORS,
        relied_on: "a field that the user may not see is left out of the next query",
        run: |org| {
            let answer = org.get(&query_path("SELECT Id, No_Such_Field__c FROM Account")).send()?;
            answer.is(
                400,
                &json!([{"errorCode": "INVALID_FIELD", "message": "<contains No such column 'No_Such_Field__c'>"}]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "an unknown object in a query is INVALID_TYPE",
        source: ERRORS,
        relied_on: "an object that the user may not see is not mirrored",
        run: |org| refused(org, "SELECT Id FROM No_Such_Object__c", "INVALID_TYPE"),
    },
    Check {
        name: "a text that is no id is INVALID_QUERY_FILTER_OPERATOR in a filter by id",
        source: ERRORS,
        relied_on: "ids are verified before they are put into a query",
        run: |org| refused(org, "SELECT Id FROM Account WHERE Id = 'not-an-id'", "INVALID_QUERY_FILTER_OPERATOR"),
    },
    Check {
        name: "a long text cannot be filtered",
        source: OPERATORS,
        relied_on: "filters use only fields that describe calls filterable",
        run: |org| refused(org, "SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD"),
    },
    Check {
        name: "OFFSET is at most 2,000",
        source: "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_offset.htm",
        relied_on: "large results are not read by OFFSET",
        run: |org| refused(org, "SELECT Id FROM Account ORDER BY Id LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    },
    Check {
        name: "FIELDS(ALL) needs a limit of at most 200",
        source: FIELDS,
        relied_on: "mirrored fields are named one by one",
        run: |org| {
            refused(org, "SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY")?;
            let found = org.query("SELECT FIELDS(ALL) FROM Account LIMIT 1")?;
            let row = found.at("/records/0");
            holds(row.is_null() || row.get("SystemModstamp").is_some(), "all fields of the row", row)
        },
    },
    Check {
        name: "LIMIT is the largest totalSize",
        source: "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_limit.htm",
        relied_on: "a page of a sync has as many rows as it asked for",
        run: |org| {
            let records =
                (0..3).map(|n| json!({"Name": org.name(&format!("limit {n}")), "Site": org.key("limit")})).collect();
            org.create_all("Account", records)?;
            let found = org.query(&format!("SELECT Id FROM Account WHERE Site = '{}' LIMIT 2", org.key("limit")))?;
            same("totalSize", &json!(2), found.at("/totalSize"))
        },
    },
    Check {
        name: "a request line of more than 16,384 bytes is refused",
        source: LIMITS,
        relied_on: "long lists of ids are divided among queries",
        run: |org| {
            let ids = vec!["'001000000000000AAA'"; 1_000].join(",");
            let refused = org.get(&query_path(&format!("SELECT Id FROM Account WHERE Id IN ({ids})"))).send()?;
            holds(matches!(refused.status, 400 | 414 | 431), "400, 414 or 431", refused.shown())
        },
    },
];

fn finds(org: &Org, soql: &str, count: u64) -> Result<(), Finding> {
    let found = org.query(soql)?;
    same(soql, &json!(count), found.at("/totalSize"))
}

fn refused(org: &Org, soql: &str, code: &str) -> Result<(), Finding> {
    org.get(&query_path(soql)).send()?.fails(400, code)?;
    Ok(())
}
