//! SOAP: the conversion of leads, and faults.

use serde_json::json;

use crate::answer::Answer;
use crate::check::{Check, Finding, holds, not_applicable};
use crate::org::{Org, VERSION};

const CONVERT: &str = "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_convertlead.htm";
const LEAD: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_lead.htm";
const FAULTS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a converted status is marked in LeadStatus",
        source: "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_leadstatus.htm",
        relied_on: "the status for a conversion is chosen from the org",
        run: |org| {
            status(org)?;
            Ok(())
        },
    },
    Check {
        name: "convertLead returns account, contact and opportunity",
        source: CONVERT,
        relied_on: "a lead of the platform is converted",
        run: |org| {
            let lead = lead(org, "convert")?;
            let done = convert(org, &conversion(&lead, &status(org)?, &org.name("convert")))?.has_status(200)?;
            own(org, &done);
            let body = done.body();
            let right = ["<success>true</success>", "<accountId>001", "<contactId>003", "<opportunityId>006"]
                .iter()
                .all(|part| body.contains(part));
            holds(right, "success, accountId, contactId and opportunityId", body)
        },
    },
    Check {
        name: "a converted lead has the ids of its records and stays queryable",
        source: LEAD,
        relied_on: "a lead that a user converted is found with its records",
        run: |org| {
            let lead = lead(org, "queryable")?;
            own(org, &convert(org, &conversion(&lead, &status(org)?, &org.name("queryable")))?.has_status(200)?);
            let soql = format!(
                "SELECT IsConverted, ConvertedDate, ConvertedAccountId, ConvertedContactId, ConvertedOpportunityId \
                    FROM Lead WHERE Id = '{lead}'"
            );
            let row = json!({
                "IsConverted": true, "ConvertedDate": "<date>", "ConvertedAccountId": "<id 001>",
                "ConvertedContactId": "<id 003>", "ConvertedOpportunityId": "<id 006>",
            });
            org.query(&soql)?.is(200, &json!({"totalSize": 1, "records": [row]}))?;
            Ok(())
        },
    },
    Check {
        name: "a converted lead cannot be updated",
        source: LEAD,
        relied_on: "a write to a converted lead is refused for good",
        run: |org| {
            let lead = lead(org, "read-only")?;
            own(org, &convert(org, &conversion(&lead, &status(org)?, &org.name("read-only")))?.has_status(200)?);
            let refused = org.patch(&format!("sobjects/Lead/{lead}"), json!({"Title": "x"})).send()?;
            if refused.status == 204 {
                return Err(not_applicable("the user may edit converted leads"));
            }
            refused.fails(400, "CANNOT_UPDATE_CONVERTED_LEAD")?;
            Ok(())
        },
    },
    Check {
        name: "without an opportunity none is created",
        source: CONVERT,
        relied_on: "the platform chooses if a conversion makes an opportunity",
        run: |org| {
            let lead = lead(org, "no opportunity")?;
            let elements = format!(
                "<urn:convertedStatus>{}</urn:convertedStatus>\
                 <urn:doNotCreateOpportunity>true</urn:doNotCreateOpportunity><urn:leadId>{lead}</urn:leadId>\
                 <urn:overwriteLeadSource>false</urn:overwriteLeadSource>\
                 <urn:sendNotificationEmail>false</urn:sendNotificationEmail>",
                status(org)?
            );
            let done = convert(org, &elements)?.has_status(200)?;
            own(org, &done);
            let body = done.body();
            holds(
                body.contains("<success>true</success>") && !body.contains("<opportunityId>006"),
                "success without opportunityId",
                body,
            )
        },
    },
    Check {
        name: "elements in another order are refused",
        source: CONVERT,
        relied_on: "the elements of a conversion are written in the order of the schema",
        run: |org| {
            let lead = lead(org, "order")?;
            let elements = format!(
                "<urn:sendNotificationEmail>false</urn:sendNotificationEmail>\
                 <urn:overwriteLeadSource>false</urn:overwriteLeadSource><urn:leadId>{lead}</urn:leadId>\
                 <urn:doNotCreateOpportunity>true</urn:doNotCreateOpportunity>\
                 <urn:convertedStatus>{}</urn:convertedStatus>",
                status(org)?
            );
            let refused = convert(org, &elements)?;
            own(org, &refused);
            holds(refused.status == 500 && refused.body().contains("faultcode"), "500 with a fault", refused.shown())
        },
    },
    Check {
        name: "an unknown status is refused in the result",
        source: CONVERT,
        relied_on: "a conversion that fails is no fault",
        run: |org| {
            let lead = lead(org, "status")?;
            let done = convert(org, &conversion(&lead, "No such status", &org.name("status")))?.has_status(200)?;
            own(org, &done);
            let body = done.body();
            holds(
                body.contains("<success>false</success>") && body.contains("<statusCode>"),
                "success false with a statusCode",
                body,
            )
        },
    },
    Check {
        name: "a lead cannot be converted by REST",
        source: "https://github.com/restforce/restforce/issues/483",
        relied_on: "conversions are made by SOAP",
        run: |org| {
            let lead = lead(org, "rest")?;
            let refused = org.patch(&format!("sobjects/Lead/{lead}"), json!({"IsConverted": true})).send()?;
            holds(refused.status == 400, "400", refused.shown())
        },
    },
    Check {
        name: "an unknown session is a fault with sf:INVALID_SESSION_ID",
        source: FAULTS,
        relied_on: "a new session is obtained and the conversion repeated",
        run: |org| {
            let refused = soap(org, "00D000000000001!unknown", "<urn:getUserInfo/>")?;
            holds(
                refused.status == 500 && refused.body().contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>"),
                "500 with sf:INVALID_SESSION_ID",
                refused.shown(),
            )
        },
    },
];

fn lead(org: &Org, name: &str) -> Result<String, Finding> {
    org.create("Lead", json!({"LastName": org.name(name), "Company": org.name(name)}))
}

fn status(org: &Org) -> Result<String, Finding> {
    let found = org.query("SELECT ApiName FROM LeadStatus WHERE IsConverted = TRUE")?;
    found.text("/records/0/ApiName")
}

fn conversion(lead: &str, status: &str, name: &str) -> String {
    format!(
        "<urn:convertedStatus>{status}</urn:convertedStatus>\
         <urn:doNotCreateOpportunity>false</urn:doNotCreateOpportunity><urn:leadId>{lead}</urn:leadId>\
         <urn:opportunityName>{name}</urn:opportunityName><urn:overwriteLeadSource>false</urn:overwriteLeadSource>\
         <urn:sendNotificationEmail>false</urn:sendNotificationEmail>"
    )
}

fn convert(org: &Org, elements: &str) -> Result<Answer, Finding> {
    let operation = format!("<urn:convertLead><urn:leadConverts>{elements}</urn:leadConverts></urn:convertLead>");
    soap(org, &org.target.access_token, &operation)
}

fn soap(org: &Org, session: &str, operation: &str) -> Result<Answer, Finding> {
    let envelope = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:urn=\"urn:partner.soap.sforce.com\">\
         <soapenv:Header><urn:SessionHeader><urn:sessionId>{session}</urn:sessionId></urn:SessionHeader>\
         </soapenv:Header><soapenv:Body>{operation}</soapenv:Body></soapenv:Envelope>"
    );
    let request = org.request("POST", &format!("/services/Soap/u/{VERSION}")).without_session();
    request.header("SOAPAction", "\"\"").body("text/xml; charset=UTF-8", &envelope).send()
}

/// Notes the records of a conversion, so that they are deleted after the check.
fn own(org: &Org, done: &Answer) {
    let body = done.body();
    for (element, object) in [("accountId", "Account"), ("contactId", "Contact"), ("opportunityId", "Opportunity")] {
        let value = body.split_once(&format!("<{element}>")).and_then(|(_, rest)| rest.split('<').next());
        if let Some(id) = value.filter(|id| id.len() == 18) {
            org.own(object, id);
        }
    }
}
