//! Rules of the production template that cfn-lint does not check.

#![expect(clippy::unwrap_used, reason = "a failed helper fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use local::template::Template;
use local::workspace::Workspace;
use serde_json::Value;

fn template() -> Template {
    Template::load(&Workspace::here().template()).unwrap()
}

fn functions(template: &Template) -> BTreeMap<&str, &Value> {
    template.resources("AWS::Serverless::Function").collect()
}

fn statements(function: &Value) -> impl Iterator<Item = &Value> {
    let policies = function["Policies"].as_array().unwrap();
    let statements = policies.iter().flat_map(|policy| policy["Statement"].as_array().unwrap());
    statements.map(|statement| statement.get("Fn::If").map_or(statement, |branches| &branches[1]))
}

fn actions(statement: &Value) -> Vec<&str> {
    match &statement["Action"] {
        Value::String(action) => vec![action],
        actions => actions.as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect(),
    }
}

/// The functions of the token broker.
const BROKERS: [&str; 2] = ["ConnectionManager", "TokenBroker"];

#[test]
fn only_the_token_broker_may_use_secrets() {
    let template = template();

    for (name, function) in functions(&template) {
        let secrets = statements(function).filter(|statement| statement.to_string().contains("secretsmanager:"));
        let (apps, tokens): (Vec<_>, Vec<_>) =
            secrets.partition(|statement| statement["Resource"]["Fn::GetAtt"][0] == "AppsSecret");
        let is_broker = BROKERS.contains(&name);
        assert_eq!((apps.len(), tokens.len()), (usize::from(is_broker), usize::from(is_broker)), "{name}");
        let readers = &function["Environment"]["Variables"]["TOKEN_SECRET_READERS"];
        let roles = "${TokenBrokerRole.Arn},${ConnectionManagerRole.Arn}";
        assert_eq!(readers["Fn::Sub"].as_str(), is_broker.then_some(roles), "{name}");
    }
}

#[test]
fn only_event_delivery_may_read_the_secrets_of_endpoints() {
    let template = template();
    for (name, function) in functions(&template) {
        let reads =
            statements(function).any(|statement| statement["Resource"].to_string().contains("EventEndpointsTable"));
        assert_eq!(reads, name == "EventDelivery", "{name}");
    }
}

#[test]
fn no_caller_both_obtains_tokens_and_may_create_connections() {
    let template = template();
    let functions = functions(&template);
    let served = |name: &str| {
        let operations = functions[name]["Environment"]["Variables"]["OPERATIONS"].as_str().unwrap();
        operations.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let (tokens, connections) = (served("TokenBroker"), served("ConnectionManager"));
    let shared: Vec<_> = tokens.iter().filter(|operation| connections.contains(operation)).collect();
    assert_eq!(shared, ["apps"]);

    let callers = |broker: &str| {
        let calls = |function: &Value| statements(function).any(|one| one["Resource"].to_string().contains(broker));
        functions.iter().filter(|(_, function)| calls(function)).map(|(name, _)| *name).collect::<Vec<_>>()
    };
    // When the package is removed, onboarding ends the connections; when an org connects, it reads the org's edition.
    assert_eq!(callers("ConnectionManager"), ["DataErasure", "OauthCallback", "Onboarding"]);
    for caller in ["DataErasure", "OauthCallback"] {
        assert!(!callers("TokenBroker").contains(&caller), "{caller}");
    }
}

#[test]
fn all_data_is_encrypted_with_the_chosen_key() {
    let template = template();
    assert_eq!(template.parameter_default("KmsKey"), Some("aws"));
    let is_key = |value: &Value| {
        let key = if value["Fn::If"][0] == "HasKmsKey" { &value["Fn::If"][1] } else { &Value::Null };
        key["Fn::If"] == serde_json::json!(["MakesKmsKey", { "Fn::GetAtt": ["DataKey", "Arn"] }, { "Ref": "KmsKey" }])
    };
    let mut checked = 0;
    for (kind, property) in [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
    ] {
        for (name, resource) in template.resources(kind) {
            assert!(is_key(&resource[property]), "{name}");
            checked += 1;
        }
    }
    for (name, table) in template.resources("AWS::DynamoDB::Table") {
        let encryption = &table["SSESpecification"]["Fn::If"];
        assert_eq!((&encryption[0], &encryption[1]["SSEEnabled"]), (&"HasKmsKey".into(), &true.into()), "{name}");
        assert_eq!(encryption[1]["KMSMasterKeyId"]["Fn::If"][2]["Ref"], "KmsKey", "{name}");
        checked += 1;
    }
    assert!(checked > 30, "{checked}");
    for broker in BROKERS {
        let variables = &functions(&template)[broker]["Environment"]["Variables"];
        assert_eq!(variables["TOKEN_SECRET_KMS_KEY"]["Fn::If"][0], "HasKmsKey");
    }
}

#[test]
fn the_key_decrypts_only_through_the_services_of_the_stack() {
    let template = template();
    let (_, key) = template.resources("AWS::KMS::Key").next().unwrap();
    assert_eq!(key["EnableKeyRotation"], true);

    for statement in key["KeyPolicy"]["Statement"].as_array().unwrap() {
        let uses_data = actions(statement)
            .iter()
            .any(|action| ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"].contains(action));
        assert!(actions(statement).iter().all(|action| !action.contains('*')), "{statement}");
        assert_eq!(uses_data, !statement["Condition"].is_null(), "{statement}");
    }
}

#[test]
fn fixed_addresses_are_optional_and_only_for_the_token_broker() {
    let template = template();
    assert_eq!(template.parameter_default("FixedAddresses"), Some("off"));

    for (name, function) in functions(&template) {
        let network = &function["VpcConfig"]["Fn::If"];
        assert_eq!(!function["VpcConfig"].is_null(), BROKERS.contains(&name), "{name}");
        if BROKERS.contains(&name) {
            assert_eq!((&network[0], &network[2]["Ref"]), (&"HasFixedAddresses".into(), &"AWS::NoValue".into()));
            let subnets = network[1]["SubnetIds"].as_array().unwrap();
            assert!(subnets.iter().all(|subnet| subnet["Ref"].as_str().unwrap().starts_with("Private")), "{subnets:?}");
        }
    }
    let whole: Value = serde_json::from_str(&template.to_json()).unwrap();
    let resources = whole["Resources"].as_object().unwrap();
    let network = resources.iter().filter(|(_, resource)| resource["Type"].as_str().unwrap().starts_with("AWS::EC2::"));
    let (optional, always): (Vec<_>, Vec<_>) =
        network.partition(|(_, resource)| resource["Condition"] == "HasFixedAddresses");
    assert!(always.is_empty() && optional.len() > 20, "{always:?}");
}

#[test]
fn the_network_allows_only_outbound_https_from_fixed_addresses() {
    let template = template();

    let groups: Vec<_> = template.resources("AWS::EC2::SecurityGroup").collect();
    let [(_, group)] = groups.as_slice() else { panic!("{groups:?}") };
    assert!(group["SecurityGroupIngress"].is_null());
    let egress = group["SecurityGroupEgress"].as_array().unwrap();
    assert!(egress.iter().all(|rule| (rule["FromPort"].as_u64(), rule["ToPort"].as_u64()) == (Some(443), Some(443))));

    for (name, gateway) in template.resources("AWS::EC2::NatGateway") {
        let address = gateway["AllocationId"]["Fn::GetAtt"][0].as_str().unwrap();
        assert!(template.resources("AWS::EC2::EIP").any(|(known, _)| known == address), "{name}");
    }
    for zone in ["A", "B"] {
        let (_, route) = template
            .resources("AWS::EC2::Route")
            .find(|(name, _)| *name == format!("PrivateDefaultRoute{zone}"))
            .unwrap();
        assert_eq!(route["NatGatewayId"]["Ref"], format!("NatGateway{zone}"));
        let outputs: Value = serde_json::from_str(&template.to_json()).unwrap();
        let output = &outputs["Outputs"][format!("FixedAddress{zone}")];
        assert_eq!(output["Value"]["Ref"], format!("FixedAddress{zone}"));
    }
}

#[test]
fn policies_name_their_actions_and_resources() {
    let template = template();

    for (name, function) in functions(&template) {
        for statement in statements(function).filter(|statement| statement["Effect"] == "Allow") {
            let actions = actions(statement);
            assert!(actions.iter().all(|action| !action.contains('*')), "{name}: {actions:?}");
            let is_for_all_resources = statement["Resource"] == "*";
            // AWS defines no resource type for this action.
            assert!(!is_for_all_resources || actions == ["dynamodb:ListStreams"], "{name}: {actions:?}");
        }
    }
}

#[test]
fn visibility_timeouts_are_six_times_the_function_timeout() {
    let template = template();
    let functions = functions(&template);
    let queues: BTreeMap<_, _> = template.resources("AWS::SQS::Queue").collect();

    let mut checked = 0;
    for (name, mapping) in template.resources("AWS::Lambda::EventSourceMapping") {
        let Some(queue) = queues.get(mapping["EventSourceArn"]["Fn::GetAtt"][0].as_str().unwrap()) else { continue };
        let function = functions[mapping["FunctionName"]["Ref"].as_str().unwrap()];
        let timeout = function["Timeout"].as_u64().unwrap_or(29);
        assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= 6 * timeout, "{name}");
        assert_eq!(mapping["FunctionResponseTypes"][0], "ReportBatchItemFailures", "{name}");
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn callers_outlast_the_functions_that_they_call() {
    let template = template();
    let functions = functions(&template);
    let timeout = |function: &Value| function["Timeout"].as_u64().unwrap_or(29);
    let called: Vec<_> = ["TokenBroker", "ConnectionManager"].iter().map(|id| timeout(functions[id])).collect();
    let mut callers = 0;
    for (id, function) in &functions {
        // Limits of calls are divided in a shorter invocation (`salesforce::deadline`).
        assert!(timeout(function) >= 20, "{id}");
        if statements(function).any(|statement| actions(statement).contains(&"lambda:InvokeFunction")) {
            callers += 1;
            assert!(called.iter().all(|called| timeout(function) > called + 3), "{id} has no time left to respond");
        }
    }
    assert!(callers > 7);
}

#[test]
fn queues_have_dead_letter_queues() {
    for (name, queue) in template().resources("AWS::SQS::Queue") {
        assert_eq!(queue["RedrivePolicy"].is_null(), name.ends_with("DeadLetters"), "{name}");
    }
}

#[test]
fn every_function_has_a_log_group() {
    let template = template();
    let logs: Vec<_> = template.resources("AWS::Logs::LogGroup").map(|(name, _)| name).collect();

    for (name, function) in functions(&template) {
        let group = function["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap();
        assert!(logs.contains(&group), "{name}");
        // Lambda passes lines of JSON on as they are, so that CloudWatch finds metrics in the closing line.
        assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON", "{name}");
    }
}

#[test]
fn every_bucket_is_private_and_expires() {
    let json: Value = serde_json::from_str(&template().to_json()).unwrap();
    let template = template();
    let buckets: Vec<&str> = template.resources("AWS::S3::Bucket").map(|(name, _)| name).collect();
    assert_eq!(buckets, ["FailedEvents", "StagedFiles"]);
    for name in buckets {
        let bucket = &json["Resources"][name];
        assert_eq!(
            (&bucket["DeletionPolicy"], &bucket["UpdateReplacePolicy"]),
            (&"RetainExceptOnCreate".into(), &"Retain".into())
        );
        let properties = &bucket["Properties"];
        let blocked = properties["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert!(blocked.len() == 4 && blocked.values().all(|blocked| blocked == true), "{name}: {blocked:?}");
        let encryption = &properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
        let choice = &encryption["ServerSideEncryptionByDefault"]["Fn::If"];
        let key = &choice[1]["KMSMasterKeyID"]["Fn::If"][2]["Ref"];
        assert_eq!((&choice[0], key), (&"HasKmsKey".into(), &"KmsKey".into()), "{name}");
        // They have customers' data, so a deleted object must be gone.
        assert!(properties["VersioningConfiguration"].is_null() && properties["BucketName"].is_null(), "{name}");
        assert_eq!(properties["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"], 14, "{name}");

        let policy = &json["Resources"][format!("{name}OverTls")]["Properties"];
        assert_eq!(policy["Bucket"]["Ref"], name);
        let denied = &policy["PolicyDocument"]["Statement"][0];
        assert_eq!((&denied["Effect"], &denied["Action"]), (&"Deny".into(), &"s3:*".into()), "{name}");
        assert_eq!(denied["Condition"]["Bool"]["aws:SecureTransport"], "false", "{name}");
    }
}

#[test]
fn an_archive_of_the_bus_is_made_on_request_only() {
    let json: Value = serde_json::from_str(&template().to_json()).unwrap();
    assert_eq!(json["Parameters"]["EventArchiveDays"]["Default"], 0);
    let archive = &json["Resources"]["EventArchive"];
    assert_eq!(archive["Condition"], "ArchivesEvents");
    assert_eq!(archive["Properties"]["SourceArn"]["Fn::GetAtt"][0], "EventBus");
    assert_eq!(archive["Properties"]["RetentionDays"]["Ref"], "EventArchiveDays");
}

#[test]
fn only_the_routes_of_the_platform_require_authorization() {
    let template = template();

    for (name, route) in template.resources("AWS::ApiGatewayV2::Route") {
        let (_, path) = route["RouteKey"].as_str().unwrap().split_once(' ').unwrap();
        assert_eq!(!route["AuthorizationType"].is_null(), path.starts_with("/v1/"), "{name}");
    }
}

#[test]
fn the_optional_webhook_domain_requires_mutual_tls() {
    let template = template();
    assert_eq!(template.parameter_default("WebhookDomainName"), Some(""));
    assert_eq!(template.parameter_default("WebhookClientName"), Some("proxy.salesforce.com"));
    let whole: Value = serde_json::from_str(&template.to_json()).unwrap();
    let (domain, mapping) = (&whole["Resources"]["WebhookDomain"], &whole["Resources"]["WebhookDomainMapping"]);
    assert_eq!((&domain["Condition"], &mapping["Condition"]), (&"HasWebhookDomain".into(), &"HasWebhookDomain".into()));
    let truststore = &domain["Properties"]["MutualTlsAuthentication"]["TruststoreUri"];
    assert_eq!(truststore["Ref"], "WebhookTruststoreUri");
    assert_eq!(mapping["Properties"]["DomainName"]["Ref"], "WebhookDomain");

    for (name, function) in functions(&template) {
        let variables = &function["Environment"]["Variables"];
        let required = &variables["WEBHOOK_CLIENT_NAME"]["Fn::If"];
        assert_eq!(required.is_null(), !["Onboarding", "OutboundMessage"].contains(&name), "{name}");
        if !required.is_null() {
            assert_eq!((&required[0], &required[2]), (&"HasWebhookDomain".into(), &"".into()), "{name}");
        }
    }
    let webhook_url = &functions(&template)["Onboarding"]["Environment"]["Variables"]["WEBHOOK_URL"]["Fn::If"];
    assert_eq!(
        (&webhook_url[0], &webhook_url[1]["Fn::Sub"]),
        (&"HasWebhookDomain".into(), &"https://${WebhookDomainName}".into())
    );
}

#[test]
fn the_access_log_has_no_path() {
    let template = template();
    let (_, stage) = template.resources("AWS::ApiGatewayV2::Stage").next().unwrap();

    let format = stage["AccessLogSettings"]["Format"].as_str().unwrap();

    assert!(format.contains("$context.routeKey"));
    assert!(!format.contains("$context.path") && !format.contains("$context.http"));
}

#[test]
fn every_open_route_has_its_own_throttle() {
    let json: Value = serde_json::from_str(&template().to_json()).unwrap();
    let stage = &json["Resources"]["HttpApiStage"];
    let (settings, default) = (&stage["Properties"]["RouteSettings"], &stage["Properties"]["DefaultRouteSettings"]);
    let created_before: Vec<_> = stage["DependsOn"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();

    let resources = json["Resources"].as_object().unwrap();
    let routes = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::ApiGatewayV2::Route");
    let open = routes.filter(|(_, route)| route["Properties"]["AuthorizationType"].is_null());
    let open: BTreeMap<_, _> =
        open.map(|(id, route)| (route["Properties"]["RouteKey"].as_str().unwrap(), id.as_str())).collect();

    let limited: BTreeSet<_> = settings.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(limited, open.keys().copied().collect());
    for (key, id) in &open {
        assert!(created_before.contains(id), "{id}");
        for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
            let limit = &settings[key][limit];
            assert!(limit.as_u64().is_some_and(|limit| limit > 0) || limit["Ref"].is_string(), "{key}: {limit}");
        }
        assert_eq!(settings[key]["DetailedMetricsEnabled"], true, "{key}");
    }
    let install = &settings["ANY /webhooks/salesforce/installs"]["ThrottlingRateLimit"];
    assert!(install.as_u64().unwrap() <= 5, "anyone can make a claim with each request");
    assert_eq!(default["ThrottlingRateLimit"]["Ref"], "PlatformRateLimit");
}

#[test]
fn concurrency_is_reserved_on_request_only() {
    let template = template();
    let reserved = [("OutboundMessage", "WebhookConcurrency"), ("TokenBroker", "TokenBrokerConcurrency")];

    for (name, function) in functions(&template) {
        let setting = &function["ReservedConcurrentExecutions"]["Fn::If"];
        let parameter = reserved.iter().find(|(function, _)| *function == name).map(|(_, parameter)| *parameter);
        assert_eq!(setting[1]["Ref"].as_str(), parameter, "{name}");
        if let Some(parameter) = parameter {
            assert_eq!(template.parameter_default(parameter), Some(""));
            assert_eq!(setting[2]["Ref"], "AWS::NoValue", "{name}");
        }
    }
}

#[test]
fn the_default_endpoint_is_disabled_only_beside_an_own_domain() {
    let json: Value = serde_json::from_str(&template().to_json()).unwrap();
    assert_eq!(json["Parameters"]["DefaultEndpoint"]["Default"], "on");
    let disabled = &json["Resources"]["HttpApi"]["Properties"]["DisableExecuteApiEndpoint"]["Fn::If"];
    assert_eq!(
        (&disabled[0], &disabled[1], &disabled[2]),
        (&"DisablesDefaultEndpoint".into(), &true.into(), &false.into())
    );
    let conditions = json["Conditions"]["DisablesDefaultEndpoint"]["Fn::And"].to_string();
    assert!(conditions.contains("DefaultEndpoint") && conditions.contains("PublicUrl"), "{conditions}");
}

#[test]
fn orgs_are_never_scanned() {
    let template = template();
    for (name, function) in functions(&template) {
        let of_orgs = |statement: &&Value| statement["Resource"].to_string().contains("OrgsTable");
        let scans = statements(function).filter(of_orgs).flat_map(actions).filter(|action| *action == "dynamodb:Scan");
        assert_eq!(scans.count(), 0, "{name}");
    }
    let (_, orgs) = template.resources("AWS::DynamoDB::Table").find(|(name, _)| *name == "OrgsTable").unwrap();
    assert_eq!(orgs["TimeToLiveSpecification"]["AttributeName"], "expires_at");
}

#[test]
fn tables_have_backups_and_are_kept_when_the_stack_is_deleted() {
    let json: Value = serde_json::from_str(&template().to_json()).unwrap();
    let resources = json["Resources"].as_object().unwrap();
    assert_eq!(json["Parameters"]["DeletionProtection"]["Default"], "on");

    let of = |kind: &str| resources.iter().filter(move |(_, resource)| resource["Type"] == kind).collect::<Vec<_>>();
    let (tables, secrets) = (of("AWS::DynamoDB::Table"), of("AWS::SecretsManager::Secret"));

    assert_eq!(tables.len(), 18);
    for (name, table) in &tables {
        let recovery = &table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
        assert_eq!(recovery, true, "{name}");
        assert_eq!(table["Properties"]["DeletionProtectionEnabled"]["Fn::If"][0], "ProtectsTables", "{name}");
    }
    for (name, kept) in tables.into_iter().chain(secrets) {
        assert_eq!(kept["DeletionPolicy"], "RetainExceptOnCreate", "{name}");
        assert_eq!(kept["UpdateReplacePolicy"], "Retain", "{name}");
    }
}

#[test]
fn only_data_erasure_may_delete_rows_of_the_mirror() {
    let template = template();
    let deletes = |statement: &Value| {
        let may_delete = ["dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:*"];
        statement["Resource"].to_string().contains("RecordsTable")
            && actions(statement).iter().any(|action| may_delete.contains(action))
    };
    for (name, function) in functions(&template) {
        assert_eq!(statements(function).any(deletes), name == "DataErasure", "{name}");
    }
}

#[test]
fn rows_with_a_retention_expire() {
    let template = template();
    let expiring: Vec<&str> = template
        .resources("AWS::DynamoDB::Table")
        .filter(|(_, table)| table["TimeToLiveSpecification"]["AttributeName"] == "expires_at")
        .map(|(name, _)| name)
        .collect();
    for table in [
        "RecordsTable",
        "WritesTable",
        "WriteOrderTable",
        "DeliveriesTable",
        "OriginsTable",
        "BudgetsTable",
        "FreshnessTable",
        "AuthorizationsTable",
    ] {
        assert!(expiring.contains(&table), "{table}");
    }
    assert!(!expiring.contains(&"ErasuresTable"), "an erasure is evidence");
}
