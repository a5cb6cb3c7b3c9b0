use org_simulator::{Effect, Fault};
use serde_json::{Value, json};

use crate::support::{ADMIN, CASEY, JORDAN, TestContext, fields};

/// Posts an operation to the partner API with the context's session; returns status and body.
async fn soap(context: &TestContext, operation: &str) -> (u16, String) {
    soap_with(context, "u/64.0", context.token(), operation).await
}

async fn soap_with(context: &TestContext, path: &str, session: &str, operation: &str) -> (u16, String) {
    let envelope = format!(
        "<?xml version=\"1.0\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:urn=\"urn:partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Header><urn:SessionHeader>\
         <urn:sessionId>{session}</urn:sessionId></urn:SessionHeader></soapenv:Header><soapenv:Body>{operation}</soapenv:Body></soapenv:Envelope>"
    );
    let url = format!("{}/services/Soap/{path}", context.org.url());
    let request = context.http.post(url).header("content-type", "text/xml; charset=UTF-8").header("SOAPAction", "\"\"");
    let response = context.plain(request.body(envelope)).await;
    (response.status, String::from_utf8(response.bytes).unwrap())
}

fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let rest = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}")).1;
    rest.split_once(&format!("</{name}>")).unwrap().0
}

fn lead(context: &TestContext, more: Value) -> String {
    let mut body = fields(
        json!({"LastName": "Vogt", "FirstName": "Ida", "Company": "Vogt & Sons", "Email": "ida@vogt.example", "City": "Bern", "LeadSource": "Web"}),
    );
    body.extend(fields(more));
    context.org.create_record(ADMIN, "Lead", &body).unwrap()
}

/// Returns the request with its elements in the order of the schema, which is that of their names.
fn conversion(lead: &str, more: &str) -> String {
    let elements = format!(
        "{more}<urn:convertedStatus>Closed - Converted</urn:convertedStatus><urn:leadId>{lead}</urn:leadId>\
         <urn:overwriteLeadSource>false</urn:overwriteLeadSource><urn:sendNotificationEmail>false</urn:sendNotificationEmail>"
    );
    let mut elements: Vec<&str> = elements.split("<urn:").skip(1).collect();
    elements.sort_unstable();
    let elements: String = elements.iter().map(|element| format!("<urn:{element}")).collect();
    format!("<urn:convertLead><urn:leadConverts>{elements}</urn:leadConverts></urn:convertLead>")
}

#[tokio::test]
async fn the_elements_of_a_conversion_have_the_schemas_order() {
    let context = TestContext::new().await;
    let lead = lead(&context, json!({}));
    let right = conversion(&lead, "<urn:doNotCreateOpportunity>true</urn:doNotCreateOpportunity>");
    let status = "<urn:convertedStatus>Closed - Converted</urn:convertedStatus>";
    let wrong = right.replacen(status, "", 1).replace("</urn:leadConverts>", &format!("{status}</urn:leadConverts>"));
    let (code, fault) = soap_with(&context, "u/66.0", context.token(), &wrong).await;
    assert_eq!(code, 500, "{fault}");
    assert!(fault.contains("convertedStatus invalid at this location"), "{fault}");
    assert_eq!(soap_with(&context, "u/66.0", context.token(), &right).await.0, 200);
}

#[tokio::test]
async fn a_conversion_names_a_related_person_account() {
    let context = TestContext::new().await;
    let lead = lead(&context, json!({}));
    let related = |value: &str| conversion(&lead, &format!("<urn:relatedPersonAccountId{value}"));
    let with = related(">0015e0000000001AAA</urn:relatedPersonAccountId>");
    let (code, refused) = soap_with(&context, "u/66.0", context.token(), &with).await;
    assert!(code == 200 && refused.contains("relatedPersonAccountId is not supported"), "{refused}");
    let nil = related(" xsi:nil=\"true\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"/>");
    let (code, done) = soap_with(&context, "u/66.0", context.token(), &nil).await;
    assert!(
        code == 200 && done.contains("<relatedPersonAccountId xsi:nil=\"true\"/><success>true</success>"),
        "{done}"
    );
}

#[tokio::test]
async fn a_user_with_a_password_logs_in_and_the_session_works() {
    let context = TestContext::new().await;
    context.org.set_password(CASEY, "secret", "TOKEN").unwrap();
    let login = |password: &str| {
        format!("<urn:login><urn:username>{CASEY}</urn:username><urn:password>{password}</urn:password></urn:login>")
    };

    let (status, response) = soap_with(&context, "u/64.0", "", &login("secretTOKEN")).await;
    assert_eq!(status, 200, "{response}");
    let url = element(&response, "serverUrl");
    assert_eq!(url, format!("{}/services/Soap/u/64.0/{}", context.org.url(), &context.org.org_id()[..15]));
    assert_eq!(element(&response, "userName"), CASEY);
    let path = url.strip_prefix(&format!("{}/services/Soap/", context.org.url())).unwrap().to_owned();
    let (status, info) = soap_with(&context, &path, element(&response, "sessionId"), "<urn:getUserInfo/>").await;
    assert_eq!((status, element(&info, "userId")), (200, element(&response, "userId")));

    let (status, refused) = soap_with(&context, "u/64.0", "", &login("secret")).await;
    assert_eq!((status, element(&refused, "faultcode")), (500, "sf:INVALID_LOGIN"));
    assert_eq!(
        element(&refused, "faultstring"),
        "INVALID_LOGIN: Invalid username, password, security token; or user locked out."
    );
    let (status, gone) = soap_with(&context, "u/65.0", "", &login("secretTOKEN")).await;
    assert_eq!((status, element(&gone, "faultcode")), (500, "sf:UNSUPPORTED_API_VERSION"));
}

#[tokio::test]
async fn soap_faults_are_those_of_salesforce() {
    let context = TestContext::new().await;
    let (status, fault) = soap_with(&context, "c/66.0", "00D!nothing", "<urn:getUserInfo/>").await;
    assert_eq!((status, element(&fault, "faultcode")), (500, "sf:INVALID_SESSION_ID"));
    assert_eq!(
        element(&fault, "faultstring"),
        "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session"
    );
    assert!(fault.contains("xmlns:sf=\"urn:fault.enterprise.soap.sforce.com\""), "{fault}");
    assert!(fault.contains("<sf:UnexpectedErrorFault xsi:type=\"sf:UnexpectedErrorFault\">"), "{fault}");
    assert_eq!(element(&soap(&context, "<urn:describeNothing/>").await.1, "faultcode"), "sf:INVALID_OPERATION");
    assert_eq!(element(&soap(&context, "<urn:broken>").await.1, "faultcode"), "sf:INVALID_SOAP_BODY");
}

#[tokio::test]
async fn an_injected_error_is_a_fault() {
    let context = TestContext::new().await;
    let effects = [
        (Effect::RequestLimitExceeded, "sf:REQUEST_LIMIT_EXCEEDED"),
        (Effect::UnableToLockRow, "sf:UNABLE_TO_LOCK_ROW"),
        (Effect::Error { status: 500, code: "NEW_CODE".to_owned(), message: "no".to_owned() }, "sf:NEW_CODE"),
    ];
    for (effect, code) in effects {
        context.org.fault(Fault { path_prefix: "/services/Soap".to_owned(), method: None, times: 1, effect });
        let (status, fault) = soap(&context, "<urn:getUserInfo/>").await;
        assert_eq!((status, element(&fault, "faultcode")), (500, code), "{fault}");
    }
    assert_eq!(soap(&context, "<urn:getUserInfo/>").await.0, 200);
}

#[tokio::test]
async fn a_lead_becomes_an_account_a_contact_and_an_opportunity() {
    let context = TestContext::new().await;
    let lead = lead(&context, json!({"Street": "1 Quai"}));
    let task = context.org.create_record(ADMIN, "Task", &fields(json!({"Subject": "Call", "WhoId": lead}))).unwrap();

    let (status, response) =
        soap(&context, &conversion(&lead, "<urn:doNotCreateOpportunity>false</urn:doNotCreateOpportunity>")).await;

    assert_eq!((status, element(&response, "success")), (200, "true"), "{response}");
    let record = |object: &str, name: &str| context.org.record(object, element(&response, name)).unwrap();
    let (account, contact, opportunity) =
        (record("Account", "accountId"), record("Contact", "contactId"), record("Opportunity", "opportunityId"));
    assert_eq!(
        (&account["Name"], &account["BillingCity"], &account["AccountSource"]),
        (&json!("Vogt & Sons"), &json!("Bern"), &json!("Web"))
    );
    assert_eq!(
        (&contact["Name"], &contact["Email"], &contact["AccountId"]),
        (&json!("Ida Vogt"), &json!("ida@vogt.example"), &account["Id"])
    );
    assert_eq!(
        (&opportunity["Name"], &opportunity["StageName"], &opportunity["CloseDate"], &opportunity["AccountId"]),
        (&json!("Vogt & Sons"), &json!("Prospecting"), &json!("2026-12-31"), &account["Id"])
    );
    let converted = context.org.record("Lead", &lead).unwrap();
    assert_eq!(
        (&converted["IsConverted"], &converted["Status"], &converted["ConvertedDate"]),
        (&json!(true), &json!("Closed - Converted"), &json!("2026-11-22"))
    );
    assert_eq!(
        (&converted["ConvertedAccountId"], &converted["ConvertedContactId"], &converted["ConvertedOpportunityId"]),
        (&account["Id"], &contact["Id"], &opportunity["Id"])
    );
    let task = context.org.record("Task", &task).unwrap();
    assert_eq!((&task["WhoId"], &task["WhatId"]), (&contact["Id"], &opportunity["Id"]));
    let list = format!("SELECT Id, (SELECT Subject FROM OpenActivities) FROM Contact WHERE Id = {}", contact["Id"]);
    let list = context.query(&list.replace('"', "'")).await;
    assert_eq!(list.body["records"][0]["OpenActivities"]["records"][0]["Subject"], "Call", "{}", list.body);
    let roles = context
        .query(&format!(
            "SELECT ContactId, IsPrimary FROM OpportunityContactRole WHERE OpportunityId = '{}'",
            element(&response, "opportunityId")
        ))
        .await;
    assert_eq!(
        (&roles.body["records"][0]["ContactId"], &roles.body["records"][0]["IsPrimary"]),
        (&contact["Id"], &json!(true))
    );

    let refused = context.patch(&format!("sobjects/Lead/{lead}"), json!({"Title": "x"})).await;
    assert_eq!(refused.code(), "CANNOT_UPDATE_CONVERTED_LEAD");
    let (_, again) = soap(&context, &conversion(&lead, "")).await;
    assert_eq!((element(&again, "success"), element(&again, "statusCode")), ("false", "CANNOT_UPDATE_CONVERTED_LEAD"));
}

#[tokio::test]
async fn conversion_into_existing_records_overwrites_nothing() {
    let context = TestContext::new().await;
    let account = context.org.create_record(ADMIN, "Account", &fields(json!({"Name": "Vogt AG"}))).unwrap();
    let contact = json!({"LastName": "Vogt-Meier", "AccountId": account, "LeadSource": "Other"});
    let contact = context.org.create_record(ADMIN, "Contact", &fields(contact)).unwrap();
    let other = context.id_of("Account", "Fjordglass Optics").await;
    let lead = lead(&context, json!({}));
    let before = context.org.record_counts();

    let alone = soap(&context, &conversion(&lead, &format!("<urn:contactId>{contact}</urn:contactId>"))).await.1;
    assert_eq!(element(&alone, "statusCode"), "REQUIRED_FIELD_MISSING");
    let wrong = format!("<urn:accountId>{other}</urn:accountId><urn:contactId>{contact}</urn:contactId>");
    assert_eq!(element(&soap(&context, &conversion(&lead, &wrong)).await.1, "success"), "false");
    assert_eq!(context.org.record("Lead", &lead).unwrap()["IsConverted"], false);

    let both = format!(
        "<urn:accountId>{account}</urn:accountId><urn:contactId>{contact}</urn:contactId><urn:doNotCreateOpportunity>true</urn:doNotCreateOpportunity>"
    );
    let response = soap(&context, &conversion(&lead, &both)).await.1;

    assert_eq!(
        (element(&response, "accountId"), element(&response, "contactId")),
        (account.as_str(), contact.as_str())
    );
    assert!(response.contains("<opportunityId xsi:nil=\"true\"/>"), "{response}");
    let kept = context.org.record("Contact", &contact).unwrap();
    assert_eq!(
        (&kept["LastName"], &kept["Email"], &kept["LeadSource"]),
        (&json!("Vogt-Meier"), &json!("ida@vogt.example"), &json!("Other"))
    );
    assert_eq!(context.org.record("Account", &account).unwrap()["Name"], "Vogt AG");
    assert_eq!(context.org.record_counts(), before);
}

#[tokio::test]
async fn a_failed_conversion_is_rolled_back() {
    let context = TestContext::new().await;
    let lead = lead(&context, json!({}));
    let before = context.org.record_counts();
    let status = conversion(&lead, "").replace("Closed - Converted", "Closed - Not Converted");
    let (_, response) = soap(&context, &status).await;
    assert_eq!(
        (element(&response, "statusCode"), element(&response, "message")),
        ("INVALID_STATUS", "invalid convertedStatus: Closed - Not Converted")
    );
    let rule = org_simulator::ValidationRule {
        name: "No_Deals".into(),
        object: "Opportunity".into(),
        condition: "Name LIKE 'Vogt%'".into(),
        message: "No deals.".into(),
        field: None,
    };
    context.org.set_validation_rule(&rule).unwrap();
    let (_, response) = soap(&context, &conversion(&lead, "")).await;
    assert_eq!(
        (element(&response, "success"), element(&response, "statusCode")),
        ("false", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    );
    assert_eq!(context.org.record_counts(), before);
    let owner = context.org.users().into_iter().find(|user| user.username == JORDAN).unwrap().id;
    let own =
        format!("<urn:doNotCreateOpportunity>true</urn:doNotCreateOpportunity><urn:ownerId>{owner}</urn:ownerId>");
    let (_, response) = soap(&context, &conversion(&lead, &own)).await;
    assert_eq!(context.org.record("Account", element(&response, "accountId")).unwrap()["OwnerId"], owner);
}

#[tokio::test]
async fn a_merge_moves_children_and_deletes_the_other_record() {
    let context = TestContext::new().await;
    let account = |name: &str| context.org.create_record(ADMIN, "Account", &fields(json!({"Name": name}))).unwrap();
    let (master, loser) = (account("Master"), account("Loser"));
    let contact = json!({"LastName": "Child", "AccountId": loser});
    let contact = context.org.create_record(ADMIN, "Contact", &fields(contact)).unwrap();
    let merge = format!(
        "<urn:merge><urn:request><urn:masterRecord xsi:type=\"urn:sObject\"><type>Account</type><Id>{master}</Id><Phone>1</Phone></urn:masterRecord>\
         <urn:recordToMergeIds>{loser}</urn:recordToMergeIds></urn:request></urn:merge>"
    );

    let (status, response) = soap(&context, &merge).await;

    assert_eq!((status, element(&response, "success")), (200, "true"), "{response}");
    assert_eq!(
        (element(&response, "mergedRecordIds"), element(&response, "updatedRelatedIds")),
        (loser.as_str(), contact.as_str())
    );
    assert_eq!(context.org.record("Contact", &contact).unwrap()["AccountId"], master);
    assert_eq!(context.org.record("Account", &master).unwrap()["Phone"], "1");
    let all = context
        .get(&format!("queryAll?q=SELECT%20IsDeleted,MasterRecordId%20FROM%20Account%20WHERE%20Id='{loser}'"))
        .await;
    assert_eq!(
        (&all.body["records"][0]["IsDeleted"], &all.body["records"][0]["MasterRecordId"]),
        (&json!(true), &json!(master))
    );
    let third = account("Third");
    context.org.merge_records(ADMIN, "Account", &master, &[&third]).unwrap();
    assert_eq!(context.org.record("Account", &third).unwrap()["MasterRecordId"], master);
    assert!(context.org.merge_records(ADMIN, "Account", &master, &[&master]).is_err());
    let again = soap(&context, &merge).await.1;
    assert_eq!((element(&again, "success"), element(&again, "statusCode")), ("false", "ENTITY_IS_DELETED"));
}

#[tokio::test]
async fn deleted_records_are_restored_or_purged() {
    let context = TestContext::new().await;
    let account = |name: &str| context.org.create_record(ADMIN, "Account", &fields(json!({"Name": name}))).unwrap();
    let (back, gone) = (account("Back"), account("Gone"));
    let ids = |operation: &str, ids: &[&String]| {
        let ids: String = ids.iter().map(|id| format!("<urn:ids>{id}</urn:ids>")).collect();
        format!("<urn:{operation}>{ids}</urn:{operation}>")
    };
    soap(&context, &ids("delete", &[&back, &gone])).await;
    assert_eq!(context.get(&format!("sobjects/Account/{back}")).await.code(), "ENTITY_IS_DELETED");

    let (_, emptied) = soap(&context, &ids("emptyRecycleBin", &[&gone])).await;
    let (_, undeleted) = soap(&context, &ids("undelete", &[&back, &gone])).await;

    assert_eq!(element(&emptied, "success"), "true");
    assert_eq!(undeleted.matches("<success>true</success>").count(), 1, "{undeleted}");
    assert_eq!(element(&undeleted, "statusCode"), "UNDELETE_FAILED");
    assert_eq!(context.get(&format!("sobjects/Account/{back}")).await.status, 200);
    assert!(context.org.record("Account", &gone).is_none());
}

#[tokio::test]
async fn records_are_created_changed_and_upserted() {
    let context = TestContext::new().await;
    let record =
        |more: &str| format!("<urn:sObjects xsi:type=\"urn:sObject\"><type>Account</type>{more}</urn:sObjects>");
    let (_, created) = soap(
        &context,
        &format!(
            "<urn:create>{}{}</urn:create>",
            record("<Name>A &amp; B</Name><AnnualRevenue>12.5</AnnualRevenue>"),
            record("<Phone>1</Phone>")
        ),
    )
    .await;
    let id = element(&created, "id").to_owned();
    assert_eq!(
        (
            &context.org.record("Account", &id).unwrap()["Name"],
            &context.org.record("Account", &id).unwrap()["AnnualRevenue"]
        ),
        (&json!("A & B"), &json!(12.5))
    );
    assert_eq!(element(&created, "statusCode"), "REQUIRED_FIELD_MISSING");
    let (_, updated) = soap(
        &context,
        &format!(
            "<urn:update>{}</urn:update>",
            record(&format!("<Id>{id}</Id><Phone>2</Phone><fieldsToNull>AnnualRevenue</fieldsToNull>"))
        ),
    )
    .await;
    assert_eq!(element(&updated, "success"), "true", "{updated}");
    let now = context.org.record("Account", &id).unwrap();
    assert_eq!((&now["Phone"], &now["AnnualRevenue"]), (&json!("2"), &Value::Null));
    let upsert = format!(
        "<urn:upsert><urn:externalIDFieldName>Ferry_External_Id__c</urn:externalIDFieldName>{}</urn:upsert>",
        record("<Ferry_External_Id__c>S-1</Ferry_External_Id__c><Name>Up</Name>")
    );
    assert_eq!(element(&soap(&context, &upsert).await.1, "created"), "true");
    assert_eq!(element(&soap(&context, &upsert).await.1, "created"), "false");
}

#[tokio::test]
async fn user_info_has_the_elements_of_the_wsdl_in_order() {
    let context = TestContext::new().await;
    let (_, info) = soap(&context, "<urn:getUserInfo/>").await;
    let order = [
        "accessibilityMode",
        "chatterExternal",
        "currencySymbol",
        "orgAttachmentFileSizeLimit",
        "orgDefaultCurrencyIsoCode",
        "orgDefaultCurrencyLocale",
        "orgDisallowHtmlAttachments",
        "orgHasPersonAccounts",
        "organizationId",
        "organizationMultiCurrency",
        "organizationName",
        "profileId",
        "roleId",
        "sessionSecondsValid",
        "userDefaultCurrencyIsoCode",
        "userEmail",
        "userFullName",
        "userId",
        "userLanguage",
        "userLocale",
        "userName",
        "userTimeZone",
        "userType",
        "userUiSkin",
    ];
    let result = element(&info, "result");
    let opened = result.split('<').map(|part| part.split([' ', '>', '/']).next().unwrap_or_default());
    let names: Vec<&str> = opened.filter(|name| !name.is_empty()).collect();
    assert_eq!(names, order);
    assert_eq!((element(&info, "currencySymbol"), element(&info, "sessionSecondsValid")), ("$", "7200"));
}

#[tokio::test]
async fn a_failed_record_says_what_was_not_done() {
    let context = TestContext::new().await;
    let record = "<urn:sObjects xsi:type=\"urn:sObject\"><type>Account</type><Phone>1</Phone></urn:sObjects>";
    let (_, updated) = soap(&context, &format!("<urn:update>{record}</urn:update>")).await;
    assert_eq!(element(&updated, "message"), "Id not specified in an update call");
    let upsert = format!("<urn:upsert><urn:externalIDFieldName>Id</urn:externalIDFieldName>{record}</urn:upsert>");
    let (_, upserted) = soap(&context, &upsert).await;
    assert!(upserted.contains("<result><created>false</created><errors>"), "{upserted}");
}

#[tokio::test]
async fn a_duplicate_is_an_error_of_its_own_type() {
    let context = TestContext::new().await;
    let existing = context.post("sobjects/Contact", json!({"LastName": "One", "Email": "same@example.com"})).await;
    let rule = json!({"name": "Emails", "object": "Contact", "fields": ["Email"], "on_create": "alert"});
    context.admin(reqwest::Method::POST, "duplicate-rules", Some(rule)).await;
    let create = "<urn:create><urn:sObjects xsi:type=\"urn:sObject\"><type>Contact</type><LastName>Two</LastName>\
                  <Email>same@example.com</Email></urn:sObjects></urn:create>";
    let (_, refused) = soap(&context, create).await;
    assert!(refused.contains("<errors xsi:type=\"DuplicateError\">"), "{refused}");
    assert_eq!((element(&refused, "statusCode"), element(&refused, "allowSave")), ("DUPLICATES_DETECTED", "true"));
    let id = existing.body["id"].as_str().unwrap();
    assert!(
        refused.contains(&format!(
            "<record xsi:type=\"sf:sObject\"><sf:type>Contact</sf:type><sf:Id>{id}</sf:Id></record>"
        )),
        "{refused}"
    );

    let header = "<urn:DuplicateRuleHeader><urn:allowSave>true</urn:allowSave></urn:DuplicateRuleHeader>";
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:urn=\"urn:partner.soap.sforce.com\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><s:Header><urn:SessionHeader><urn:sessionId>{}</urn:sessionId>\
         </urn:SessionHeader>{header}</s:Header><s:Body>{create}</s:Body></s:Envelope>",
        context.token()
    );
    let url = format!("{}/services/Soap/u/64.0", context.org.url());
    let saved = context.plain(context.http.post(url).header("content-type", "text/xml").body(envelope)).await;
    assert_eq!(element(&String::from_utf8(saved.bytes).unwrap(), "success"), "true");
}
