//! Numbers keep every digit on their way through Ferry: from the platform's request to Salesforce, and from there to the mirror. The
//! values of an event pass through the emulator's bus, which reads them as doubles; `record-events` tests what it sends.

use harness::run;
use salesforce::ObjectName;
use serde_json::Value;

use crate::harness::TestContext;

const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");

fn deal(amount: &str) -> Value {
    let text = format!(
        r#"{{"Ferry_External_Id__c": "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": {amount}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// A double would end in 56.8.
#[test]
fn eighteen_digits_reach_salesforce_and_the_mirror() {
    run(async {
        let context = TestContext::new().await;

        let (id, _) = context.write("k1", deal("1234567890123456.78")).await;
        let record = context.simulator.record("Opportunity", id.as_str()).unwrap();
        assert_eq!(record["Amount"].to_string(), "1234567890123456.78");
        let events = context.settle(&OPPORTUNITY, id).await;

        let row = context.mirrored(&OPPORTUNITY, id).await.unwrap();
        assert_eq!(row.fields["Amount"].to_string(), "1234567890123456.78");
        assert_eq!(events.len(), 1, "{events:?}");

        // Only the last digit differs.
        context.pass(jiff::SignedDuration::from_mins(1));
        context.write("k2", deal("1234567890123456.79")).await;
        let events = context.settle(&OPPORTUNITY, id).await;
        let changed = events[0]["data"]["changed_fields"].as_array().unwrap();
        assert!(changed.iter().any(|field| field == "Amount"), "{events:?}");
    });
}
