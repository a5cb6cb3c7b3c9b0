//! Describe and engine agree: what describe says of a field is what queries and writes accept.

use serde_json::{Value, json};

use crate::support::{ApiResponse, TestContext};

/// Objects whose queries need conditions of their own, so that a refusal says nothing of the field.
const RESTRICTED: [&str; 1] = ["ContentDocumentLink"];

async fn describes(context: &TestContext) -> Vec<Value> {
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

fn fields(describe: &Value) -> impl Iterator<Item = (&str, &Value)> {
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

async fn with_custom_fields() -> TestContext {
    let context = TestContext::new().await;
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

/// Returns a value that fits a field; none for a reference without a fitting record.
async fn sample(context: &TestContext, field: &Value) -> Option<Value> {
    if let Some(value) = field["picklistValues"].as_array().and_then(|values| values.first()) {
        return Some(value["value"].clone());
    }
    Some(match field["type"].as_str().unwrap() {
        "boolean" => json!(false),
        "int" | "double" | "currency" | "percent" => json!(1),
        "date" => json!("2026-11-22"),
        "datetime" => json!("2026-11-22T10:00:00Z"),
        "email" => json!("someone@larkspur.example"),
        "base64" => json!("YQ=="),
        "address" | "location" => json!("x"),
        "id" => json!("001000000000001AAA"),
        // The one record types that there are belong to opportunities.
        "reference" if field["name"] == "RecordTypeId" => return None,
        "reference" => {
            let mut found = None;
            for target in field["referenceTo"].as_array().unwrap() {
                let some = context.query(&format!("SELECT Id FROM {} LIMIT 1", target.as_str().unwrap())).await;
                found = found.or(some.body["records"][0]["Id"].as_str().map(|id| json!(id)));
            }
            return found;
        }
        _ => json!("x"),
    })
}

#[tokio::test]
async fn writes_accept_what_describe_says() {
    let context = with_custom_fields().await;
    for object in
        ["Account", "Contact", "Lead", "Opportunity", "Case", "Task", "Campaign", "Pricebook2", "Product2", "Walk__c"]
    {
        let describe = context.get(&format!("sobjects/{object}/describe")).await.body;
        let mut whole = serde_json::Map::new();
        for (name, field) in fields(&describe) {
            let required =
                field["createable"] == true && field["nillable"] == false && field["defaultedOnCreate"] == false;
            if required {
                whole.insert(name.to_owned(), sample(&context, field).await.unwrap());
            }
        }
        let id =
            context.post(&format!("sobjects/{object}"), json!(whole)).await.body["id"].as_str().unwrap().to_owned();
        // The id of an update is in its path; a body with an id is refused before the fields are looked at.
        for (name, field) in fields(&describe).filter(|(name, _)| *name != "Id") {
            let what = format!("{object}.{name}");
            if whole.contains_key(name) {
                let mut body = whole.clone();
                body.remove(name);
                let made = context.post(&format!("sobjects/{object}"), json!(body)).await;
                assert_eq!(
                    (made.code(), &made.body[0]["fields"]),
                    ("REQUIRED_FIELD_MISSING", &json!([name])),
                    "{what}"
                );
            }
            let Some(value) = sample(&context, field).await else { continue };
            let mut body = whole.clone();
            body.insert(name.to_owned(), value.clone());
            let made = context.post(&format!("sobjects/{object}"), json!(body)).await;
            let other = if field["unique"] == true { json!("y") } else { value };
            let changed = context.patch(&format!("sobjects/{object}/{id}"), json!({name: other})).await;
            for (response, flag, done) in [(&made, "createable", 201), (&changed, "updateable", 204)] {
                if field[flag] == true {
                    assert_eq!(response.status, done, "{what} {flag}: {}", response.body);
                } else {
                    assert_eq!(response.code(), "INVALID_FIELD_FOR_INSERT_UPDATE", "{what} {flag}: {}", response.body);
                    assert_eq!(response.body[0]["fields"], json!([name]), "{what} {flag}");
                }
            }
            if field["updateable"] == true && field["nillable"] == false && field["type"] != "boolean" {
                let emptied = context.patch(&format!("sobjects/{object}/{id}"), json!({name: null})).await;
                assert_eq!(emptied.code(), "REQUIRED_FIELD_MISSING", "{what}: {}", emptied.body);
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
