use runtime::Schemas;
use serde_json::json;

use super::*;

const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");

fn schema() -> Schema {
    schema_with(&[])
}

/// Returns the schema of opportunities with more fields, each with its type.
fn schema_with(more: &[(&str, &str)]) -> Schema {
    let field = |name: &str, kind: &str| {
        json!({"name": name, "label": name, "type": kind, "nillable": true, "createable": true, "updateable": true,
               "filterable": true, "sortable": true, "calculated": name == "Formula__c"})
    };
    let mut describe: ObjectDescribe = serde_json::from_value(json!({
        "name": "Opportunity", "label": "Opportunity", "keyPrefix": "006", "custom": false, "queryable": true,
        "createable": true, "updateable": true, "replicateable": true,
        "fields": [
            field("Id", "id"), field("Name", "string"), field("AccountId", "reference"), field("StageName", "picklist"),
            field("IsClosed", "boolean"), field("CloseDate", "date"), field("SystemModstamp", "datetime"),
            field("Formula__c", "currency"),
        ],
    }))
    .unwrap();
    let more = more.iter().map(|(name, kind)| serde_json::from_value(field(name, kind)).unwrap());
    describe.fields.extend(more);
    let mut schema = Schema::default();
    let connection = ("00D000000000001".parse().unwrap(), &store::ConnectionId::team());
    Schemas::default().insert(connection, [(OPPORTUNITY, Some(describe))], jiff::Timestamp::UNIX_EPOCH, &mut schema);
    schema
}

fn query(request: &ListRequest, after: Option<&LastRow>) -> Result<Soql, Error> {
    soql(Seen { schema: &schema(), object: &OPPORTUNITY }, request, after)
}

fn request(query: &[(&str, &str)]) -> ListRequest {
    ListRequest::parse(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()).unwrap()
}

fn rendered(query: &[(&str, &str)], after: Option<&LastRow>) -> String {
    let soql = super::tests::query(&request(query), after).unwrap().to_string();
    soql.split_once(" FROM Opportunity ").unwrap().1.to_owned()
}

fn last(value: Value) -> LastRow {
    LastRow { id: "006D000000C7xAh".parse().unwrap(), value }
}

#[test]
fn a_query_has_the_conditions_in_salesforce_s_spelling() {
    insta::assert_snapshot!(
        rendered(&[("account", "001D000000IRFma"), ("stage", "Won's"), ("open", "false"), ("limit", "10")], Some(&last(Value::Null))),
        @r"WHERE (((AccountId = '001D000000IRFmaIAH' AND StageName = 'Won\'s') AND IsClosed = TRUE) AND Id > '006D000000C7xAhIAJ') ORDER BY Id LIMIT 11"
    );
    insta::assert_snapshot!(
        rendered(&[("field.name", "Big"), ("modified_since", "2026-11-22T10:00:00Z"), ("sort", "-modified")], None),
        @"WHERE (Name = 'Big' AND SystemModstamp >= 2026-11-22T10:00:00.000Z) ORDER BY SystemModstamp DESC NULLS LAST, Id LIMIT 51"
    );
}

#[test]
fn a_page_continues_after_the_sort_key_and_the_id() {
    let sorted = |sort: &str, value: Value| rendered(&[("sort", sort)], Some(&last(value)));
    insta::assert_snapshot!(sorted("closedate", json!("2026-12-31")), @"WHERE (CloseDate > 2026-12-31 OR (CloseDate = 2026-12-31 AND Id > '006D000000C7xAhIAJ')) ORDER BY CloseDate, Id LIMIT 51");
    insta::assert_snapshot!(sorted("CloseDate", json!(null)), @"WHERE ((CloseDate = NULL AND Id > '006D000000C7xAhIAJ') OR CloseDate != NULL) ORDER BY CloseDate, Id LIMIT 51");
    insta::assert_snapshot!(sorted("-CloseDate", json!("2026-12-31")), @"WHERE ((CloseDate < 2026-12-31 OR (CloseDate = 2026-12-31 AND Id > '006D000000C7xAhIAJ')) OR CloseDate = NULL) ORDER BY CloseDate DESC NULLS LAST, Id LIMIT 51");
    insta::assert_snapshot!(sorted("-CloseDate", json!(null)), @"WHERE (CloseDate = NULL AND Id > '006D000000C7xAhIAJ') ORDER BY CloseDate DESC NULLS LAST, Id LIMIT 51");
    insta::assert_snapshot!(sorted("-id", json!(null)), @"WHERE Id < '006D000000C7xAhIAJ' ORDER BY Id DESC NULLS LAST LIMIT 51");
}

#[test]
fn selected_fields_are_read_with_those_that_the_page_needs() {
    let soql = query(&request(&[("fields", "name,Name"), ("sort", "CloseDate")]), None).unwrap().to_string();
    assert!(soql.starts_with("SELECT Id, SystemModstamp, Name, CloseDate FROM Opportunity ORDER BY"), "{soql}");
}

#[test]
fn a_field_that_cannot_be_used_is_named() {
    let refused = |query: &[(&str, &str)]| super::tests::query(&request(query), None).unwrap_err();
    for query in [("field.Gone__c", "x"), ("sort", "Gone__c"), ("fields", "Gone__c"), ("owner", "005D0000001aaaa")] {
        let error = refused(&[query]);
        assert!(matches!(error, Error::FieldHidden { .. }), "{query:?}: {error}");
    }
    for name in ["StageName", "Formula__c", "IsClosed"] {
        let error = refused(&[("sort", name)]);
        assert!(error.to_string().contains(&format!("cannot be sorted by {name}")), "{error}");
    }
}

fn page(rows: usize, done: bool) -> Page {
    let row = |n| Record {
        object: OPPORTUNITY,
        id: format!("006000000000{n:03}").parse().unwrap(),
        fields: json!({"Name": format!("Deal {n}")}).as_object().unwrap().clone(),
    };
    Page { records: (0..rows).map(row).collect(), total_size: 9, done, next: None }
}

#[test]
fn a_row_more_than_the_page_means_another_page() {
    let list = page_of(page(3, true), 2, Some(&FieldName::from_static("Name")), None);
    assert_eq!(list.rows.len(), 2);
    assert_eq!(list.next, Some(LastRow { id: list.rows[1].id, value: json!("Deal 1") }));
    assert_eq!(page_of(page(2, true), 2, None, None).next, None);
    assert_eq!(page_of(page(0, true), 2, None, None).next, None);
}

#[test]
fn a_page_that_salesforce_ends_early_is_continued() {
    let list = page_of(page(2, false), 5, None, None);
    assert_eq!(
        (list.rows.len(), list.next),
        (2, Some(LastRow { id: "006000000000001".parse().unwrap(), value: Value::Null }))
    );
    let before = last(json!("x"));
    assert_eq!(page_of(page(0, false), 5, None, Some(before.clone())).next, Some(before));
}

#[test]
fn a_page_of_large_rows_ends_before_the_response_is_too_large() {
    let mut large = page(9, true);
    for row in &mut large.records {
        row.fields.insert("Description".to_owned(), json!("x".repeat(1_500_000)));
    }
    let list = page_of(large, 8, None, None);
    assert_eq!(list.rows.len(), 2);
    assert_eq!(list.next.unwrap().id, list.rows[1].id);
}

#[test]
fn amounts_in_several_currencies_are_not_sorted() {
    let sorted = |more: &[(&str, &str)]| {
        let schema = schema_with(more);
        soql(Seen { schema: &schema, object: &OPPORTUNITY }, &request(&[("sort", "Amount")]), None)
    };
    assert!(sorted(&[("Amount", "currency")]).is_ok());
    let problem = sorted(&[("Amount", "currency"), ("CurrencyIsoCode", "picklist")]).unwrap_err().to_string();
    assert!(problem.contains("several currencies"), "{problem}");
}
