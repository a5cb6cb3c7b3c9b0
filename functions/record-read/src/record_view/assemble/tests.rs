use salesforce::Record;

use super::*;
use crate::record_view::request::ViewQuery;

const ID: &str = "001000000000001AAA";

fn object(value: Value) -> JsonObject {
    value.as_object().unwrap().clone()
}

/// Assembles the view of an account from its own fields and the rows of lists, by object.
fn view(head: Value, rows: Vec<(&str, Result<Vec<Value>, Unavailable>)>) -> Value {
    let lists = rows.into_iter().map(|(name, rows)| list(&ACCOUNT_VIEW, name, rows, false));
    view_of(&ACCOUNT_VIEW, json!({}), head, lists.collect())
}

fn list(kind: &Kind, object_name: &str, rows: Result<Vec<Value>, Unavailable>, more: bool) -> ListRows {
    let mut lists = kind.queries.iter().copied().flatten();
    let list = lists.find(|list| list.object.as_str() == object_name).unwrap();
    ListRows { list, rows: rows.map(|rows| rows.into_iter().map(object).collect()), more }
}

/// Assembles a view from the record's own fields and the rows of lists.
fn view_of(kind: &Kind, query: Value, head: Value, lists: Vec<ListRows>) -> Value {
    assembled(kind, query, head, lists, None)
}

fn assembled(kind: &Kind, query: Value, head: Value, lists: Vec<ListRows>, unread: Option<Unavailable>) -> Value {
    let request = ViewRequest::new(kind, serde_json::from_value::<ViewQuery>(query).unwrap()).unwrap();
    let sources = [Rows { source: Source::Team, freshness: None, lists }];
    let schema = Schema::default();
    let context = Context { kind, request: &request, schema: &schema, instance: None, pipelines: &[], unread };
    let record = Record { object: kind.object.clone(), id: ID.parse().unwrap(), fields: JsonObject::new() };
    serde_json::to_value(context.assemble(record.into(), &object(head), &sources)).unwrap()
}

#[test]
fn the_task_of_an_email_is_left_out_beside_the_email() {
    let task = |id: &str| json!({"Id": id, "Subject": "Email", "ActivityDate": "2026-11-21"});
    let email = json!({"Id": "02s000000000001", "MessageDate": "2026-11-21T08:00:00.000+0000", "ActivityId": "00T000000000001"});
    let tasks = vec![task("00T000000000001"), task("00T000000000002")];
    let view = view(json!({}), vec![("Task", Ok(tasks)), ("EmailMessage", Ok(vec![email]))]);
    let ids: Vec<_> = view["interactions"]["records"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    let expected = ["02s000000000001", "00T000000000002"].map(|id| id.parse::<RecordId>().unwrap().as_str().to_owned());
    assert_eq!(ids, expected);
}

#[test]
fn person_accounts_are_told_apart() {
    assert_eq!(view(json!({"IsPersonAccount": true}), Vec::new())["is_person_account"], true);
    // The field does not exist in orgs without person accounts.
    assert_eq!(view(json!({}), Vec::new())["is_person_account"], false);
}

#[test]
fn a_part_says_what_it_does_not_have_and_where_it_is_from() {
    let refused = Err(Unavailable::Refused("APEX_ERROR".to_owned()));
    let view =
        view(json!({}), vec![("Contact", refused), ("Task", Err(Unavailable::TimedOut)), ("Event", Ok(Vec::new()))]);
    let contacts = &view["contacts"];
    assert_eq!(contacts["unavailable"], json!([{"object": "Contact", "reason": "refused", "code": "APEX_ERROR"}]));
    assert_eq!((&contacts["records"], &contacts["source"]), (&json!([]), &json!("team")));
    assert_eq!(view["interactions"]["unavailable"], json!([{"object": "Task", "reason": "timed_out"}]));
}

#[test]
fn a_part_has_no_more_than_its_limit_and_says_so() {
    let contact = |number| json!({"Id": format!("003000000000{number:03}"), "Name": "x"});
    let contacts =
        |count| view(json!({}), vec![("Contact", Ok((0..count).map(contact).collect()))])["contacts"].clone();
    assert_eq!((contacts(20)["records"].as_array().unwrap().len(), &contacts(20)["more"]), (20, &json!(false)));
    assert_eq!((contacts(21)["records"].as_array().unwrap().len(), &contacts(21)["more"]), (20, &json!(true)));
}

#[test]
fn a_list_that_was_cut_short_has_more() {
    let contact = json!({"Id": "003000000000001", "Name": "x"});
    let contacts = list(&ACCOUNT_VIEW, "Contact", Ok(vec![contact]), true);
    assert_eq!(view_of(&ACCOUNT_VIEW, json!({}), json!({}), vec![contacts])["contacts"]["more"], true);

    let product = json!({"Id": "00k000000000001", "TotalPrice": 10.0});
    let products = list(&OPPORTUNITY_VIEW, "OpportunityLineItem", Ok(vec![product]), true);
    let view = view_of(&OPPORTUNITY_VIEW, json!({}), json!({}), vec![products]);
    assert_eq!((&view["products"]["more"], &view["products"]["total"]), (&json!(true), &Value::Null));
}

#[test]
fn interactions_that_were_cut_short_go_on_after_the_last() {
    let task = json!({"Id": "00T000000000001", "ActivityDate": "2026-11-21"});
    let event = json!({"Id": "00U000000000001", "StartDateTime": "2026-11-20T08:00:00.000+0000"});
    let lists = |more| {
        let tasks = list(&ACCOUNT_VIEW, "Task", Ok(vec![task.clone()]), more);
        vec![tasks, list(&ACCOUNT_VIEW, "Event", Ok(vec![event.clone()]), false)]
    };
    let page = |more| view_of(&ACCOUNT_VIEW, json!({}), json!({}), lists(more))["interactions"].clone();
    assert_eq!((page(false)["records"].as_array().unwrap().len(), &page(false)["next"]), (2, &Value::Null));
    // Tasks that were not read may come before the event.
    assert_eq!(page(true)["records"].as_array().unwrap().len(), 1);
    assert!(page(true)["next"].as_str().unwrap().contains("00T000000000001"), "{}", page(true));
}

#[test]
fn references_that_were_not_read_are_unavailable() {
    let of = |kind, head| assembled(kind, json!({}), head, Vec::new(), Some(Unavailable::TimedOut));
    let missing = |object: &str| json!({"unavailable": [{"object": object, "reason": "timed_out"}]});
    assert_eq!(of(&ACCOUNT_VIEW, json!({}))["parent"], missing("Account"));
    let lead = of(&LEAD_VIEW, json!({"IsConverted": true}));
    assert_eq!((&lead["is_converted"], &lead["converted"]), (&json!(true), &missing("Lead")));
    let deal = of(&OPPORTUNITY_VIEW, json!({"Amount": 5.0}));
    assert_eq!((&deal["amount"]["value"], &deal["account"]), (&json!(5.0), &missing("Opportunity")));
}

#[test]
fn prices_are_added_up_with_all_their_digits() {
    let total = |prices: &[Value]| {
        let product = |price: &Value| json!({"Id": "00k000000000001", "TotalPrice": price});
        let products = list(&OPPORTUNITY_VIEW, "OpportunityLineItem", Ok(prices.iter().map(product).collect()), false);
        view_of(&OPPORTUNITY_VIEW, json!({}), json!({}), vec![products])["products"]["total"].clone()
    };
    assert_eq!(total(&[json!(0.1), json!(0.2)]), 0.3);
    assert_eq!(total(&[json!(1.125), json!(2)]), 3.125);
    assert_eq!(total(&[json!(0.1), Value::Null]), Value::Null);
    assert_eq!(total(&[]), 0.0);
}

#[test]
fn no_page_of_interactions_passes_rows_of_a_failed_query() {
    let task = |number| json!({"Id": format!("00T000000000{number:03}"), "ActivityDate": "2026-11-21"});
    let next = |after: Option<&str>, events: Result<Vec<Value>, Unavailable>| {
        let tasks = list(&ACCOUNT_VIEW, "Task", Ok(vec![task(3), task(2)]), false);
        let lists = vec![tasks, list(&ACCOUNT_VIEW, "Event", events, false)];
        let query = json!({"limit": 1, "expand": "interactions", "interactions_after": after});
        view_of(&ACCOUNT_VIEW, query, json!({}), lists)["interactions"]["next"].as_str().map(str::to_owned)
    };
    let own = next(None, Ok(Vec::new())).unwrap();
    assert_eq!(next(None, Err(Unavailable::Hidden)), Some(own.clone()));
    assert_eq!(next(None, Err(Unavailable::TimedOut)), None);
    let start = own.replace("003", "009");
    assert_eq!(next(Some(&start), Err(Unavailable::TimedOut)), Some(start.clone()));
    assert_eq!(next(Some(&start), Ok(Vec::new())), Some(own));
}
