//! Tasks and events, the people and records that they are related to, and the lists of activities of a record.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, CASEY, TestContext};

async fn created(context: &TestContext, object: &str, body: Value) -> String {
    let response = context.post(&format!("sobjects/{object}"), body).await;
    assert_eq!(response.status, 201, "{object}: {}", response.body);
    response.body["id"].as_str().unwrap().to_owned()
}

async fn rows(context: &TestContext, soql: &str) -> Vec<Value> {
    let response = context.query(soql).await;
    assert_eq!(response.status, 200, "{soql}: {}", response.body);
    response.body["records"].as_array().unwrap().clone()
}

async fn contact(context: &TestContext, name: &str) -> String {
    rows(context, &format!("SELECT Id FROM Contact WHERE LastName = '{name}'")).await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_event_has_an_end_or_a_duration() {
    let context = TestContext::new().await;
    let missing = context.post("sobjects/Event", json!({"Subject": "x"})).await;
    assert_eq!((missing.status, missing.code()), (400, "REQUIRED_FIELD_MISSING"));
    assert_eq!(missing.body[0]["fields"], json!(["DurationInMinutes", "ActivityDateTime"]));

    let by_end =
        json!({"Subject": "a", "StartDateTime": "2026-12-01T10:00:00Z", "EndDateTime": "2026-12-01T10:45:00Z"});
    let by_duration = json!({"Subject": "b", "ActivityDateTime": "2026-12-01T10:00:00Z", "DurationInMinutes": 45});
    for body in [by_end, by_duration] {
        let id = created(&context, "Event", body).await;
        assert!(id.starts_with("00U"));
        let event = context.get(&format!("sobjects/Event/{id}")).await.body;
        assert_eq!(
            (&event["StartDateTime"], &event["EndDateTime"], &event["DurationInMinutes"], &event["ActivityDate"]),
            (
                &json!("2026-12-01T10:00:00.000+0000"),
                &json!("2026-12-01T10:45:00.000+0000"),
                &json!(45),
                &json!("2026-12-01")
            )
        );
        // An event that moves keeps its duration.
        context.patch(&format!("sobjects/Event/{id}"), json!({"StartDateTime": "2026-12-02T08:00:00Z"})).await;
        let moved = context.get(&format!("sobjects/Event/{id}")).await.body;
        assert_eq!(
            (&moved["EndDateTime"], &moved["ActivityDate"]),
            (&json!("2026-12-02T08:45:00.000+0000"), &json!("2026-12-02"))
        );
    }
    let all_day = json!({"Subject": "c", "IsAllDayEvent": true, "ActivityDate": "2026-12-05"});
    let id = created(&context, "Event", all_day).await;
    let event = context.get(&format!("sobjects/Event/{id}")).await.body;
    assert_eq!((&event["DurationInMinutes"], &event["ActivityDateTime"]), (&json!(1440), &Value::Null));
    for (minutes, code) in [(-5, "FIELD_INTEGRITY_EXCEPTION"), (20_161, "FIELD_INTEGRITY_EXCEPTION")] {
        let body = json!({"Subject": "d", "StartDateTime": "2026-12-01T10:00:00Z", "DurationInMinutes": minutes});
        assert_eq!(context.post("sobjects/Event", body).await.code(), code, "{minutes}");
    }
}

#[tokio::test]
async fn an_activity_is_related_to_people_and_one_record() {
    let context = TestContext::new().await;
    let opportunity = context.id_of("Opportunity", "Harbourline - renewal 2027").await;
    let (first, second) = (contact(&context, "D\\'Almada").await, contact(&context, "Lindqvist").await);
    for (activity, relation, more) in [
        ("Task", "TaskRelation", json!({})),
        ("Event", "EventRelation", json!({"StartDateTime": "2026-12-01T10:00:00Z", "DurationInMinutes": 30})),
    ] {
        let mut body = json!({"Subject": "Visit", "WhoId": first, "WhatId": opportunity});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let id = created(&context, activity, body).await;
        let reference = format!("{activity}Id");
        let related =
            format!("SELECT RelationId, IsWhat FROM {relation} WHERE {reference} = '{id}' ORDER BY IsWhat, Id");
        let found = rows(&context, &related).await;
        let pairs: Vec<_> = found.iter().map(|row| (row["RelationId"].clone(), row["IsWhat"].clone())).collect();
        assert_eq!(pairs, [(json!(first), json!(false)), (json!(opportunity), json!(true))], "{activity}");

        let added = created(&context, relation, json!({&reference: id, "RelationId": second})).await;
        assert!(added.starts_with(if activity == "Task" { "0RT" } else { "0RE" }));
        let again = context.post(&format!("sobjects/{relation}"), json!({&reference: id, "RelationId": second})).await;
        assert_eq!(again.code(), "DUPLICATE_VALUE");
        let other = context.id_of("Account", "Fjordglass Optics").await;
        let what = context.post(&format!("sobjects/{relation}"), json!({&reference: id, "RelationId": other})).await;
        assert_eq!(what.code(), "FIELD_INTEGRITY_EXCEPTION", "an activity has one related record");

        // The next person takes the place of one that is removed.
        let who = format!("SELECT Id FROM {relation} WHERE {reference} = '{id}' AND RelationId = '{first}'");
        let relation_id = rows(&context, &who).await[0]["Id"].as_str().unwrap().to_owned();
        assert_eq!(context.delete(&format!("sobjects/{relation}/{relation_id}")).await.status, 204);
        let path = format!("sobjects/{activity}/{id}");
        assert_eq!(context.get(&path).await.body["WhoId"], json!(second), "{activity}");
        context.patch(&path, json!({"WhoId": null})).await;
        assert_eq!(rows(&context, &related).await.len(), 1, "{activity}");
        assert_eq!(context.delete(&path).await.status, 204);
        assert!(rows(&context, &related).await.is_empty(), "{activity}");
    }
}

#[tokio::test]
async fn an_activity_is_written_with_its_people() {
    let context = TestContext::new().await;
    let (first, second) = (contact(&context, "D\\'Almada").await, contact(&context, "Lindqvist").await);
    let third = created(&context, "Contact", json!({"LastName": "Third"})).await;
    for (activity, more) in [
        ("Task", json!({"Subject": "Visit"})),
        ("Event", json!({"Subject": "Visit", "StartDateTime": "2026-12-01T10:00:00Z", "DurationInMinutes": 30})),
    ] {
        let (list, relation) = (format!("{activity}WhoIds"), format!("{activity}Relation"));
        let people = async |id: &str| -> Vec<Value> {
            let soql = format!("SELECT RelationId FROM {relation} WHERE {activity}Id = '{id}' AND IsWhat = false");
            let mut people: Vec<Value> =
                rows(&context, &soql).await.into_iter().map(|row| row["RelationId"].clone()).collect();
            people.sort_by_key(Value::to_string);
            people
        };
        let sorted = |ids: &[&String]| {
            let mut ids: Vec<Value> = ids.iter().map(|id| json!(id)).collect();
            ids.sort_by_key(Value::to_string);
            ids
        };
        let with = |ids: Value, who: Option<&String>| {
            let mut body = more.clone();
            body[&list] = ids;
            if let Some(who) = who {
                body["WhoId"] = json!(who);
            }
            body
        };
        let id = created(&context, activity, with(json!([first, second]), None)).await;
        let path = format!("sobjects/{activity}/{id}");
        assert_eq!(context.get(&path).await.body["WhoId"], json!(first), "the first is the person of the activity");
        assert_eq!(people(&id).await, sorted(&[&first, &second]), "{activity}");
        for person in [&first, &second] {
            let shown = &rows(&context, &lists("Contact", person)).await[0];
            assert!(subjects(shown, "OpenActivities").contains(&"Visit".to_owned()), "{activity} {person}");
        }
        assert!(subjects(&rows(&context, &lists("Contact", &third)).await[0], "OpenActivities").is_empty());

        // A list replaces the people; one whose person it does not contain gets another one, unless the body names it.
        assert_eq!(context.patch(&path, json!({&list: [third]})).await.status, 204);
        assert_eq!(context.get(&path).await.body["WhoId"], json!(third));
        assert_eq!(people(&id).await, sorted(&[&third]), "{activity}");
        assert_eq!(context.patch(&path, json!({&list: [second], "WhoId": first})).await.status, 204);
        assert_eq!(people(&id).await, sorted(&[&first, &second]), "{activity}");
        assert_eq!(context.patch(&path, json!({&list: null})).await.status, 204);
        assert_eq!(people(&id).await, sorted(&[&first]), "{activity}");
        assert_eq!(context.delete(&path).await.status, 204);

        let other = created(&context, activity, with(json!([second]), Some(&first))).await;
        assert_eq!(people(&other).await, sorted(&[&first, &second]), "{activity}");
        assert_eq!(context.delete(&format!("sobjects/{activity}/{other}")).await.status, 204);
    }
}

#[tokio::test]
async fn people_that_an_activity_cannot_have_are_refused() {
    let context = TestContext::new().await;
    let first = contact(&context, "Lindqvist").await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let lead = context.id_of("Lead", "Bram Okonjo").await;
    for (wrong, code) in [
        (json!("003"), "JSON_PARSER_ERROR"),
        (json!(["003"]), "MALFORMED_ID"),
        (json!([account]), "FIELD_INTEGRITY_EXCEPTION"),
        (json!([first, lead]), "FIELD_INTEGRITY_EXCEPTION"),
        (json!(vec![&first; 51]), "FIELD_INTEGRITY_EXCEPTION"),
    ] {
        let refused = context.post("sobjects/Task", json!({"Subject": "Visit", "TaskWhoIds": wrong})).await;
        assert_eq!(refused.code(), code, "{}", refused.body);
    }
    assert!(rows(&context, "SELECT Id FROM Task WHERE Subject = 'Visit'").await.is_empty(), "all is rolled back");
}

#[tokio::test]
async fn a_series_of_activities_is_refused() {
    let context = TestContext::new().await;
    let series = json!({
        "Subject": "x", "IsRecurrence": true, "RecurrenceType": "RecursDaily", "RecurrenceInterval": 1,
        "RecurrenceStartDateOnly": "2026-12-01", "RecurrenceEndDateOnly": "2026-12-03",
    });
    let refused = context.post("sobjects/Task", series).await;
    assert_eq!(
        (refused.code(), &refused.body[0]["fields"]),
        ("FIELD_INTEGRITY_EXCEPTION", &json!(["IsRecurrence"])),
        "{}",
        refused.body
    );
    assert!(rows(&context, "SELECT Id FROM Task WHERE Subject = 'x'").await.is_empty());
}

#[tokio::test]
async fn the_contacts_account_is_that_of_an_activity() {
    let context = TestContext::new().await;
    let (account, who) =
        (context.id_of("Account", "Harbourline Logistics").await, contact(&context, "Lindqvist").await);
    let id = created(&context, "Task", json!({"Subject": "Call", "WhoId": who})).await;
    assert_eq!(context.get(&format!("sobjects/Task/{id}")).await.body["AccountId"], json!(account));
}

fn lists(of: &str, id: &str) -> String {
    format!(
        "SELECT Id, (SELECT Subject, IsTask FROM OpenActivities ORDER BY ActivityDate ASC, LastModifiedDate DESC LIMIT 499), \
         (SELECT Subject, IsTask FROM ActivityHistories ORDER BY ActivityDate DESC, LastModifiedDate DESC LIMIT 499) \
         FROM {of} WHERE Id = '{id}'"
    )
}

fn subjects(row: &Value, list: &str) -> Vec<String> {
    let rows = row[list]["records"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["Subject"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn activities_are_open_until_they_are_closed_or_past() {
    let mut context = TestContext::new().await;
    let opportunity = context.id_of("Opportunity", "Fjordglass - pilot").await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let task = created(&context, "Task", json!({"Subject": "Task", "WhatId": opportunity})).await;
    let event = json!({"Subject": "Event", "WhatId": opportunity, "StartDateTime": "2026-11-23T10:00:00Z", "DurationInMinutes": 30});
    created(&context, "Event", event).await;
    for (of, id) in [("Opportunity", &opportunity), ("Account", &account)] {
        let row = &rows(&context, &lists(of, id)).await[0];
        assert_eq!((subjects(row, "OpenActivities").len(), subjects(row, "ActivityHistories").len()), (2, 0), "{of}");
    }
    context.patch(&format!("sobjects/Task/{task}"), json!({"Status": "Completed"})).await;
    let row = &rows(&context, &lists("Opportunity", &opportunity)).await[0];
    assert_eq!(
        (subjects(row, "OpenActivities"), subjects(row, "ActivityHistories")),
        (vec!["Event".to_owned()], vec!["Task".to_owned()])
    );

    context.org.advance_clock(SignedDuration::from_hours(48));
    context.log_in(ADMIN);
    let row = &rows(&context, &lists("Opportunity", &opportunity)).await[0];
    assert_eq!((subjects(row, "OpenActivities").len(), subjects(row, "ActivityHistories").len()), (0, 2));
    context.delete(&format!("sobjects/Task/{task}")).await;
    let row = &rows(&context, &lists("Opportunity", &opportunity)).await[0];
    assert_eq!(subjects(row, "ActivityHistories"), ["Event"]);
}

#[tokio::test]
async fn lists_of_activities_have_the_documented_restrictions() {
    let mut context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    for object in ["OpenActivity", "ActivityHistory"] {
        let direct = context.query(&format!("SELECT Id FROM {object}")).await;
        assert_eq!(direct.code(), "INVALID_TYPE_FOR_OPERATION", "{object}");
        assert_eq!(context.get(&format!("sobjects/{object}/describe")).await.body["queryable"], false);
    }
    let list =
        |list: &str, rest: &str, of: &str| format!("SELECT Id, (SELECT Subject FROM {list} {rest}) FROM Account {of}");
    let one = format!("WHERE Id = '{id}'");
    let open = "ORDER BY ActivityDate ASC, LastModifiedDate DESC LIMIT 499";
    let closed = "ORDER BY ActivityDate DESC, LastModifiedDate DESC LIMIT 499";
    let refused = [
        list("OpenActivities", open, "WHERE Name LIKE 'F%'"),
        list("OpenActivities", open, ""),
        list("OpenActivities", &format!("WHERE IsTask = true {open}"), &one),
        list("OpenActivities", "ORDER BY ActivityDate ASC, LastModifiedDate DESC", &one),
        list("OpenActivities", "ORDER BY ActivityDate ASC, LastModifiedDate DESC LIMIT 500", &one),
        list("OpenActivities", closed, &one),
        list("ActivityHistories", open, &one),
        list("ActivityHistories", "LIMIT 10", &one),
    ];
    for query in &refused {
        assert_eq!(context.query(query).await.status, 200, "an administrator: {query}");
    }
    context.log_in(CASEY);
    for query in &refused {
        let response = context.query(query).await;
        assert_eq!((response.status, response.code()), (400, "MALFORMED_QUERY"), "{query}");
        assert!(response.body[0]["message"].as_str().unwrap().contains("There is an implementation restriction on"));
    }
    for (name, order) in [("OpenActivities", open), ("ActivityHistories", closed)] {
        assert_eq!(context.query(&list(name, order, &one)).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_custom_look_up_has_a_named_child_relationship() {
    let context = TestContext::new().await;
    let field = json!({"name": "Account__c", "type": "reference", "reference_to": ["Account"], "child_relationship": "Engagements"});
    let defined =
        context.admin(Method::POST, "objects", Some(json!({"name": "Engagement__c", "fields": [field]}))).await;
    assert_eq!(defined.status, 200, "{}", defined.body);
    let account = context.id_of("Account", "Fjordglass Optics").await;
    created(&context, "Engagement__c", json!({"Account__c": account})).await;

    let found =
        rows(&context, &format!("SELECT Id, (SELECT Id FROM Engagements__r) FROM Account WHERE Id = '{account}'"))
            .await;
    assert_eq!(found[0]["Engagements__r"]["totalSize"], 1);
    let entity = rows(
        &context,
        "SELECT DeveloperName, KeyPrefix FROM EntityDefinition WHERE QualifiedApiName = 'Engagement__c'",
    )
    .await;
    assert_eq!((&entity[0]["DeveloperName"], &entity[0]["KeyPrefix"]), (&json!("Engagement"), &json!("a00")));
}
