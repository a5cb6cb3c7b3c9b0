//! The operations of the partner SOAP API and deletions, against the simulator.

use org_simulator::{Effect, Fault};
use salesforce::soap::partner::{LeadConversion, Merge};
use salesforce::{Classify, Error, ObjectName, RecordId, Retry};
use serde_json::json;

use crate::org::{ACCOUNT, ADMIN, Org, REP, fields};

const LEAD: ObjectName = ObjectName::from_static("Lead");

fn account(org: &Org, name: &str) -> RecordId {
    org.create(REP, &ACCOUNT, &fields(json!({ "Name": name })))
}

fn conversion(lead_id: RecordId) -> LeadConversion {
    LeadConversion {
        lead_id,
        status: "Closed - Converted".to_owned(),
        account_id: None,
        contact_id: None,
        without_opportunity: false,
        opportunity_name: Some("R&D".to_owned()),
        owner_id: None,
        overwrite_lead_source: false,
        send_notification_email: false,
    }
}

fn lead(org: &Org) -> RecordId {
    org.create(REP, &LEAD, &fields(json!({ "LastName": "Vogt", "Company": "Vogt AG" })))
}

/// Applies an effect to the next requests to the SOAP API.
fn fault(org: &Org, effect: Effect) {
    org.0.fault(Fault { path_prefix: "/services/Soap/".to_owned(), method: None, times: 1, effect });
}

#[tokio::test]
async fn a_lead_is_converted_once() {
    let org = Org::start().await;
    let (client, lead) = (org.client(REP), lead(&org));

    let converted = client.convert_lead(&conversion(lead)).await.unwrap().unwrap();

    let name = |object: &str, id: RecordId| org.0.record(object, id.as_str()).unwrap()["Name"].clone();
    assert_eq!(name("Account", converted.account_id), "Vogt AG");
    assert_eq!(name("Opportunity", converted.opportunity_id.unwrap()), "R&D");
    let refused = client.convert_lead(&conversion(lead)).await.unwrap().unwrap_err();
    assert_eq!(refused[0].code, "CANNOT_UPDATE_CONVERTED_LEAD");
    assert_eq!(
        (client.api_calls(), client.read_meter().unwrap().calls),
        (2, 2),
        "SOAP reports the usage in its own header"
    );
}

#[tokio::test]
async fn merged_records_are_deleted_and_redirected() {
    let org = Org::start().await;
    let (client, stays, merged) = (org.client(ADMIN), account(&org, "A"), account(&org, "B"));
    let contact = ObjectName::from_static("Contact");
    let contact = org.create(REP, &contact, &fields(json!({ "LastName": "Doe", "AccountId": merged })));
    let fields = fields(json!({ "Phone": "1", "Website": null }));

    let done = client.merge(&Merge { object: ACCOUNT, master_id: stays, fields, merged_ids: vec![merged] }).await;

    let done = done.unwrap().unwrap();
    assert_eq!(done.merged_ids, [merged]);
    assert!(done.updated_related_ids.contains(&contact), "{:?}", done.updated_related_ids);
    assert_eq!(org.0.record("Account", stays.as_str()).unwrap()["Phone"], "1");
}

#[tokio::test]
async fn deleted_records_are_restored_each_by_itself() {
    let org = Org::start().await;
    let (client, live, gone) = (org.client(ADMIN), account(&org, "A"), account(&org, "B"));
    org.delete(&ACCOUNT, &gone);

    let deleted = client.delete(&[live, gone]).await.unwrap();
    assert_eq!((deleted[0].success, deleted[1].errors[0].code.as_str()), (true, "ENTITY_IS_DELETED"));

    let restored = client.undelete(&[gone, "001000000000001".parse().unwrap()]).await.unwrap();
    assert_eq!((restored[0].id, restored[0].success), (Some(gone), true));
    assert_eq!((restored[1].success, restored[1].errors.len()), (false, 1));
}

#[tokio::test]
async fn a_fault_is_an_error_of_the_same_kind_as_in_rest() {
    let org = Org::start().await;
    let client = org.client(REP);
    let call = async |code: &str| {
        fault(&org, Effect::Error { status: 500, code: code.to_owned(), message: "text".to_owned() });
        client.convert_lead(&conversion("00Q000000000001".parse().unwrap())).await.unwrap_err()
    };
    assert!(matches!(call("INVALID_SESSION_ID").await, Error::SessionRefused { .. }));
    assert!(matches!(call("REQUEST_LIMIT_EXCEEDED").await, Error::DailyLimit { .. }));
    assert!(matches!(call("UNKNOWN_EXCEPTION").await.retry(), Retry::Unknown(_)));
    assert!(call("API_DISABLED_FOR_ORG").await.has_code("API_DISABLED_FOR_ORG"));
    assert_eq!(call("INVALID_FIELD").await.retry(), Retry::Never);
}

#[tokio::test]
async fn a_lost_response_of_soap_is_the_callers_to_look_up() {
    for effect in [Effect::ResetAfter, Effect::Unavailable, Effect::Truncate { keep_bytes: None }] {
        let org = Org::start().await;
        let (client, lead) = (org.client(REP), lead(&org));
        fault(&org, effect.clone());
        let error = client.convert_lead(&conversion(lead)).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::Unknown(_)), "{effect:?}: {error}");
        assert!(client.has_lost_write(), "{effect:?}");
        assert_eq!(client.api_calls(), 1, "{effect:?}");
    }
}
