use super::*;

fn id(id: &str) -> RecordId {
    id.parse().unwrap()
}

fn conversion() -> LeadConversion {
    LeadConversion {
        lead_id: id("00Q5e000001AbCdEAK"),
        status: "Closed - Converted".to_owned(),
        account_id: Some(id("0015e00000ZkM3hAAF")),
        contact_id: Some(id("0035e00000ZkM3hAAF")),
        without_opportunity: false,
        opportunity_name: Some("R&D <new>".to_owned()),
        owner_id: Some(id("0055e000001mKpCAAU")),
        overwrite_lead_source: true,
        send_notification_email: false,
    }
}

fn names(xml: &str) -> Vec<&str> {
    xml.split('<').filter(|tag| !tag.starts_with('/')).filter_map(|tag| Some(tag.split_once('>')?.0)).collect()
}

fn reply(name: &str, content: &str) -> Reply {
    let xml = format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\" \
         xmlns:sf=\"urn:sobject.partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Header>\
         <LimitInfoHeader><limitInfo><current>7</current><limit>15000</limit><type>API REQUESTS</type></limitInfo>\
         </LimitInfoHeader></soapenv:Header><soapenv:Body><{name}Response>{content}</{name}Response></soapenv:Body>\
         </soapenv:Envelope>"
    );
    Reply::parse("run a test", name, xml.as_bytes()).unwrap()
}

#[test]
fn the_elements_of_a_conversion_are_in_the_schemas_order() {
    let xml = conversion().element().unwrap().finish().unwrap();
    let names = names(&xml);
    assert_eq!(names[..2], ["urn:convertLead", "urn:leadConverts"]);
    assert!(names[2..].is_sorted(), "{names:?}");
    assert_eq!(names.len(), 13, "{names:?}");
    assert!(xml.contains("<urn:opportunityName>R&amp;D &lt;new&gt;</urn:opportunityName>"), "{xml}");
}

#[test]
fn what_a_conversion_creates_is_not_named() {
    let request =
        LeadConversion { account_id: None, contact_id: None, opportunity_name: None, owner_id: None, ..conversion() };
    let xml = request.element().unwrap().finish().unwrap();
    for absent in ["accountId", "contactId", "opportunityName", "ownerId"] {
        assert!(!xml.contains(absent), "{absent} in {xml}");
    }
}

#[test]
fn a_merge_empties_the_fields_that_are_null() {
    let fields = serde_json::json!({"Phone": null, "Name": "A & B", "NumberOfEmployees": 12, "Active__c": true});
    let merge = Merge {
        object: "Account".parse().unwrap(),
        master_id: id("0015e00000ZkM3hAAF"),
        fields: fields.as_object().unwrap().clone(),
        merged_ids: vec![id("0015e00000ZkM3iAAF")],
    };
    let expected = "<urn:merge><urn:request><urn:masterRecord><sobject:type>Account</sobject:type>\
                    <sobject:fieldsToNull>Phone</sobject:fieldsToNull><sobject:Id>0015e00000ZkM3hAAF</sobject:Id>\
                    <sobject:Name>A &amp; B</sobject:Name><sobject:NumberOfEmployees>12</sobject:NumberOfEmployees>\
                    <sobject:Active__c>true</sobject:Active__c></urn:masterRecord>\
                    <urn:recordToMergeIds>0015e00000ZkM3iAAF</urn:recordToMergeIds></urn:request></urn:merge>";
    assert_eq!(merge.element().unwrap().finish().unwrap(), expected);
    for value in [serde_json::json!({"Key__c": "A"}), serde_json::json!([1])] {
        let fields = [("Parent".to_owned(), value)].into_iter().collect();
        assert!(matches!(Merge { fields, ..merge.clone() }.element(), Err(Error::Invalid { .. })));
    }
}

#[test]
fn text_that_is_no_xml_is_not_sent() {
    let request = LeadConversion { opportunity_name: Some("a\u{0}b".to_owned()), ..conversion() };
    assert!(matches!(request.element(), Err(Error::Invalid { .. })));
    let fields = [("Name><x".to_owned(), Value::from("b"))].into_iter().collect();
    let merge = Merge {
        object: "Account".parse().unwrap(),
        master_id: id("0015e00000ZkM3hAAF"),
        fields,
        merged_ids: Vec::new(),
    };
    assert!(matches!(merge.element(), Err(Error::Invalid { .. })));
}

#[test]
fn the_session_is_escaped_in_the_header() {
    let xml = envelope("00D!a&b", "<urn:getUserInfo/>");
    assert!(xml.contains("<urn:sessionId>00D!a&amp;b</urn:sessionId>"), "{xml}");
    assert!(xml.contains("<soapenv:Body><urn:getUserInfo/></soapenv:Body>"), "{xml}");
}

#[test]
fn a_result_has_its_ids_and_the_usage() {
    let merged = reply(
        "merge",
        "<result><id>0015e00000ZkM3hAAF</id><mergedRecordIds>0015e00000ZkM3iAAF</mergedRecordIds>\
         <success>true</success><updatedRelatedIds>0035e00000ZkM3hAAF</updatedRelatedIds>\
         <updatedRelatedIds>0035e00000ZkM3iAAF</updatedRelatedIds></result>",
    );
    assert_eq!(merged.usage.unwrap().used, 7);
    let outcome = &merged.outcomes[0];
    assert!(outcome.success());
    assert_eq!((outcome.ids("mergedRecordIds").len(), outcome.ids("updatedRelatedIds").len()), (1, 2));
    let converted = reply(
        "convertLead",
        "<result><accountId>0015e00000ZkM3hAAF</accountId><opportunityId xsi:nil=\"true\"/></result>",
    );
    assert_eq!(converted.outcomes[0].id("opportunityId"), None);
    assert!(!converted.outcomes[0].success());
}

#[test]
fn a_duplicate_error_names_the_records_found() {
    let refused = reply(
        "convertLead",
        "<result><errors xsi:type=\"DuplicateError\"><fields>Name</fields><message>Use one of these</message>\
         <statusCode>DUPLICATES_DETECTED</statusCode><duplicateResult><allowSave>true</allowSave><matchResults>\
         <matchRecords><record xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id>0015e00000ZkM3hAAF</sf:Id></record>\
         </matchRecords></matchResults></duplicateResult></errors><success>false</success></result>",
    );
    let error = &refused.outcomes[0].errors[0];
    assert_eq!((error.code.as_str(), error.message.as_str()), ("DUPLICATES_DETECTED", "Use one of these"));
    assert_eq!(
        (error.fields.as_slice(), error.existing_ids.as_slice()),
        (&["Name".to_owned()][..], &[id("0015e00000ZkM3hAAF")][..])
    );
}

#[test]
fn only_a_fault_of_salesforce_has_a_code() {
    let fault_of = |code: &str| {
        fault(
            format!(
                "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body><soapenv:Fault>\
                 <faultcode>{code}</faultcode><faultstring>text</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
            )
            .as_bytes(),
        )
    };
    assert_eq!(fault_of("sf:INVALID_SESSION_ID").unwrap().code, "INVALID_SESSION_ID");
    assert!(fault_of("soapenv:Server").is_none());
    assert!(fault(b"<html>down</html>").is_none());
    assert!(fault(b"").is_none());
}
