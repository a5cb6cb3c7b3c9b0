//! SOSL: searches by text.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::check::{Check, Finding, same};
use crate::org::{Org, encode};

const FIND: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_sosl_find.htm";
const IN: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_sosl_in.htm";
/// The time after which the index has a new record, in seconds.
const INDEXED: u64 = 120;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "escaped characters and quoted operators have no meaning in a search",
        source: FIND,
        relied_on: "a text from a user is searched as it is",
        run: |org| {
            let text = r#"x\} RETURNING User\(Id\) "OR" \"q\" \? \& \| \! \{ \[ \] \^ \~ \* \: \\ \' \+ \-"#;
            let found = search(org, &format!("FIND {{{text}}} IN ALL FIELDS RETURNING Account(Id LIMIT 5)"))?;
            found.is(200, &json!({"searchRecords": []}))?;
            Ok(())
        },
    },
    Check {
        name: "a phone number is found in the groups of its digits",
        source: IN,
        relied_on: "the candidates for a person are found by phone",
        run: |org| {
            let last_name = org.name("phone");
            let id = org.create("Contact", json!({"LastName": last_name, "Phone": "(415) 555-0134"}))?;
            org.pass_time(INDEXED)?;
            let returning = format!("RETURNING Contact(Id WHERE LastName = '{last_name}')");
            let found = search(org, &format!("FIND {{\"415 555 0134\"}} IN PHONE FIELDS {returning}"))?;
            let ids: Vec<&Value> = found.list("/searchRecords").iter().map(|row| &row["Id"]).collect();
            same("the records that were found", &vec![&json!(id)], &ids)
        },
    },
];

fn search(org: &Org, sosl: &str) -> Result<Answer, Finding> {
    org.get(&format!("search?q={}", encode(sosl))).send()
}
