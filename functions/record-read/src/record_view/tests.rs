use salesforce::{Page, Problem, Record};
use serde_json::{Value, json};

use super::*;

const ID: &str = "006000000000001AAA";

fn record(fields: &Value) -> Record {
    let (object, id) = (OPPORTUNITY_VIEW.object.clone(), ID.parse().unwrap());
    Record { object, id, fields: fields.as_object().unwrap().clone() }
}

fn page(records: Vec<Record>) -> Result<Page, salesforce::Error> {
    Ok(Page { records, total_size: 0, done: true, next: None })
}

fn refused(code: &str) -> Result<Page, salesforce::Error> {
    let problems = vec![Problem { code: code.to_owned(), fields: Vec::new() }];
    Err(salesforce::Error::Rejected { operation: "query records", status: 400, problems })
}

#[test]
fn the_query_adds_names_to_the_record_s_own_fields() {
    let read = record(&json!({"Amount": 5.0, "AccountId": "001000000000001"}));
    let row = record(&json!({"AccountId": "001000000000001", "Account": {"Name": "Fjordglass"}}));
    let (fields, unread) = head(&read, Some(&page(vec![row]))).unwrap();
    assert_eq!((&fields["Amount"], &fields["Account"]["Name"], unread), (&json!(5.0), &json!("Fjordglass"), None));
}

#[test]
fn a_failed_query_leaves_the_record_s_own_fields() {
    let read = record(&json!({"Amount": 5.0}));
    let of = |first| head(&read, Some(&first)).unwrap();
    let (fields, unread) = of(refused("QUERY_TIMEOUT"));
    assert_eq!((&fields["Amount"], unread), (&json!(5.0), Some(Unavailable::TimedOut)));
    // Salesforce does not query every object by id.
    assert_eq!(of(refused("MALFORMED_QUERY")).1, None);
}

#[test]
fn a_record_that_the_query_does_not_find_is_missing() {
    assert!(matches!(head(&record(&json!({})), Some(&page(Vec::new()))), Err(Error::NotFound(_))));
}

#[test]
fn chosen_fields_are_read_with_those_of_the_view() {
    let request = |query| ViewRequest::new(&OPPORTUNITY_VIEW, serde_json::from_value(query).unwrap()).unwrap();
    let fields = read_fields(&OPPORTUNITY_VIEW, &request(json!({"fields": "Name"}))).unwrap();
    assert!(["Name", "Amount", "StageName"].map(FieldName::from_static).iter().all(|field| fields.contains(field)));
    assert_eq!(read_fields(&OPPORTUNITY_VIEW, &request(json!({}))), None);
}
