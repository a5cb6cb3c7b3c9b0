//! Reads and writes of records.

use salesforce::search::{SearchText, SearchedFields};
use salesforce::{
    FieldName, LayoutComponent, LayoutItem, LayoutSection, MASTER_RECORD_TYPE, ObjectName, RecordId, SaveOptions, Soql,
    Sosl, soql,
};
use serde_json::json;

use crate::org::{ACCOUNT, ADMIN, ID, KEY, NAME, OPPORTUNITY, Org, REP, fields};

const ALL_OR_NONE: SaveOptions = SaveOptions { all_or_none: true, allow_duplicates: false };

fn accounts(numbers: std::ops::Range<u32>) -> Vec<salesforce::JsonObject> {
    let account =
        |number| fields(json!({"Ferry_External_Id__c": format!("A-{number}"), "Name": format!("Account {number}")}));
    numbers.map(account).collect()
}

#[tokio::test]
async fn a_record_is_retrieved_until_it_is_deleted() {
    let org = Org::start().await;
    let client = org.client(REP);
    let id = org.create(REP, &ACCOUNT, &fields(json!({"Name": "Gull & Sons", "Phone": "+1 555 0100"})));
    let select = [NAME, "Phone".parse().unwrap(), "Owner.Username".parse().unwrap(), "SystemModstamp".parse().unwrap()];
    let rows = client.retrieve(&ACCOUNT, &[id], &select[..2]).await.unwrap();
    let record = rows[0].as_ref().unwrap();
    assert_eq!((record.text("Name"), record.text("Phone")), (Some("Gull & Sons"), Some("+1 555 0100")));

    let page = client.query(&Soql::select(&select).from(&ACCOUNT).where_(soql::eq(&ID, id))).await.unwrap();
    assert_eq!(page.records[0].fields["Owner"]["Username"], REP);
    assert!(page.records[0].system_modstamp().is_some());
    assert!(client.api_usage().unwrap().used >= 2);

    org.delete(&ACCOUNT, &id);
    assert_eq!(client.retrieve(&ACCOUNT, &[id], &[NAME]).await.unwrap(), [None]);
}

#[tokio::test]
async fn an_unknown_field_is_rejected() {
    let org = Org::start().await;
    let query = Soql::select(&["Nope__c".parse().unwrap()]).from(&ACCOUNT);
    let error = org.client(REP).query(&query).await.unwrap_err();
    assert!(error.has_code("INVALID_FIELD"), "{error}");
}

#[tokio::test]
async fn an_upsert_creates_once_and_updates_afterwards() {
    let org = Org::start().await;
    let client = org.client(REP);
    let first = client.upsert(&ACCOUNT, &KEY, &accounts(0..3), SaveOptions::default()).await.unwrap();
    let again = client.upsert(&ACCOUNT, &KEY, &accounts(0..3), SaveOptions::default()).await.unwrap();
    assert!(first.iter().all(|outcome| outcome.success && outcome.created));
    assert!(again.iter().all(|outcome| outcome.success && !outcome.created));
    let ids = |outcomes: &[salesforce::SaveOutcome]| outcomes.iter().map(|outcome| outcome.id).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&again));
    assert_eq!(org.count("Account"), 3);
}

#[tokio::test]
async fn a_rejected_record_is_an_outcome() {
    let org = Org::start().await;
    let client = org.client(REP);
    let without_name = fields(json!({"Ferry_External_Id__c": "A-9"}));
    let records = [accounts(0..1), vec![without_name]].concat();
    let outcomes = client.upsert(&ACCOUNT, &KEY, &records, SaveOptions::default()).await.unwrap();
    assert!(outcomes[0].success && outcomes[0].errors.is_empty());
    assert!(!outcomes[1].success && outcomes[1].id.is_none());
    assert_eq!(outcomes[1].errors[0].code, "REQUIRED_FIELD_MISSING");
    let outcomes =
        client.upsert(&ACCOUNT, &KEY, &[accounts(5..6), records[1..].to_vec()].concat(), ALL_OR_NONE).await.unwrap();
    assert!(outcomes.iter().all(|outcome| !outcome.success));
    assert_eq!(org.count("Account"), 1);
}

#[tokio::test]
async fn a_parent_can_be_given_by_external_id() {
    let org = Org::start().await;
    let client = org.client(REP);
    client.upsert(&ACCOUNT, &KEY, &accounts(1..2), SaveOptions::default()).await.unwrap();
    let opportunity = fields(json!({
        "Ferry_External_Id__c": "O-1", "Name": "Renewal", "StageName": "Prospecting", "CloseDate": "2026-12-31",
        "Account": {"Ferry_External_Id__c": "A-1"},
    }));
    let outcomes = client.upsert(&OPPORTUNITY, &KEY, &[opportunity], SaveOptions::default()).await.unwrap();
    let account = FieldName::from_static("AccountId");
    let rows = client.retrieve(&OPPORTUNITY, &[outcomes[0].id.unwrap()], &[account]).await.unwrap();
    assert!(rows[0].as_ref().unwrap().text("AccountId").unwrap().starts_with("001"));
}

#[tokio::test]
async fn records_are_retrieved_in_the_order_of_their_ids() {
    let org = Org::start().await;
    let client = org.client(REP);
    let outcomes = client.upsert(&ACCOUNT, &KEY, &accounts(0..2), SaveOptions::default()).await.unwrap();
    let [one, two] = [outcomes[0].id.unwrap(), outcomes[1].id.unwrap()];
    let missing: RecordId = format!("{}999999", &one.short()[..9]).parse().unwrap();
    let rows = client.retrieve(&ACCOUNT, &[two, missing, one], &[ID, NAME]).await.unwrap();
    assert_eq!(rows[0].as_ref().unwrap().id, two);
    assert_eq!(rows[1], None);
    assert_eq!(rows[2].as_ref().unwrap().text("Name"), Some("Account 0"));
    assert_eq!(client.retrieve(&ACCOUNT, &[], &[ID]).await.unwrap(), []);
    assert!(client.retrieve(&ACCOUNT, &vec![one; 2_001], &[ID]).await.is_err());
}

#[tokio::test]
async fn all_pages_of_a_query_are_read() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    for start in (0..2_200).step_by(200) {
        client.upsert(&ACCOUNT, &KEY, &accounts(start..start + 200), ALL_OR_NONE).await.unwrap();
    }
    let mut page = client.query(&Soql::select(&[ID, KEY]).from(&ACCOUNT).order_by(&ID)).await.unwrap();
    assert_eq!((page.total_size, page.records.len()), (2_200, 2_000));
    let mut ids: Vec<RecordId> = page.records.iter().map(|record| record.id).collect();
    while let Some(next) = page.next {
        page = client.query_more(&next).await.unwrap();
        ids.extend(page.records.iter().map(|record| record.id));
    }
    let read = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((read, ids.len()), (2_200, 2_200));
    assert_eq!(client.count(&Soql::count().from(&ACCOUNT)).await.unwrap(), 2_200);
}

#[tokio::test]
async fn rows_are_counted_by_group() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    client.upsert(&ACCOUNT, &KEY, &accounts(0..3), ALL_OR_NONE).await.unwrap();
    let name = FieldName::from_static("Name");
    let groups = client.count_groups(&Soql::count_by(std::slice::from_ref(&name)).from(&ACCOUNT)).await.unwrap();
    let rows: u64 = groups.iter().map(|group| group.rows).sum();
    assert_eq!(rows, client.count(&Soql::count().from(&ACCOUNT)).await.unwrap());
    assert!(groups.iter().all(|group| group.values.keys().eq(["Name"]) && group.values["Name"].is_string()));
    let none = Soql::count_by(std::slice::from_ref(&name)).from(&ACCOUNT).where_(soql::eq(&name, "nobody"));
    assert_eq!(client.count_groups(&none).await.unwrap(), []);
}

#[tokio::test]
async fn quotes_in_a_value_are_escaped() {
    let org = Org::start().await;
    let client = org.client(REP);
    let name = r#"Liz D'Cruz \' OR Name != '"#;
    for name in [name, "Other"] {
        org.create(REP, &ACCOUNT, &fields(json!({"Name": name})));
    }
    let page = client.query(&Soql::select(&[NAME]).from(&ACCOUNT).where_(soql::eq(&NAME, name))).await.unwrap();
    assert_eq!(page.records.len(), 1);
    assert_eq!(page.records[0].text("Name"), Some(name));
}

#[tokio::test]
async fn query_all_finds_deleted_records() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let outcomes = client.upsert(&ACCOUNT, &KEY, &accounts(0..2), SaveOptions::default()).await.unwrap();
    org.delete(&ACCOUNT, &outcomes[1].id.unwrap());

    let select = || Soql::select(&[ID, "IsDeleted".parse().unwrap()]).from(&ACCOUNT);
    assert_eq!(client.query(&select()).await.unwrap().records.len(), 1);
    assert_eq!(client.query_all(&select()).await.unwrap().records.len(), 2);
}

#[tokio::test]
async fn describes_return_objects_and_fields() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let objects = client.describe_global().await.unwrap();
    let prefix = objects.iter().find(|object| object.name == OPPORTUNITY).unwrap().key_prefix.clone();
    assert_eq!(prefix.as_deref(), Some("006"));
    let describe = client.describe(&OPPORTUNITY).await.unwrap();
    let stage = describe.fields.iter().find(|field| field.name.as_str() == "StageName").unwrap();
    assert!(!stage.nillable && !stage.picklist_values.is_empty());
    let key = describe.fields.iter().find(|field| field.name == KEY).unwrap();
    assert!(key.external_id && key.unique);
    let missing = ObjectName::from_static("Nope__c");
    assert!(client.describe(&missing).await.unwrap_err().has_code("NOT_FOUND"));
}

#[tokio::test]
async fn stages_depend_on_the_record_type() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let stage = FieldName::from_static("StageName");
    let record_type = ObjectName::from_static("RecordType");
    let renewal = soql::eq(&"DeveloperName".parse().unwrap(), "Renewal");
    let page = client.query(&Soql::select(&[ID]).from(&record_type).where_(renewal)).await.unwrap();
    let all = client.fetch_picklist_values(&OPPORTUNITY, &MASTER_RECORD_TYPE).await.unwrap();
    let some = client.fetch_picklist_values(&OPPORTUNITY, &page.records[0].id).await.unwrap();
    assert_eq!((all[&stage].values.len(), some[&stage].values.len()), (10, 5));
    let won = some[&stage].values.iter().find(|value| value.value == "Closed Won").unwrap();
    assert!(won.stage().unwrap().won);
}

#[tokio::test]
async fn a_layout_has_the_fields_of_the_page_in_order() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let layout = client.fetch_layout(&OPPORTUNITY, &MASTER_RECORD_TYPE).await.unwrap();
    let items: Vec<&LayoutItem> = layout.sections.iter().flat_map(LayoutSection::items).collect();
    let required = items.iter().filter(|item| item.required).flat_map(|item| item.fields());
    assert_eq!(required.map(LayoutComponent::name).collect::<Vec<_>>(), ["Name", "StageName", "CloseDate"]);
    let layout = client.fetch_layout(&ACCOUNT, &MASTER_RECORD_TYPE).await.unwrap();
    let fields = layout.sections.iter().flat_map(LayoutSection::items).flat_map(LayoutItem::fields);
    let address = fields.into_iter().find(|field| field.name() == "BillingAddress").unwrap();
    assert_eq!(address.parts().next(), Some("BillingStreet"));
    let unknown = client.fetch_layout(&ACCOUNT, &"012000000000001".parse().unwrap()).await.unwrap_err();
    assert!(unknown.is_hidden());
}

#[tokio::test]
async fn several_objects_are_described_in_one_call() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let found = client.find_objects(&[ACCOUNT, OPPORTUNITY]).await.unwrap();
    assert_eq!(client.api_calls(), 1);
    let name = |position: usize| found[position].as_ref().unwrap().as_ref().unwrap().summary.name.clone();
    assert_eq!([name(0), name(1)], [ACCOUNT, OPPORTUNITY]);

    let nowhere = ObjectName::from_static("Nowhere__c");
    let found = client.find_objects(&[nowhere, ACCOUNT]).await.unwrap();
    assert!(matches!(found.as_slice(), [Ok(None), Ok(Some(_))]), "{found:?}");
    assert_eq!(client.api_calls(), 3);
}

#[tokio::test]
async fn several_queries_have_their_own_errors() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    org.create(ADMIN, &ACCOUNT, &fields(json!({"Name": "Liz & O'Brien @{query0}"})));
    let name = |name: &str| Soql::select(&[ID, NAME]).from(&ACCOUNT).where_(soql::eq(&NAME, name));
    let hidden = Soql::select(&[FieldName::from_static("Nowhere__c")]).from(&ACCOUNT);
    let before = client.api_calls();
    let pages = client.query_several(&[name("Liz & O'Brien @{query0}"), hidden, name("other")]).await.unwrap();
    assert_eq!(client.api_calls(), before + 1);
    assert_eq!(pages[0].as_ref().unwrap().records.len(), 1);
    assert!(pages[1].as_ref().unwrap_err().has_code("INVALID_FIELD"));
    assert!(pages[2].as_ref().unwrap().records.is_empty());
}

#[tokio::test]
async fn a_search_returns_the_fields_of_what_it_finds() {
    let org = Org::start().await;
    let client = org.client(REP);
    org.create(REP, &ACCOUNT, &fields(json!({"Name": "Gull & Sons (Holding)", "Phone": "(415) 555-0134"})));
    org.create(REP, &ACCOUNT, &fields(json!({"Name": "Gull Holding"})));
    let names = async |text, fields| {
        let found =
            client.search(&Sosl::find(text, fields).returning(Soql::select(&[NAME]).from(&ACCOUNT))).await.unwrap();
        found.iter().map(|record| record.text("Name").unwrap().to_owned()).collect::<Vec<_>>()
    };
    let text = SearchText::words("gull & (hold").unwrap();
    assert_eq!(names(text, SearchedFields::All).await, ["Gull & Sons (Holding)", "Gull Holding"]);
    let phone = SearchText::any_phrase(["4155550134", "415 555 0134"]).unwrap();
    assert_eq!(names(phone, SearchedFields::Phone).await, ["Gull & Sons (Holding)"]);
    let hidden = Soql::select(&[NAME]).from(&ObjectName::from_static("Nope__c"));
    let text = SearchText::words("gull").unwrap();
    let error = client.search(&Sosl::find(text, SearchedFields::All).returning(hidden)).await.unwrap_err();
    assert!(error.is_hidden(), "{error}");
}

#[tokio::test]
async fn a_record_and_rows_are_read_in_one_call() {
    let org = Org::start().await;
    let client = org.client(ADMIN);
    let id = org.create(ADMIN, &ACCOUNT, &fields(json!({"Name": "Acme", "Industry": "Energy"})));
    let rows = Soql::select(&[ID]).from(&ACCOUNT).where_(soql::eq(&ID, id));
    let before = client.api_calls();
    let (record, pages) = client.record_and_rows((&ACCOUNT, id), &[], std::slice::from_ref(&rows)).await.unwrap();
    assert_eq!(client.api_calls(), before + 1);
    assert_eq!(record.unwrap().text("Industry"), Some("Energy"));
    assert_eq!(pages[0].as_ref().unwrap().records[0].id, id);

    let (record, _) = client.record_and_rows((&ACCOUNT, id), &[NAME], &[]).await.unwrap();
    assert_eq!(record.unwrap().text("Industry"), None);
    let missing = "001000000000009".parse().unwrap();
    let (record, pages) = client.record_and_rows((&ACCOUNT, missing), &[], std::slice::from_ref(&rows)).await.unwrap();
    assert!(record.unwrap_err().is_not_found() && pages[0].is_ok());
    assert!(client.record_and_rows((&ACCOUNT, id), &[], &vec![rows; 6]).await.is_err());
}
