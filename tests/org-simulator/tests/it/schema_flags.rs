//! Describe and engine agree: what describe says of a field is what queries accept; `schema_writes` is about writes.

use org_simulator::{Clock, Features, Options, Simulator};
use serde_json::{Value, json};

use crate::support::{ADMIN, ApiResponse, START, TestContext};

/// Objects whose queries need conditions of their own, so that a refusal says nothing of the field.
const RESTRICTED: [&str; 2] = ["ContentDocumentLink", "UserRecordAccess"];

pub(crate) async fn describes(context: &TestContext) -> Vec<Value> {
    let names: Vec<String> = context.get("sobjects").await.body["sobjects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["name"].as_str().unwrap().to_owned())
        .collect();
    let mut all = Vec::new();
    for name in names {
        all.push(context.get(&format!("sobjects/{name}/describe")).await.body);
    }
    assert!(all.len() > 20);
    all
}

pub(crate) fn fields(describe: &Value) -> impl Iterator<Item = (&str, &Value)> {
    describe["fields"].as_array().unwrap().iter().map(|field| (field["name"].as_str().unwrap(), field))
}

/// Returns a query of the object with a clause; in a subquery of accounts if the object is read in subqueries only.
fn query_of(object: &str, accounts: &Value, is_queryable: bool, clause: &str) -> String {
    if is_queryable {
        return format!("SELECT Id FROM {object} {clause} LIMIT 1");
    }
    let children = accounts["childRelationships"].as_array().unwrap();
    let children = children.iter().find(|child| child["childSObject"] == object).unwrap();
    let name = children["relationshipName"].as_str().unwrap();
    format!("SELECT Id, (SELECT Id FROM {name} {clause} LIMIT 1) FROM Account LIMIT 1")
}

/// Asserts that the query succeeds exactly when it is allowed, and otherwise has the code and the end of the message.
fn agree(response: &ApiResponse, allowed: bool, refusal: (&str, &str), what: &str) {
    if allowed {
        assert_eq!(response.status, 200, "{what}: {}", response.body);
    } else {
        assert_eq!((response.status, response.code()), (400, refusal.0), "{what}: {}", response.body);
        let message = response.body[0]["message"].as_str().unwrap();
        assert!(message.ends_with(refusal.1), "{what}: {message}");
    }
}

/// Returns an org with several currencies and an object with custom fields of all types.
pub(crate) async fn with_custom_fields() -> TestContext {
    let features = Features { multi_currency: true, ..Features::default() };
    let options = Options { clock: Clock::manual(START.parse().unwrap()), features, ..Options::default() };
    let context = TestContext::of(Simulator::start(options).await.unwrap(), ADMIN);
    let of = |kind: &str| json!({"name": format!("A_{kind}__c"), "type": kind});
    let kinds = [
        "boolean",
        "string",
        "double",
        "currency",
        "percent",
        "date",
        "datetime",
        "picklist",
        "multipicklist",
        "textarea",
        "email",
        "phone",
        "url",
        "location",
    ];
    let mut fields: Vec<Value> = kinds.iter().map(|kind| of(kind)).collect();
    fields.push(json!({"name": "Number__c", "type": "string", "auto_number": "A-{0000}"}));
    let made =
        context.admin(reqwest::Method::POST, "objects", Some(json!({"name": "Walk__c", "fields": fields}))).await;
    assert_eq!(made.status, 200, "{}", made.body);
    context
}

#[tokio::test]
async fn queries_accept_what_describe_says() {
    let context = with_custom_fields().await;
    let accounts = context.get("sobjects/Account/describe").await.body;
    for describe in describes(&context).await {
        let object = describe["name"].as_str().unwrap();
        if RESTRICTED.contains(&object) {
            continue;
        }
        let is_queryable = describe["queryable"].as_bool().unwrap();
        let refusal = format!("entity type {object} does not support query");
        let alone = context.query(&format!("SELECT Id FROM {object} LIMIT 1")).await;
        agree(&alone, is_queryable, ("INVALID_TYPE_FOR_OPERATION", &refusal), object);
        for (name, field) in fields(&describe) {
            let flag = |flag: &str| field[flag].as_bool().unwrap();
            let what = format!("{object}.{name}");
            let (condition, refusal) = if field["queryByDistance"] == true {
                (format!("DISTANCE({name}, GEOLOCATION(37.775, -122.418), 'mi') < 20"), String::new())
            } else {
                (format!("{name} = null"), format!("field '{name}' can not be filtered in a query call"))
            };
            let filtered =
                context.query(&query_of(object, &accounts, is_queryable, &format!("WHERE {condition}"))).await;
            agree(&filtered, flag("filterable"), ("INVALID_FIELD", &refusal), &what);
            let sorted = context.query(&query_of(object, &accounts, is_queryable, &format!("ORDER BY {name}"))).await;
            let refusal = format!("field '{name}' can not be sorted in a query call");
            agree(&sorted, flag("sortable"), ("MALFORMED_QUERY", &refusal), &what);
            if !is_queryable {
                continue; // A subquery does not group.
            }
            let grouped = context.query(&format!("SELECT COUNT(Id) FROM {object} GROUP BY {name} LIMIT 1")).await;
            let refusal = format!("field '{name}' can not be grouped in a query call");
            agree(&grouped, flag("groupable"), ("MALFORMED_QUERY", &refusal), &what);
            for function in ["COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"] {
                let number = ["int", "double", "currency", "percent"].contains(&field["type"].as_str().unwrap());
                let allowed = flag("aggregatable") && (number || !matches!(function, "SUM" | "AVG"));
                let reduced = context.query(&format!("SELECT {function}({name}) FROM {object}")).await;
                let refusal = format!("field {name} does not support aggregate operator {function}");
                agree(&reduced, allowed, ("MALFORMED_QUERY", &refusal), &what);
            }
        }
    }
}

#[tokio::test]
async fn a_document_is_deletable_as_described() {
    let context = TestContext::new().await;
    assert_eq!(context.get("sobjects/ContentDocument/describe").await.body["deletable"], true);
    let note = context.post("sobjects/ContentNote", json!({"Title": "n", "Content": "aGVsbG8="})).await;
    let id = note.body["id"].as_str().unwrap();
    assert_eq!(context.delete(&format!("sobjects/ContentDocument/{id}")).await.status, 204);
}

#[tokio::test]
async fn read_only_objects_accept_no_write() {
    let context = TestContext::new().await;
    for describe in describes(&context).await {
        let object = describe["name"].as_str().unwrap();
        if describe["createable"] == false {
            let made = context.post(&format!("sobjects/{object}"), json!({})).await;
            assert_eq!(made.code(), "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "{object}");
            assert!(fields(&describe).all(|(_, field)| field["createable"] == false), "{object}");
        }
        if describe["updateable"] == false {
            assert!(fields(&describe).all(|(_, field)| field["updateable"] == false), "{object}");
        }
        if describe["deletable"] == false {
            let some = context.query(&format!("SELECT Id FROM {object} LIMIT 1")).await;
            let Some(id) = some.body["records"][0]["Id"].as_str().map(str::to_owned) else { continue };
            let deleted = context.delete(&format!("sobjects/{object}/{id}")).await;
            assert_eq!(deleted.code(), "INSUFFICIENT_ACCESS_OR_READONLY", "{object}: {}", deleted.body);
        }
    }
}
