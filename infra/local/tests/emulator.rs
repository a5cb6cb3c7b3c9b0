//! The emulator, as tests of other crates use it.

use std::net::TcpStream;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, TimeToLiveStatus};
use local::template::Template;
use local::{Emulator, deploy, unique_prefix};

#[tokio::test]
async fn create_tables_creates_the_tables_of_the_template() {
    let emulator = Emulator::start().await.unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());

    let tables = emulator.create_tables(&unique_prefix()).await.unwrap();

    let mut names = dynamodb.list_tables().send().await.unwrap().table_names.unwrap();
    names.sort();
    let expected = [
        "audits",
        "authorizations",
        "budgets",
        "connections",
        "cursors",
        "deliveries",
        "erasures",
        "event_deliveries",
        "event_endpoints",
        "freshness",
        "org_settings",
        "orgs",
        "origins",
        "pipelines",
        "records",
        "users",
        "write_order",
        "writes",
    ];
    assert_eq!(names, expected.map(|table| tables.name(table)));

    let records = dynamodb.describe_table().table_name(tables.name("records")).send().await.unwrap();
    assert!(records.table.unwrap().latest_stream_arn.is_some());

    let time_to_live = dynamodb.describe_time_to_live().table_name(tables.name("deliveries")).send().await.unwrap();
    let time_to_live = time_to_live.time_to_live_description.unwrap();
    assert_eq!(time_to_live.time_to_live_status, Some(TimeToLiveStatus::Enabled));
    assert_eq!(time_to_live.attribute_name.as_deref(), Some("expires_at"));
}

#[tokio::test]
async fn an_index_of_the_template_can_be_queried() {
    let emulator = Emulator::start().await.unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
    let deliveries = emulator.create_tables(&unique_prefix()).await.unwrap().name("deliveries");

    for (notification, received) in [("b", "2026-01-02"), ("a", "2026-01-03"), ("c", "2026-01-01")] {
        let item = [("org_id", "o"), ("delivery_id", notification), ("received_at", received)];
        let item = item.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
        dynamodb.put_item().table_name(&deliveries).set_item(Some(item.into())).send().await.unwrap();
    }
    let response = dynamodb
        .query()
        .table_name(&deliveries)
        .index_name("by_received_at")
        .key_condition_expression("org_id = :org AND received_at >= :since")
        .expression_attribute_values(":org", AttributeValue::S("o".to_owned()))
        .expression_attribute_values(":since", AttributeValue::S("2026-01-02".to_owned()))
        .send()
        .await
        .unwrap();

    let found: Vec<_> = response.items().iter().map(|item| item["delivery_id"].as_s().unwrap().as_str()).collect();
    assert_eq!(found, ["b", "a"]);
}

#[tokio::test]
async fn create_state_includes_queues_the_bus_and_the_secret() {
    let emulator = Emulator::start().await.unwrap();

    let state = emulator.create_state(&unique_prefix()).await.unwrap();

    assert!(state.physical("RecordUpsertQueue").unwrap().starts_with("http"));
    assert!(state.physical("AppsSecret").is_ok());
    assert!(state.physical("EventBus").is_ok());
    assert!(state.physical("RecordUpsert").is_err());
}

/// Amazon SQS Developer Guide, "Amazon SQS fair queues".
#[tokio::test]
async fn other_groups_are_delivered_before_a_noisy_group() {
    let emulator = Emulator::start().await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(emulator.sdk_config());
    let url = sqs.create_queue().queue_name("fair").send().await.unwrap().queue_url.unwrap();
    for (group, count) in [("noisy", 60), ("quiet", 2)] {
        for _ in 0..count {
            sqs.send_message().queue_url(&url).message_group_id(group).message_body(group).send().await.unwrap();
        }
    }
    let receive = async || {
        let request = sqs.receive_message().queue_url(&url).max_number_of_messages(10).visibility_timeout(600);
        let messages = request.send().await.unwrap().messages.unwrap_or_default();
        messages.into_iter().filter_map(|message| message.body).collect::<Vec<_>>()
    };

    for _ in 0..3 {
        assert_eq!(receive().await, ["noisy"; 10], "a group is noisy from 30 messages in flight");
    }
    let next = receive().await;
    assert_eq!(next[..2], ["quiet"; 2], "{next:?}");
    assert_eq!(next[2..], ["noisy"; 8], "{next:?}");
}

#[tokio::test]
async fn dropping_an_emulator_ends_its_process() {
    let emulator = Emulator::start().await.unwrap();
    let address = emulator.endpoint().strip_prefix("http://").unwrap().parse().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_secs(1));
    assert!(connect().is_ok());

    drop(emulator);

    assert!(connect().is_err());
}

#[tokio::test]
async fn a_failed_deployment_names_the_resource() {
    let emulator = Emulator::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.yaml");
    let queue = "{Type: 'AWS::SQS::Queue', Properties: {QueueName: q, FifoQueue: true}}";
    std::fs::write(&file, format!("Resources:\n  Broken: {queue}\n")).unwrap();

    let template = Template::load(&file).unwrap();
    let error = deploy::create(emulator.sdk_config(), &unique_prefix(), &template, &[]).await.unwrap_err();

    assert!(format!("{error:#}").contains("Broken: "), "{error:#}");
}
