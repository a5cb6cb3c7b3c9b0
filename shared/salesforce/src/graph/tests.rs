use super::*;

const KEY: FieldName = FieldName::from_static("Ferry_External_Id__c");

fn node(name: &str, object: &str, save: Save, fields: Value) -> Node {
    Node {
        reference_id: name.to_owned(),
        object: object.parse().unwrap(),
        save,
        fields: fields.as_object().unwrap().clone(),
    }
}

fn chain(length: usize) -> Vec<Node> {
    let parent = |n: usize| {
        if n == 0 { json!({}) } else { json!({"ParentId": reference_to(&format!("n{}", n - 1))}) }
    };
    (0..length).map(|n| node(&format!("n{n}"), "Account", Save::Create, parent(n))).collect()
}

#[test]
fn a_graph_has_at_most_500_nodes_15_levels_and_15_objects() {
    assert!(check(&chain(MAX_DEPTH), MAX_NODES).is_ok());
    assert!(check(&chain(MAX_DEPTH + 1), MAX_NODES).is_err());
    let flat = |count: usize| -> Vec<Node> {
        (0..count).map(|n| node(&format!("n{n}"), "Account", Save::Create, json!({}))).collect()
    };
    assert!(check(&flat(MAX_NODES), MAX_NODES).is_ok());
    assert!(check(&flat(MAX_NODES + 1), MAX_NODES).is_err());
    assert!(check(&[], MAX_NODES).is_err());
    let objects = |count: usize| -> Vec<Node> {
        (0..count).map(|n| node(&format!("n{n}"), &format!("Object{n}__c"), Save::Create, json!({}))).collect()
    };
    assert!(check(&objects(MAX_OBJECTS), MAX_NODES).is_ok());
    assert!(check(&objects(MAX_OBJECTS + 1), MAX_NODES).is_err());
}

#[test]
fn a_reference_names_an_earlier_node() {
    let mut nodes = chain(2);
    nodes.reverse();
    assert!(check(&nodes, MAX_NODES).is_err());
    assert!(check(&[chain(1), chain(1)].concat(), MAX_NODES).is_err(), "a name twice");
    assert!(check(&[node("1", "Account", Save::Create, json!({}))], MAX_NODES).is_err(), "a malformed name");
    assert!(has_reference("see @{n0.id}") && !has_reference("a@b.example {x}"));
}

#[test]
fn an_external_id_is_one_segment_of_the_path() {
    let segment = |value: Value| path_segment(&value).ok();
    assert_eq!(segment(json!("A-1")).as_deref(), Some("A-1"));
    assert_eq!(segment(json!("a/b c+d.json")).as_deref(), Some("a%2Fb%20c%2Bd%2Ejson"));
    assert_eq!(segment(json!("@{n0.id}")).as_deref(), Some("%40%7Bn0%2Eid%7D"));
    assert_eq!(segment(json!("é")).as_deref(), Some("%C3%A9"));
    assert_eq!(segment(json!(7)).as_deref(), Some("7"));
    for refused in [json!("."), json!(".."), json!(""), json!("a\nb"), json!(null), json!({})] {
        assert_eq!(segment(refused.clone()), None, "{refused}");
    }
}

#[test]
fn a_node_is_a_single_save_with_its_headers() {
    let lead = node("n1", "Lead", Save::Upsert(KEY, json!("L 1")), json!({"LastName": "x"}));
    let expected = json!({
        "method": "PATCH", "url": "/v/sobjects/Lead/Ferry_External_Id__c/L%201", "referenceId": "n1",
        "body": {"LastName": "x"},
        "httpHeaders": {"Sforce-Auto-Assign": "FALSE", "Sforce-Duplicate-Rule-Header": "allowSave=true"},
    });
    assert_eq!(lead.json("/v/", true).unwrap(), expected);
    let contact = node("n2", "Contact", Save::Create, json!({"LastName": "x"}));
    let json = contact.json("/v/", false).unwrap();
    assert_eq!((&json["url"], json.get("httpHeaders")), (&json!("/v/sobjects/Contact"), None));
}

fn part(name: &str, status: u16, body: Value) -> CompositeResponse {
    CompositeResponse { reference_id: name.to_owned(), status, body }
}

#[test]
fn outcomes_are_found_by_their_names() {
    let id: RecordId = "001D000000IRFmaIAH".parse().unwrap();
    let nodes = [
        node("n0", "Account", Save::Upsert(KEY, json!("A")), json!({})),
        node("n1", "Account", Save::Update(id), json!({})),
        node("n2", "Account", Save::Create, json!({})),
    ];
    let body = |created: Option<bool>| match created {
        Some(created) => json!({"id": id, "success": true, "errors": [], "created": created}),
        None => json!({"id": id, "success": true, "errors": []}),
    };
    let responses = [part("n2", 201, body(None)), part("n0", 200, body(Some(false))), part("n1", 204, Value::Null)];
    let outcomes = outcomes("test", &nodes, &responses, false).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.success && outcome.id == Some(id)));
    assert_eq!(outcomes.iter().map(|outcome| outcome.created).collect::<Vec<_>>(), [false, false, true]);
    assert!(super::outcomes("test", &nodes, &responses[..2], false).is_err(), "one response is missing");
}

#[test]
fn of_a_refused_graph_one_record_says_why() {
    let nodes = chain(2);
    let refusal = json!([{"errorCode": "REQUIRED_FIELD_MISSING", "message": "no", "fields": ["Name"]}]);
    let responses = [part("n0", 201, json!({"id": "001D000000IRFmaIAH"})), part("n1", 400, refusal)];
    let outcomes = outcomes("test", &nodes, &responses, true).unwrap();
    assert_eq!((outcomes[0].id, outcomes[0].errors[0].is_rollback()), (None, true));
    assert_eq!(outcomes[1].errors[0].fields, ["Name"]);
}

#[test]
fn a_part_without_an_error_object_decides_nothing() {
    let nodes = chain(1);
    for (status, body) in [(503, json!("upstream")), (400, json!([])), (200, json!({}))] {
        let result = outcomes("test", &nodes, &[part("n0", status, body)], false);
        let retry = crate::Classify::retry(&result.unwrap_err());
        assert!(matches!(retry, crate::Retry::Unknown(_) | crate::Retry::After(_)), "{status} {retry:?}");
    }
    let several = outcomes("test", &nodes, &[part("n0", 300, json!(["/a", "/b"]))], false).unwrap();
    assert_eq!(several[0].errors[0].code, "DUPLICATE_EXTERNAL_ID");
}
