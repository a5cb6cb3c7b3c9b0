//! Change Data Capture: what is an event, and the channels.

use jiff::SignedDuration;
use org_simulator::{Options, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, CASEY, TestContext, fields};

const CHANNEL: &str = "Ferry__chn";

async fn capturing(objects: &[&str]) -> TestContext {
    let context = TestContext::new().await;
    context.org.capture_changes(CHANNEL, objects).unwrap();
    context
}

impl TestContext {
    /// Returns the payloads of the events so far.
    fn payloads(&self) -> Vec<Value> {
        let events = self.org.relayed_events(CHANNEL).unwrap();
        events.into_iter().map(|event| event["detail"]["payload"].clone()).collect()
    }

    async fn created(&self, object: &str, record: Value) -> String {
        let made = self.post(&format!("sobjects/{object}"), record).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body["id"].as_str().unwrap().to_owned()
    }
}

fn header(payload: &Value) -> &Value {
    &payload["ChangeEventHeader"]
}

fn kinds(payloads: &[Value]) -> Vec<&str> {
    payloads.iter().map(|payload| header(payload)["changeType"].as_str().unwrap()).collect()
}

/// Returns the names of the fields of an event.
fn names(payload: &Value) -> Vec<&str> {
    payload.as_object().unwrap().keys().map(String::as_str).filter(|name| *name != "ChangeEventHeader").collect()
}

#[tokio::test]
async fn a_record_has_events_from_its_creation_to_its_undeletion() {
    let context = capturing(&["Account"]).await;
    let id = context.created("Account", json!({"Name": "Acme", "Phone": "1"})).await;
    context.patch(&format!("sobjects/Account/{id}"), json!({"Phone": null, "AnnualRevenue": 5})).await;
    context.org.delete_record(ADMIN, "Account", &id).unwrap();
    context.org.undelete_record(ADMIN, "Account", &id).unwrap();

    let events = context.payloads();

    assert_eq!(kinds(&events), ["CREATE", "UPDATE", "DELETE", "UNDELETE"]);
    let user = context.org.users()[0].id.clone();
    let mut created = header(&events[0]).clone();
    assert_eq!(created["transactionKey"].as_str().unwrap().len(), 36);
    created["transactionKey"] = Value::Null;
    let expected = json!({
        "entityName": "Account", "recordIds": [id], "changeType": "CREATE", "changeOrigin": "com/salesforce/api/rest/66.0",
        "transactionKey": null, "sequenceNumber": 1, "commitTimestamp": 1_795_341_600_000_i64, "commitNumber": 1,
        "commitUser": user, "changedFields": [],
    });
    assert_eq!(created, expected);
    for (name, value) in [("Name", "Acme"), ("OwnerId", &user), ("CreatedDate", "2026-11-22T10:00:00.000Z")] {
        assert_eq!(events[0][name], value);
    }
    for absent in ["Id", "IsDeleted", "SystemModstamp", "Website", "LastActivityDate"] {
        assert!(events[0].get(absent).is_none(), "{absent}");
    }

    let mut changed = names(&events[1]);
    changed.sort_unstable();
    assert_eq!(changed, ["AnnualRevenue", "LastModifiedDate", "Phone"]);
    assert_eq!((&events[1]["Phone"], &events[1]["AnnualRevenue"]), (&Value::Null, &json!(5.0)));
    let mut listed: Vec<&str> =
        header(&events[1])["changedFields"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, changed);

    assert!(names(&events[2]).is_empty(), "{}", events[2]);
    assert_eq!(events[3]["Name"], "Acme");
    let keys: std::collections::BTreeSet<_> = events.iter().map(|e| header(e)["transactionKey"].as_str()).collect();
    assert_eq!(keys.len(), 4);
}

#[tokio::test]
async fn an_object_that_is_not_selected_leaves_a_gap_in_the_sequence() {
    let context = capturing(&["Contact"]).await;
    let tree = json!({"records": [{
        "attributes": {"type": "Account", "referenceId": "a"}, "Name": "Acme",
        "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "Vogt"}]},
    }]});
    assert_eq!(context.post("composite/tree/Account", tree).await.status, 201);

    let events = context.payloads();

    assert_eq!((events.len(), &header(&events[0])["sequenceNumber"]), (1, &json!(2)), "{events:?}");
}

#[tokio::test]
async fn a_transaction_that_fails_has_no_events() {
    let context = capturing(&["Account"]).await;
    let row = |name: &str| json!({"attributes": {"type": "Account"}, "Name": name});
    let body = json!({"allOrNone": true, "records": [row("Acme"), row("")]});
    context.post("composite/sobjects", body).await;
    context.post("sobjects/Account", json!({"Phone": "1"})).await;
    assert!(context.payloads().is_empty());
}

#[tokio::test]
async fn the_same_change_of_several_records_is_one_event() {
    let context = capturing(&["Account"]).await;
    let ids = [
        context.created("Account", json!({"Name": "A"})).await,
        context.created("Account", json!({"Name": "B"})).await,
    ];
    let rows = |phones: [&str; 2]| {
        let row = |(id, phone): (&String, &str)| json!({"attributes": {"type": "Account"}, "id": id, "Phone": phone});
        json!({"records": ids.iter().zip(phones).map(row).collect::<Vec<_>>()})
    };
    context.patch("composite/sobjects", rows(["1", "1"])).await;
    context.patch("composite/sobjects", rows(["2", "3"])).await;
    context.delete(&format!("composite/sobjects?ids={}", ids.join(","))).await;

    let events = context.payloads();

    assert_eq!(kinds(&events), ["CREATE", "CREATE", "UPDATE", "UPDATE", "UPDATE", "DELETE"]);
    assert_eq!((&header(&events[2])["recordIds"], &header(&events[5])["recordIds"]), (&json!(ids), &json!(ids)));
    assert_eq!((&header(&events[3])["recordIds"], &events[3]["Phone"]), (&json!([ids[0]]), &json!("2")));
    assert_eq!(header(&events[4])["sequenceNumber"], 2);
}

#[tokio::test]
async fn a_compound_field_is_nested_and_named_by_its_parts() {
    let context = capturing(&["Contact", "Account"]).await;
    let id = context.created("Contact", json!({"FirstName": "Ida", "LastName": "Vogt", "MailingCity": "Bern"})).await;
    context.patch(&format!("sobjects/Contact/{id}"), json!({"LastName": "Voss", "MailingCity": "Basel"})).await;
    context.created("Account", json!({"Name": "Plain"})).await;

    let events = context.payloads();

    assert_eq!(events[0]["Name"], json!({"FirstName": "Ida", "LastName": "Vogt"}));
    assert_eq!(events[1]["Name"], json!({"LastName": "Voss"}));
    assert_eq!(events[1]["MailingAddress"], json!({"City": "Basel"}));
    let listed = header(&events[1])["changedFields"].as_array().unwrap();
    for name in ["Name.LastName", "MailingAddress.City"] {
        assert!(listed.contains(&json!(name)), "{listed:?}");
    }
    assert_eq!(events[2]["Name"], "Plain");
}

#[tokio::test]
async fn an_event_names_the_api_that_made_the_change() {
    let context = capturing(&["Account"]).await;
    let options = [("Sforce-Call-Options", "client=Astro, defaultNamespace=x")];
    context.call_with(Method::POST, "sobjects/Account", Some(json!({"Name": "R"})), &options).await;
    context.org.create_record(CASEY, "Account", &fields(json!({"Name": "H"}))).unwrap();
    let job = json!({"object": "Account", "operation": "insert"});
    let job = context.post("jobs/ingest", job).await.body["id"].as_str().unwrap().to_owned();
    let url = format!("{}/services/data/v66.0/jobs/ingest/{job}/batches", context.org.url());
    let upload = context.http.put(url).bearer_auth(context.token()).header("content-type", "text/csv");
    context.plain(upload.body("Name\nB\n")).await;
    context.patch(&format!("jobs/ingest/{job}"), json!({"state": "UploadComplete"})).await;
    let soap = format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:u="urn:partner.soap.sforce.com"><s:Header>
           <u:SessionHeader><u:sessionId>{}</u:sessionId></u:SessionHeader><u:CallOptions><u:client>Astro</u:client></u:CallOptions>
           </s:Header><s:Body><u:create><u:sObjects><type>Account</type><Name>S</Name></u:sObjects></u:create></s:Body></s:Envelope>"#,
        context.token()
    );
    let request = context.http.post(format!("{}/services/Soap/u/64.0", context.org.url())).header("SOAPAction", "\"\"");
    let answer = context.plain(request.header("content-type", "text/xml").body(soap)).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));

    let events = context.payloads();

    let origins: Vec<&Value> = events.iter().map(|event| &header(event)["changeOrigin"]).collect();
    let expected = [
        "com/salesforce/api/rest/66.0;client=Astro",
        "",
        "com/salesforce/api/bulkapi/66.0",
        "com/salesforce/api/soap/64.0;client=Astro",
    ];
    assert_eq!(origins, expected);
    let users = context.org.users();
    let casey = users.iter().find(|user| user.username == CASEY).unwrap();
    assert_eq!(header(&events[1])["commitUser"], casey.id);
}

#[tokio::test]
async fn events_are_kept_for_three_days() {
    let context = capturing(&["Account"]).await;
    let create = |name: &str| context.org.create_record(ADMIN, "Account", &fields(json!({"Name": name}))).unwrap();
    create("Acme");
    context.org.advance_clock(SignedDuration::from_hours(71));
    create("Later");
    assert_eq!(context.payloads().len(), 2);
    context.org.advance_clock(SignedDuration::from_hours(2));
    let events = context.payloads();
    assert_eq!((events.len(), &events[0]["Name"]), (1, &json!("Later")));
}

#[tokio::test]
async fn channels_and_members_are_defined_over_the_tooling_api() {
    let context = TestContext::new().await;
    let channel = json!({"FullName": CHANNEL, "Metadata": {"channelType": "data", "label": "Ferry"}});
    let channel = context.post("tooling/sobjects/PlatformEventChannel", channel).await;
    assert_eq!((channel.status, &channel.body["success"]), (201, &json!(true)), "{}", channel.body);
    let channel = channel.body["id"].as_str().unwrap().to_owned();
    assert!(channel.starts_with("0YL"));
    let member = |name: &str, entity: &str| json!({"FullName": name, "Metadata": {"eventChannel": CHANNEL, "selectedEntity": entity}});
    let members = "tooling/sobjects/PlatformEventChannelMember";
    let made = context.post(members, member("Ferry_chn_AccountChangeEvent", "AccountChangeEvent")).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    context.admin(Method::POST, "objects", Some(json!({"name": "Line__c", "fields": []}))).await;
    let custom = context.post(members, member("Ferry_chn_Line_ChangeEvent", "Line__ChangeEvent")).await;
    assert_eq!(custom.status, 201, "{}", custom.body);

    let soql = "SELECT+Id,DeveloperName,EventChannel,SelectedEntity+FROM+PlatformEventChannelMember+ORDER+BY+Id";
    let found = context.get(&format!("tooling/query?q={soql}")).await.body;
    let first = &found["records"][0];
    assert_eq!((&found["size"], &first["Id"], &first["EventChannel"]), (&json!(2), &json!(id), &json!(CHANNEL)));
    assert_eq!(found["records"][1]["SelectedEntity"], "Line__ChangeEvent");
    let one = context.get(&format!("{members}/{id}")).await.body;
    assert_eq!(one["Metadata"]["selectedEntity"], "AccountChangeEvent");
    let one = context.get(&format!("tooling/sobjects/PlatformEventChannel/{channel}")).await.body;
    assert_eq!((&one["DeveloperName"], &one["ChannelType"]), (&json!("Ferry"), &json!("data")));

    context.created("Account", json!({"Name": "Acme"})).await;
    context.created("Line__c", json!({"Name": "Line"})).await;
    let events = context.org.relayed_events(CHANNEL).unwrap();
    assert_eq!(events[1]["detail-type"], "Line__ChangeEvent");
    assert_eq!(context.delete(&format!("{members}/{id}")).await.status, 204);
    context.created("Account", json!({"Name": "After"})).await;
    assert_eq!(context.payloads().len(), 2);
    assert_eq!(context.delete(&format!("tooling/sobjects/PlatformEventChannel/{channel}")).await.status, 204);
    assert_eq!(context.get(&format!("tooling/query?q={soql}")).await.body["size"], 0);
}

#[tokio::test]
async fn a_definition_that_has_no_meaning_is_refused() {
    let context = capturing(&["Account"]).await;
    let member = |channel: &str, entity: &str| json!({"FullName": "M", "Metadata": {"eventChannel": channel, "selectedEntity": entity}});
    let members = "tooling/sobjects/PlatformEventChannelMember";
    let channels = "tooling/sobjects/PlatformEventChannel";
    let channel = |name: &str, kind: &str| json!({"FullName": name, "Metadata": {"channelType": kind, "label": "L"}});
    for (path, body, code) in [
        (members, member("Other__chn", "AccountChangeEvent"), "FIELD_INTEGRITY_EXCEPTION"),
        (members, member(CHANNEL, "OrganizationChangeEvent"), "FIELD_INTEGRITY_EXCEPTION"),
        (members, member(CHANNEL, "AccountChangeEvent"), "FIELD_INTEGRITY_EXCEPTION"),
        (members, json!({"FullName": "M"}), "REQUIRED_FIELD_MISSING"),
        (members, json!({"FullName": "M", "Metadata": {"eventChannel": CHANNEL}}), "REQUIRED_FIELD_MISSING"),
        (members, json!({"FullName": "M", "Metadata": {"filterExpression": "x"}}), "JSON_PARSER_ERROR"),
        (channels, channel(CHANNEL, "data"), "FIELD_INTEGRITY_EXCEPTION"),
        (channels, channel("Ferry", "data"), "FIELD_INTEGRITY_EXCEPTION"),
        (channels, channel("Two__chn", "event"), "FIELD_INTEGRITY_EXCEPTION"),
    ] {
        assert_eq!(context.post(path, body.clone()).await.code(), code, "{body}");
    }
}

#[tokio::test]
async fn a_change_event_is_described_with_the_objects_fields() {
    let context = TestContext::new().await;
    let found = context.get("sobjects/ContactChangeEvent/describe").await.body;
    assert_eq!((&found["name"], &found["keyPrefix"]), (&json!("ContactChangeEvent"), &Value::Null));
    for no in ["createable", "queryable", "retrieveable", "updateable"] {
        assert_eq!(found[no], false, "{no}");
    }
    let names: Vec<&str> = found["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    for name in ["ReplayId", "ChangeEventHeader", "Name", "MailingAddress", "Email", "LastModifiedDate"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for name in ["Id", "IsDeleted", "SystemModstamp", "LastName", "MailingCity"] {
        assert!(!names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!(context.get("sobjects/OrganizationChangeEvent/describe").await.status, 404);
    assert_eq!(context.get("sobjects/AccountChangeEvent/001000000000001AAA").await.status, 404);
}

#[tokio::test]
async fn a_relayed_event_names_org_channel_and_schema() {
    let context = TestContext::new().await;
    let selection = json!({"channel": CHANNEL, "objects": ["Account"]});
    assert_eq!(context.admin(Method::POST, "change-events", Some(selection.clone())).await.status, 200);
    assert_eq!(
        context.admin(Method::POST, "change-events", Some(selection)).await.status,
        200,
        "it is selected already"
    );
    context.created("Account", json!({"Name": "Acme"})).await;
    context
        .admin(
            Method::POST,
            "objects",
            Some(json!({"name": "Account", "fields": [{"name": "New__c", "type": "string"}]})),
        )
        .await;
    context.created("Account", json!({"Name": "Other"})).await;

    let events = context.admin(Method::GET, "change-events?channel=Ferry__chn", None).await.body;

    let channel = context.get("tooling/query?q=SELECT+Id+FROM+PlatformEventChannel").await.body;
    let channel = channel["records"][0]["Id"].as_str().unwrap();
    assert_eq!(events[0]["source"], format!("aws.partner/salesforce.com/{}/{channel}", context.org.org_id()));
    assert_eq!(
        (&events[0]["detail-type"], &events[0]["time"]),
        (&json!("AccountChangeEvent"), &json!("2026-11-22T10:00:00Z"))
    );
    assert_eq!(events[0]["id"], events[0]["detail"]["id"]);
    let schema = |n: usize| events[n]["detail"]["schemaId"].as_str().unwrap();
    assert_eq!(schema(0).len(), 22);
    assert_ne!(schema(0), schema(1), "the object has another field");
    for (path, status) in
        [("change-events?channel=ChangeEvents", 404), ("change-events?channel=No__chn", 404), ("change-events", 400)]
    {
        let refused = context.admin(Method::GET, path, None).await;
        assert_eq!((refused.status, refused.body["error"].is_string()), (status, true), "{path}");
    }
    let unknown = json!({"channel": CHANNEL, "objects": ["Organization"]});
    assert_eq!(context.admin(Method::POST, "change-events", Some(unknown)).await.status, 404);
}

#[tokio::test]
async fn a_saved_state_has_the_events_and_a_sandbox_only_the_selection() {
    let context = capturing(&["Account"]).await;
    context.created("Account", json!({"Name": "Acme"})).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.json");
    context.org.save_state(&file).unwrap();
    let clock = org_simulator::Clock::manual(crate::support::START.parse().unwrap());
    let again = Simulator::start(Options { clock, state: Some(file), ..Options::default() }).await.unwrap();
    assert_eq!(again.relayed_events(CHANNEL).unwrap(), context.org.relayed_events(CHANNEL).unwrap());

    let sandbox = context.org.copy_to_sandbox("qa").await.unwrap();
    assert!(sandbox.relayed_events(CHANNEL).unwrap().is_empty());
    let admin = sandbox.users()[0].username.clone();
    sandbox.create_record(&admin, "Account", &fields(json!({"Name": "Copy"}))).unwrap();
    assert_eq!(sandbox.relayed_events(CHANNEL).unwrap().len(), 1);
}
