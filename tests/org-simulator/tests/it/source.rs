//! SFDX projects in an org.

use std::fs;
use std::path::Path;

use org_simulator::{DeliveryState, SourceReport};
use serde_json::json;

use crate::support::{ADMIN, TestContext, fields};

const PROJECT: &str = r#"{"packageDirectories": [{"path": "app", "default": true}],
    "replacements": [
        {"glob": "app/workflows/*.xml", "stringToReplace": "https://example.com", "replaceWithEnv": "ENDPOINT"},
        {"filename": "app/x", "stringToReplace": "a", "replaceWithEnv": "NOT_SET"}]}"#;

const FILES: [(&str, &str); 9] = [
    (
        "objects/Deal__c/Deal__c.object-meta.xml",
        "<CustomObject><label>Deal</label><pluralLabel>All Deals</pluralLabel><sharingModel>Private</sharingModel>
         <nameField><type>AutoNumber</type><displayFormat>D-{0000}</displayFormat><label>Deal No.</label></nameField>
         <validationRules><fullName>Must</fullName></validationRules></CustomObject>",
    ),
    (
        "objects/Deal__c/fields/Account__c.field-meta.xml",
        "<CustomField><type>Lookup</type><referenceTo>Account</referenceTo><relationshipName>Deals</relationshipName></CustomField>",
    ),
    (
        "objects/Deal__c/fields/Key__c.field-meta.xml",
        "<CustomField><type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique></CustomField>",
    ),
    ("objects/Deal__c/fields/Sum__c.field-meta.xml", "<CustomField><type>EncryptedText</type></CustomField>"),
    ("objects/Setting__mdt/Setting__mdt.object-meta.xml", "<CustomObject><label>Setting</label></CustomObject>"),
    ("classes/Work.cls-meta.xml", "<ApexClass/>"),
    (
        "flows/Deal_Changed.flow-meta.xml",
        "<Flow><actionCalls><actionName>Deal__c.Changed</actionName><actionType>outboundMessage</actionType></actionCalls>
         <start><object>Deal__c</object><recordTriggerType>CreateAndUpdate</recordTriggerType>
         <triggerType>RecordAfterSave</triggerType></start><status>Active</status></Flow>",
    ),
    (
        "workflows/Deal__c.workflow-meta.xml",
        "<Workflow><outboundMessages><fullName>Changed</fullName><apiVersion>64.0</apiVersion><fields>Key__c</fields>
         <endpointUrl>https://example.com/x</endpointUrl><integrationUser>nobody@example.com</integrationUser></outboundMessages>
         <outboundMessages><fullName>Unused</fullName><endpointUrl>https://example.com/y</endpointUrl></outboundMessages></Workflow>",
    ),
    (
        "permissionsets/Deals.permissionset-meta.xml",
        "<PermissionSet><label>All Deals</label>
         <userPermissions><enabled>true</enabled><name>ViewAllData</name></userPermissions>
         <userPermissions><enabled>true</enabled><name>RunFlow</name></userPermissions></PermissionSet>",
    ),
];

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

async fn installed() -> (TestContext, SourceReport) {
    let (context, dir) = (TestContext::new().await, tempfile::tempdir().unwrap());
    write(dir.path(), "sfdx-project.json", PROJECT);
    for (name, text) in FILES {
        write(&dir.path().join("app"), name, text);
    }
    let variable = |name: &str| (name == "ENDPOINT").then(|| "http://127.0.0.1:9".to_owned());
    let report = context.org.install_source(dir.path(), variable).unwrap();
    (context, report)
}

#[tokio::test]
async fn objects_fields_and_messages_of_a_project_work() {
    let (context, report) = installed().await;
    assert_eq!(
        report.installed,
        [
            "object Deal__c",
            "field Deal__c.Account__c",
            "field Deal__c.Key__c",
            "flow Deal_Changed",
            "outbound message Deal__c.Changed",
            "outbound message Deal__c.Unused",
            "permission set Deals",
        ]
    );
    let account = context.org.create_record(ADMIN, "Account", &fields(json!({"Name": "A"}))).unwrap();
    let deal = fields(json!({"Key__c": "k1", "Account__c": account}));
    let deal = context.org.create_record(ADMIN, "Deal__c", &deal).unwrap();
    assert_eq!(context.org.record("Deal__c", &deal).unwrap()["Name"], "D-0001");

    let described = context.get("sobjects/Deal__c/describe").await.body;
    assert_eq!((&described["label"], &described["labelPlural"]), (&json!("Deal"), &json!("All Deals")));
    let children = context.query("SELECT (SELECT Key__c FROM Deals__r) FROM Account WHERE Name = 'A'").await.body;
    assert_eq!(children["records"][0]["Deals__r"]["records"][0]["Key__c"], "k1");
    let sets = context.query("SELECT PermissionsViewAllData FROM PermissionSet WHERE Name = 'Deals'").await.body;
    assert_eq!(sets["records"][0]["PermissionsViewAllData"], true);

    let sent = context.org.outbound_messages();
    let sent: Vec<_> = sent.iter().map(|delivery| (delivery.object.as_str(), delivery.state)).collect();
    assert_eq!(sent, [("Deal__c", DeliveryState::Pending)], "only the message that a flow sends");
}

#[tokio::test]
async fn what_a_project_has_and_an_org_has_not_is_named() {
    let (_context, report) = installed().await;
    for part in [
        "sfdx-project.json: the replacement of a: NOT_SET is not set",
        "app/objects/Deal__c/Deal__c.object-meta.xml: validationRules Must: it is not supported",
        "app/objects/Deal__c/fields/Sum__c.field-meta.xml: Deal__c.Sum__c: fields of type EncryptedText are not supported",
        "app/objects/Setting__mdt/Setting__mdt.object-meta.xml: only the settings of custom objects (__c) are supported",
        "app/workflows/Deal__c.workflow-meta.xml: Deal__c.Changed: the user nobody@example.com does not exist, so it contains what an administrator sees",
        "app/workflows/Deal__c.workflow-meta.xml: Deal__c.Unused: no installed flow sends it, so it is not active",
        "app/permissionsets/Deals.permissionset-meta.xml: userPermissions RunFlow: the permission is not supported",
        "app/classes/Work.cls-meta.xml: this kind of metadata is not supported",
    ] {
        assert!(report.skipped.iter().any(|skipped| skipped == part), "{part}: {:#?}", report.skipped);
    }
    assert_eq!(report.skipped.len(), 8, "{:#?}", report.skipped);
}

#[tokio::test]
async fn a_project_that_cannot_be_read_changes_nothing() {
    let (context, dir) = (TestContext::new().await, tempfile::tempdir().unwrap());
    let install = || context.org.install_source(dir.path(), |_| None).unwrap_err().to_string();
    assert!(install().contains("sfdx-project.json"));
    write(dir.path(), "sfdx-project.json", r#"{"packageDirectories": [{"path": "app"}]}"#);
    write(dir.path(), "app/objects/Deal__c/Deal__c.object-meta.xml", "<CustomObject/>");
    write(dir.path(), "app/objects/Deal__c/fields/Key__c.field-meta.xml", "<CustomField>");
    assert!(install().contains("Key__c.field-meta.xml: it is not well-formed XML"));
    assert_eq!(context.get("sobjects/Deal__c/describe").await.status, 404);
}

#[tokio::test]
async fn the_package_of_this_project_is_installed() {
    let context = TestContext::new().await;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/salesforce");
    let variable = |name: &str| (name == "FERRY_PUBLIC_URL").then(|| "http://127.0.0.1:9".to_owned());
    let report = context.org.install_source(&dir, variable).unwrap();
    for object in ["Account", "Contact", "Lead", "Opportunity"] {
        for part in [
            format!("field {object}.Ferry_External_Id__c"),
            format!("flow Ferry_{object}_Changed"),
            format!("outbound message {object}.Ferry_{object}_Changed"),
        ] {
            assert!(report.installed.contains(&part), "{part}: {report:#?}");
        }
    }
    assert!(report.skipped.iter().any(|part| part.contains("classes/PostInstall.cls-meta.xml")), "{report:#?}");
    context.org.create_record(ADMIN, "Account", &fields(json!({"Name": "A"}))).unwrap();
    assert_eq!(context.org.outbound_messages().len(), 1);
}

#[tokio::test]
async fn computed_fields_of_a_project_are_installed_in_any_order() {
    let (context, dir) = (TestContext::new().await, tempfile::tempdir().unwrap());
    write(dir.path(), "sfdx-project.json", r#"{"packageDirectories": [{"path": "app"}]}"#);
    for object in ["Invoice__c", "Line__c"] {
        write(dir.path(), &format!("app/objects/{object}/{object}.object-meta.xml"), "<CustomObject/>");
    }
    for (object, name, members) in [
        ("Invoice__c", "A_Rank__c", "<type>Text</type><formula>IF(Total__c &gt; 10, 'large', 'small')</formula>"),
        (
            "Invoice__c",
            "Total__c",
            "<type>Summary</type><summarizedField>Line__c.Amount__c</summarizedField>\
             <summaryForeignKey>Line__c.Invoice__c</summaryForeignKey><summaryOperation>sum</summaryOperation>",
        ),
        ("Line__c", "Amount__c", "<type>Currency</type><precision>18</precision><scale>2</scale>"),
        (
            "Line__c",
            "Invoice__c",
            "<type>MasterDetail</type><referenceTo>Invoice__c</referenceTo><relationshipName>Lines</relationshipName>",
        ),
        ("Line__c", "Wrong__c", "<type>Text</type><formula>Nowhere__c</formula>"),
    ] {
        let path = format!("app/objects/{object}/fields/{name}.field-meta.xml");
        write(dir.path(), &path, &format!("<CustomField>{members}</CustomField>"));
    }
    let report = context.org.install_source(dir.path(), |_| None).unwrap();
    let [skipped] = report.skipped.as_slice() else { panic!("{:#?}", report.skipped) };
    assert!(skipped.contains("Line__c.Wrong__c") && skipped.contains("Field Nowhere__c does not exist"), "{skipped}");

    let invoice = context.org.create_record(ADMIN, "Invoice__c", &fields(json!({"Name": "I"}))).unwrap();
    for amount in [10, 5] {
        let line = fields(json!({"Name": "L", "Invoice__c": invoice, "Amount__c": amount}));
        context.org.create_record(ADMIN, "Line__c", &line).unwrap();
    }
    let found = context.query("SELECT Total__c, A_Rank__c FROM Invoice__c").await.body;
    assert_eq!((&found["records"][0]["Total__c"], &found["records"][0]["A_Rank__c"]), (&json!(15.0), &json!("large")));
    context.delete(&format!("sobjects/Invoice__c/{invoice}")).await;
    assert_eq!(
        context.query("SELECT COUNT() FROM Line__c").await.body["totalSize"],
        0,
        "a detail goes with its master"
    );
}
