//! Graphs, and records that are saved each by itself.

use org_simulator::{DuplicateAction, DuplicateRule, Effect};
use salesforce::graph::{Node, Save, reference_to};
use salesforce::{Error, ObjectName, SaveOptions};
use serde_json::{Value, json};

use crate::org::{ACCOUNT, KEY, Org, REP, fields};

const CONTACT: ObjectName = ObjectName::from_static("Contact");

fn node(name: &str, object: &ObjectName, save: Save, set: Value) -> Node {
    Node { reference_id: name.to_owned(), object: object.clone(), save, fields: fields(set) }
}

fn account_and_contact(last_name: Value) -> [Node; 2] {
    let account = Save::Upsert(KEY, json!("A/1"));
    [
        node("account", &ACCOUNT, account, json!({"Name": "Gull"})),
        node("contact", &CONTACT, Save::Create, json!({"LastName": last_name, "AccountId": reference_to("account")})),
    ]
}

fn same_name(action: DuplicateAction) -> DuplicateRule {
    DuplicateRule {
        name: "Same_Name".to_owned(),
        object: "Account".to_owned(),
        fields: vec!["Name".to_owned()],
        on_create: action,
        on_edit: DuplicateAction::Allow,
        ..DuplicateRule::default()
    }
}

#[tokio::test]
async fn a_graph_saves_parent_and_child_in_one_call() {
    let org = Org::start().await;
    let client = org.client(REP);

    let first = client.save_graph(&account_and_contact(json!("x")), false).await.unwrap();
    let calls = client.api_calls();
    let again = client.save_graph(&account_and_contact(json!("x")), false).await.unwrap();

    assert_eq!(calls, 1);
    let created = |outcomes: &[salesforce::SaveOutcome]| outcomes.iter().map(|o| o.created).collect::<Vec<_>>();
    assert_eq!((created(&first), created(&again)), (vec![true, true], vec![false, true]));
    let contact = org.0.record("Contact", first[1].id.unwrap().as_str()).unwrap();
    assert_eq!(contact["AccountId"], json!(first[0].id));
    let account = org.0.record("Account", first[0].id.unwrap().as_str()).unwrap();
    assert_eq!(account["Ferry_External_Id__c"], "A/1");
    let update = node("a", &ACCOUNT, Save::Update(first[0].id.unwrap()), json!({"Name": "Tern"}));
    let updated = client.save_graph(&[update], false).await.unwrap();
    assert_eq!((updated[0].success, updated[0].created, updated[0].id), (true, false, first[0].id));
}

#[tokio::test]
async fn a_refused_node_rolls_the_graph_back() {
    let org = Org::start().await;

    let outcomes = org.client(REP).save_graph(&account_and_contact(Value::Null), false).await.unwrap();

    assert!(outcomes[0].errors[0].is_rollback() && outcomes[0].id.is_none());
    assert_eq!(
        (outcomes[1].errors[0].code.as_str(), &outcomes[1].errors[0].fields[..]),
        ("REQUIRED_FIELD_MISSING", &["LastName".to_owned()][..])
    );
    assert_eq!((org.count("Account"), org.count("Contact")), (0, 0));
}

#[tokio::test]
async fn a_graph_without_a_response_is_sent_once() {
    let org = Org::start().await;
    let client = org.client(REP);
    org.fault("composite/graph", 1, Effect::ResetAfter);

    let error = client.save_graph(&account_and_contact(json!("x")), false).await.unwrap_err();

    assert!(matches!(error, Error::NoResponse { .. }), "{error:?}");
    assert_eq!((client.api_calls(), client.has_lost_write(), org.count("Contact")), (1, true, 1));
}

#[tokio::test]
async fn only_a_single_save_names_the_duplicates() {
    let org = Org::start().await;
    let client = org.client(REP);
    let existing = org.create(REP, &ACCOUNT, &fields(json!({"Name": "Gull"})));
    org.0.set_duplicate_rule(&same_name(DuplicateAction::Alert)).unwrap();
    let upsert = |name: &str| {
        node(name, &ACCOUNT, Save::Upsert(KEY, json!(name)), json!({"Name": if name == "c" { "Tern" } else { "Gull" }}))
    };

    let record = fields(json!({"Ferry_External_Id__c": "a", "Name": "Gull"}));
    let collection = client.upsert(&ACCOUNT, &KEY, &[record], SaveOptions::default()).await.unwrap();
    let graph = client.save_graph(&[upsert("c"), upsert("a")], false).await.unwrap();
    let each = client.save_each(&[upsert("a"), upsert("c")], false).await.unwrap();

    let error = &collection[0].errors[0];
    assert_eq!((error.code.as_str(), &error.duplicates), ("DUPLICATES_DETECTED", &None));
    assert!(graph[0].errors[0].is_rollback());
    for error in [&graph[1].errors[0], &each[0].errors[0]] {
        let found = error.duplicates.as_ref().unwrap();
        assert_eq!((found.rule.as_deref(), found.allow_save), (Some("Same_Name"), Some(true)));
        assert_eq!((found.matches[0].id, found.matches[0].object.as_ref()), (existing, Some(&ACCOUNT)));
    }
    assert!(each[1].success && each[1].created, "each is saved by itself");
}

#[tokio::test]
async fn allowing_duplicates_passes_an_alert_and_no_block() {
    let org = Org::start().await;
    let client = org.client(REP);
    org.create(REP, &ACCOUNT, &fields(json!({"Name": "Gull"})));
    let options = SaveOptions { allow_duplicates: true, ..SaveOptions::default() };
    let record = |key: &str| fields(json!({"Ferry_External_Id__c": key, "Name": "Gull"}));
    let nodes = |key: &str| [node("n", &ACCOUNT, Save::Upsert(KEY, json!(key)), json!({"Name": "Gull"}))];

    org.0.set_duplicate_rule(&same_name(DuplicateAction::Alert)).unwrap();
    assert!(client.upsert(&ACCOUNT, &KEY, &[record("a")], options).await.unwrap()[0].success);
    assert!(client.save_graph(&nodes("b"), true).await.unwrap()[0].success);
    assert!(client.save_each(&nodes("c"), true).await.unwrap()[0].success);
    org.0.set_duplicate_rule(&same_name(DuplicateAction::Block)).unwrap();
    assert!(!client.upsert(&ACCOUNT, &KEY, &[record("d")], options).await.unwrap()[0].success);
    let blocked = client.save_graph(&nodes("e"), true).await.unwrap();
    assert_eq!(blocked[0].errors[0].duplicates.as_ref().unwrap().allow_save, Some(false));
}
