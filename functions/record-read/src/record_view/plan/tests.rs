use salesforce::{ObjectDescribe, Page, Record};
use serde_json::json;

use super::*;
use crate::record_view::kind::{ACCOUNT_VIEW, CONTACT_VIEW, LEAD_VIEW, OPPORTUNITY_VIEW};
use crate::record_view::request::ViewQuery;

const ID: &str = "001000000000001AAA";

/// Describes an object with these fields. Those that end with `Id` are references, and long texts cannot be sorted by.
fn describe(object: &str, fields: &[&str]) -> ObjectDescribe {
    let field = |name: &str| {
        let relationship = name.strip_suffix("Id").filter(|relationship| !relationship.is_empty());
        json!({"name": name, "label": name, "type": if relationship.is_some() { "reference" } else { "string" },
            "nillable": true, "createable": true, "updateable": true, "filterable": true, "sortable": true,
            "relationshipName": relationship})
    };
    let fields: Vec<_> = ["Id"].iter().chain(fields).map(|name| field(name)).collect();
    serde_json::from_value(json!({
        "name": object, "label": object, "keyPrefix": "001", "custom": false, "queryable": true, "createable": true,
        "updateable": true, "replicateable": true, "fields": fields,
    }))
    .unwrap()
}

/// The objects and fields of a small org.
fn describes() -> Vec<ObjectDescribe> {
    vec![
        describe("Account", &["Name", "OwnerId", "ParentId", "Phone"]),
        describe("Contact", &["Name", "Email", "OwnerId", "AccountId"]),
        describe("Lead", &["Name", "OwnerId", "IsConverted", "ConvertedAccountId"]),
        describe("Opportunity", &["Name", "StageName", "IsClosed", "IsWon", "CloseDate", "OwnerId", "AccountId"]),
        describe("OpportunityContactRole", &["OpportunityId", "ContactId", "Role", "IsPrimary"]),
        describe("AccountContactRelation", &["AccountId", "ContactId", "Roles"]),
        describe("Task", &["Subject", "ActivityDate", "WhoId", "WhatId", "AccountId", "OwnerId"]),
        describe("Event", &["Subject", "StartDateTime", "WhoId", "WhatId", "AccountId"]),
        describe("EmailMessage", &["Subject", "MessageDate", "RelatedToId", "ActivityId"]),
        describe("EmailMessageRelation", &["EmailMessageId", "RelationId"]),
        describe("ContentDocumentLink", &["ContentDocumentId", "LinkedEntityId"]),
        describe("ContentNote", &["Title", "LastModifiedDate"]),
        describe("LeadHistory", &["LeadId", "Field", "CreatedDate"]),
        describe("OpportunityHistory", &["OpportunityId", "StageName", "CreatedDate"]),
        describe("OpportunityLineItem", &["OpportunityId", "TotalPrice"]),
    ]
}

fn schema(hidden: &[&str]) -> Schema {
    Schema::of(describes().into_iter().filter(|describe| !hidden.contains(&describe.summary.name.as_str())))
}

fn request(kind: &Kind, query: serde_json::Value) -> ViewRequest {
    ViewRequest::new(kind, serde_json::from_value::<ViewQuery>(query).unwrap()).unwrap()
}

fn plan(kind: &Kind, hidden: &[&str], query: serde_json::Value) -> Plan {
    Plan::new(&schema(hidden), kind, ID.parse().unwrap(), &request(kind, query), |_| false)
}

fn queries(kind: &Kind, query: serde_json::Value) -> String {
    plan(kind, &[], query).queries.iter().map(|query| format!("{query}\n")).collect()
}

#[test]
fn a_view_needs_at_most_five_queries() {
    for kind in [&ACCOUNT_VIEW, &CONTACT_VIEW, &LEAD_VIEW, &OPPORTUNITY_VIEW] {
        assert_eq!(plan(kind, &[], json!({})).queries.len(), 5, "{:?}", kind.object);
        assert!(objects(kind, &request(kind, json!({}))).len() <= 25);
    }
}

#[test]
fn the_queries_of_an_account() {
    insta::assert_snapshot!(queries(&ACCOUNT_VIEW, json!({"limit": 5})));
}

#[test]
fn the_queries_of_a_contact() {
    insta::assert_snapshot!(queries(&CONTACT_VIEW, json!({"limit": 5})));
}

#[test]
fn the_queries_of_a_lead() {
    insta::assert_snapshot!(queries(&LEAD_VIEW, json!({"limit": 5})));
}

#[test]
fn the_queries_of_an_opportunity() {
    insta::assert_snapshot!(queries(&OPPORTUNITY_VIEW, json!({"limit": 5})));
}

#[test]
fn the_next_page_of_interactions_has_a_condition_more() {
    let cursor = super::super::interactions::Position::of(
        &super::super::kind::EMAIL,
        Some("2026-11-22T09:00:00.000+0000"),
        "02s000000000001".parse().unwrap(),
    );
    let query = json!({"limit": 5, "expand": "interactions", "interactions_after": cursor.to_string()});
    insta::assert_snapshot!(queries(&CONTACT_VIEW, query));
}

#[test]
fn rows_of_a_hidden_object_are_not_queried() {
    let plan = plan(&ACCOUNT_VIEW, &["Contact", "EmailMessage", "ContentNote"], json!({}));
    assert_eq!(plan.queries.len(), 4);
    let hidden = plan.rows(&Pages::new()).into_iter().filter(|list| list.rows == Err(Unavailable::Hidden));
    let hidden: Vec<_> = hidden.map(|list| list.list.object.as_str().to_owned()).collect();
    assert_eq!(hidden, ["Contact", "EmailMessage", "ContentDocumentLink"]);
    // With one list left, its rows are queried without the record.
    assert!(plan.queries[1].to_string().contains("FROM Opportunity WHERE (AccountId"), "{}", plan.queries[1]);
}

#[test]
fn rows_of_an_object_that_was_not_described_are_not_answered() {
    for object in ["ContentDocumentLink", "ContentNote"] {
        let mut schema = schema(&[object]);
        schema.add_unanswered(object.parse().unwrap());
        let request = request(&ACCOUNT_VIEW, json!({"expand": "notes"}));
        let plan = Plan::new(&schema, &ACCOUNT_VIEW, ID.parse().unwrap(), &request, |_| false);
        assert_eq!(plan.queries.len(), 1);
        let rows: Vec<_> = plan.rows(&Pages::new()).into_iter().map(|list| list.rows).collect();
        assert_eq!(rows, [Err(Unavailable::NotAnswered)], "{object}");
    }
}

#[test]
fn rows_are_not_filtered_by_a_hidden_field() {
    for field in ["IsClosed", "IsWon"] {
        let mut describes = describes();
        for describe in &mut describes {
            describe.fields.retain(|visible| visible.name.as_str() != field);
        }
        let request = request(&ACCOUNT_VIEW, json!({"expand": "contacts,opportunities"}));
        let plan = Plan::new(&Schema::of(describes), &ACCOUNT_VIEW, ID.parse().unwrap(), &request, |_| false);
        assert!(!plan.queries.iter().any(|query| query.to_string().contains(field)), "{:?}", plan.queries);
        let hidden = plan.rows(&Pages::new()).into_iter().filter(|list| list.rows == Err(Unavailable::Hidden));
        assert_eq!(hidden.map(|list| list.list.object.as_str()).collect::<Vec<_>>(), ["Opportunity"]);
    }
}

#[test]
fn a_mirrored_list_is_not_queried() {
    let request = request(&ACCOUNT_VIEW, json!({}));
    let is_mirrored = |list: &List| list.index.is_some();
    let plan = Plan::new(&schema(&[]), &ACCOUNT_VIEW, ID.parse().unwrap(), &request, is_mirrored);
    let all: String = plan.queries.iter().map(ToString::to_string).collect();
    assert!(!all.contains("FROM Contact") && !all.contains("FROM Opportunit"), "{all}");
    assert!(all.contains("FROM EmailMessage WHERE RelatedToId"), "{all}");
}

fn refused(code: &str) -> salesforce::Error {
    let problems = vec![salesforce::Problem { code: code.to_owned(), fields: Vec::new() }];
    salesforce::Error::Rejected { operation: "query records", status: 400, problems }
}

#[test]
fn a_failed_query_makes_only_its_parts_unavailable() {
    let plan = plan(&ACCOUNT_VIEW, &[], json!({}));
    let page = |fields: serde_json::Value| {
        let fields = fields.as_object().unwrap().clone();
        let record = Record { object: "Account".parse().unwrap(), id: ID.parse().unwrap(), fields };
        Ok(Page { records: vec![record], total_size: 1, done: true, next: None })
    };
    let contacts = json!({"Id": ID, "Contacts": {"records": [{"Id": "003000000000001"}]}, "Opportunities": null});
    let pages =
        vec![page(json!({"Id": ID})), page(contacts), Err(refused("QUERY_TIMEOUT")), Err(refused("APEX_ERROR"))];

    let rows = plan.rows(&pages);

    let of = |object: &str| &rows.iter().find(|list| list.list.object.as_str() == object).unwrap().rows;
    assert_eq!(of("Contact").as_ref().map(Vec::len), Ok(1));
    assert_eq!(of("Opportunity").as_ref().map(Vec::len), Ok(0));
    assert_eq!(of("Task"), &Err(Unavailable::TimedOut));
    assert_eq!(of("Event"), &Err(Unavailable::Refused("APEX_ERROR".to_owned())));
    assert_eq!(of("ContentDocumentLink"), &Err(Unavailable::NotAnswered));
}

#[test]
fn rows_on_a_further_page_are_known_to_be_missing() {
    let plan = plan(&ACCOUNT_VIEW, &[], json!({}));
    let page = |fields: serde_json::Value, done| {
        let fields = fields.as_object().unwrap().clone();
        let record = Record { object: "Account".parse().unwrap(), id: ID.parse().unwrap(), fields };
        Ok(Page { records: vec![record], total_size: 2, done, next: None })
    };
    let children = |done: bool| json!({"done": done, "records": [{"Id": "003000000000001"}]});
    let subqueries = json!({"Contacts": children(false), "Opportunities": children(true)});
    let pages = |done| {
        let mut pages = vec![page(json!({}), true), page(subqueries.clone(), true)];
        pages.extend([page(json!({}), true), page(json!({}), true), page(json!({}), done)]);
        pages
    };

    let more = |object: &str, done| {
        let rows = plan.rows(&pages(done));
        rows.iter().find(|list| list.list.object.as_str() == object).unwrap().more
    };

    assert!(more("Contact", true) && !more("Opportunity", true));
    assert!(more("ContentDocumentLink", false) && !more("ContentDocumentLink", true));
}

#[test]
fn an_error_of_a_query_has_a_reason() {
    for (code, reason) in [
        ("QUERY_TIMEOUT", "timed_out"),
        ("INVALID_FIELD", "hidden"),
        ("INVALID_TYPE", "hidden"),
        ("APEX_ERROR", "refused"),
    ] {
        assert_eq!(Unavailable::from(&refused(code)).reason(), reason);
    }
    let unavailable = salesforce::Error::DailyLimit { operation: "query records" };
    assert_eq!(Unavailable::from(&unavailable).reason(), "not_answered");
}
