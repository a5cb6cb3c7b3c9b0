//! Describes of objects, beside the recordings of `rest/describe`.

use crate::shapes::{
    Comparison::{self, ByTest, Get},
    assert_shape, read,
};
use crate::support::TestContext;

pub(in crate::shapes) const RECORDINGS: &[(&str, Comparison)] = &[
    ("rest/describe/Account.json", ByTest("standard_fields_are_described_as_recorded")),
    ("rest/describe/Case.json", ByTest("standard_fields_are_described_as_recorded")),
    ("rest/describe/Contact.json", ByTest("standard_fields_are_described_as_recorded")),
    ("rest/describe/Lead.json", ByTest("standard_fields_are_described_as_recorded")),
    ("rest/describe/Opportunity.json", ByTest("standard_fields_are_described_as_recorded")),
    ("rest/describe/OpportunityContactRole.json", ByTest("describe_has_the_recorded_keys")),
    ("rest/describe/account-sampled-in-composite.json", ByTest("composites_are_handled_as_recorded")),
    ("rest/describe/global-2026-trimmed.json", Get("sobjects", &["urls"])),
    ("rest/describe/global-shortened.json", ByTest("describe_global_versions_and_limits_have_the_recorded_keys")),
];

#[tokio::test]
async fn describe_has_the_recorded_keys() {
    let Some(recording) = read("rest/describe/OpportunityContactRole.json") else { return };
    let context = TestContext::new().await;
    let ours = context.get("sobjects/OpportunityContactRole/describe").await.body;
    assert_shape(&ours, &recording, "describe", &["urls", "recordTypeInfos"]);
    for field in recording["fields"].as_array().unwrap() {
        let mine = ours["fields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["name"] == field["name"])
            .unwrap_or_else(|| panic!("{}", field["name"]));
        for key in [
            "type",
            "referenceTo",
            "relationshipName",
            "soapType",
            "nillable",
            "createable",
            "updateable",
            "externalId",
        ] {
            assert_eq!(mine[key], field[key], "{} {key}", field["name"]);
        }
    }
}

#[tokio::test]
async fn standard_fields_are_described_as_recorded() {
    for object in ["Account", "Contact", "Lead", "Opportunity", "Case"] {
        let Some(recording) = read(&format!("rest/describe/{object}.json")) else { return };
        let context = TestContext::new().await;
        let ours = context.get(&format!("sobjects/{object}/describe")).await.body;
        for field in ours["fields"].as_array().unwrap() {
            let Some(theirs) = recording["fields"].as_array().unwrap().iter().find(|f| f["name"] == field["name"])
            else {
                continue;
            };
            for key in [
                "type",
                "nillable",
                "createable",
                "updateable",
                "defaultedOnCreate",
                "idLookup",
                "nameField",
                "relationshipName",
                "aggregatable",
                "filterable",
                "groupable",
                "sortable",
                "polymorphicForeignKey",
                "namePointing",
                "defaultValue",
            ] {
                assert_eq!(field[key], theirs[key], "{object}.{} {key}", field["name"]);
            }
        }
        assert_eq!(ours["keyPrefix"], recording["keyPrefix"]);
    }
}
