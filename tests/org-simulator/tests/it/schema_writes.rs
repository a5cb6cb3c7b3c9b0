//! Describe and engine agree: what describe says of a field is what writes accept, for every field of every object.

use std::cell::Cell;
use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::schema_flags::{describes, fields, with_custom_fields};
use crate::support::{ApiResponse, TestContext};

/// A record of each object that clients create. `$Name` stands for the id of a record of that object, and `#` for a number
/// that no other record has.
const SAMPLES: [(&str, &str); 44] = [
    ("Account", r#"{"Name": "x"}"#),
    ("AccountContactRelation", r#"{"AccountId": "$Account", "ContactId": "$Contact"}"#),
    (
        "AccountShare",
        r#"{"AccountId": "$Account", "UserOrGroupId": "$User", "AccountAccessLevel": "Read", "OpportunityAccessLevel": "None"}"#,
    ),
    ("AccountTeamMember", r#"{"AccountId": "$Account", "UserId": "$User"}"#),
    ("Attachment", r#"{"ParentId": "$Account", "Name": "x.txt", "Body": "YQ=="}"#),
    ("Campaign", r#"{"Name": "x"}"#),
    ("CampaignMember", r#"{"CampaignId": "$Campaign", "LeadId": "$Lead"}"#),
    ("CampaignMemberStatus", r#"{"CampaignId": "$Campaign", "Label": "x#"}"#),
    ("Case", "{}"),
    ("CaseShare", r#"{"CaseId": "$Case", "UserOrGroupId": "$User", "CaseAccessLevel": "Read"}"#),
    ("Contact", r#"{"LastName": "x"}"#),
    ("ContactShare", r#"{"ContactId": "$Contact", "UserOrGroupId": "$User", "ContactAccessLevel": "Read"}"#),
    ("ContentDocumentLink", r#"{"ContentDocumentId": "$ContentDocument", "LinkedEntityId": "$Account"}"#),
    ("ContentNote", r#"{"Title": "x"}"#),
    ("ContentVersion", r#"{"Title": "x", "PathOnClient": "x.txt", "VersionData": "YQ=="}"#),
    ("CurrencyType", r#"{"IsoCode": "JPY", "ConversionRate": 150, "DecimalPlaces": 0}"#),
    ("EmailMessage", "{}"),
    ("EmailMessageRelation", r#"{"EmailMessageId": "$EmailMessage", "RelationType": "ToAddress"}"#),
    ("Event", r#"{"ActivityDateTime": "2026-11-22T10:00:00Z", "DurationInMinutes": 30}"#),
    ("EventRelation", r#"{"EventId": "$Event", "RelationId": "$Contact"}"#),
    ("Group", r#"{"Name": "x#"}"#),
    ("GroupMember", r#"{"GroupId": "$Group", "UserOrGroupId": "$User"}"#),
    ("Lead", r#"{"LastName": "x", "Company": "x"}"#),
    ("LeadShare", r#"{"LeadId": "$Lead", "UserOrGroupId": "$User", "LeadAccessLevel": "Read"}"#),
    ("Note", r#"{"ParentId": "$Account", "Title": "x"}"#),
    ("ObjectPermissions", r#"{"ParentId": "$PermissionSet", "SobjectType": "Lead", "PermissionsRead": true}"#),
    ("Opportunity", r#"{"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-11-22"}"#),
    ("OpportunityContactRole", r#"{"OpportunityId": "$Opportunity", "ContactId": "$Contact"}"#),
    (
        "OpportunityLineItem",
        r#"{"OpportunityId": "$Opportunity", "PricebookEntryId": "$PricebookEntry", "Quantity": 1, "UnitPrice": 1,
            "CurrencyIsoCode": "USD"}"#,
    ),
    (
        "OpportunityShare",
        r#"{"OpportunityId": "$Opportunity", "UserOrGroupId": "$User", "OpportunityAccessLevel": "Read"}"#,
    ),
    ("OpportunityTeamMember", r#"{"OpportunityId": "$Opportunity", "UserId": "$User"}"#),
    ("PermissionSet", r#"{"Name": "x#"}"#),
    ("PermissionSetAssignment", r#"{"PermissionSetId": "$PermissionSet", "AssigneeId": "$User"}"#),
    ("PermissionSetGroup", r#"{"DeveloperName": "x#", "MasterLabel": "x"}"#),
    (
        "PermissionSetGroupComponent",
        r#"{"PermissionSetGroupId": "$PermissionSetGroup", "PermissionSetId": "$PermissionSet"}"#,
    ),
    ("Pricebook2", r#"{"Name": "x"}"#),
    (
        "PricebookEntry",
        r#"{"Pricebook2Id": "$Pricebook2", "Product2Id": "$Product2", "UnitPrice": 1, "IsActive": true}"#,
    ),
    ("Product2", r#"{"Name": "x"}"#),
    ("QueueSobject", r#"{"QueueId": "$Group", "SobjectType": "Lead"}"#),
    ("Task", "{}"),
    ("TaskRelation", r#"{"TaskId": "$Task", "RelationId": "$Contact"}"#),
    (
        "User",
        r#"{"Username": "x#@larkspur.example", "LastName": "x", "Email": "x@larkspur.example", "Alias": "x",
            "ProfileId": "$Profile", "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US",
            "EmailEncodingKey": "UTF-8"}"#,
    ),
    ("UserRole", r#"{"Name": "x#"}"#),
    ("Walk__c", "{}"),
];

/// Objects of which samples refer to a record, in the order in which the records are made. The second product, to which
/// samples refer, has no price yet.
const PARENTS: [&str; 17] = [
    "Account",
    "Campaign",
    "Case",
    "Contact",
    "ContentNote",
    "EmailMessage",
    "Event",
    "Group",
    "Lead",
    "Opportunity",
    "PermissionSet",
    "PermissionSetGroup",
    "Product2",
    "PricebookEntry",
    "Product2",
    "Task",
    "UserRole",
];

/// Objects whose records clients change and do not create.
const CHANGED_ONLY: [&str; 1] = ["UserLogin"];

/// Fields that say something only together with others: object, field, and what the rest of the record must have.
const BESIDE: [(&str, &str, &str); 1] = [("CampaignMember", "ContactId", r#"{"LeadId": null}"#)];

/// Fields that Salesforce's documentation calls required and fills itself: the title of a file is the name in its path.
const FILLED: [(&str, &str); 1] = [("ContentVersion", "Title")];

/// Fields that describe lets be null, and that a rule of their object demands: an event's start, unless `ActivityDateTime`
/// is given, a product's price, and its currency, which is that of the opportunity.
const DEMANDED: [(&str, &str); 3] =
    [("Event", "StartDateTime"), ("OpportunityLineItem", "CurrencyIsoCode"), ("OpportunityLineItem", "UnitPrice")];

/// The org of the walk, and the records that samples refer to.
struct Walk {
    context: TestContext,
    ids: HashMap<String, String>,
    made: Cell<usize>,
}

impl Walk {
    async fn new() -> Self {
        let context = with_custom_fields().await;
        let mut walk = Self { context, ids: HashMap::new(), made: Cell::new(0) };
        for (object, condition) in [
            ("Profile", ""),
            ("Pricebook2", ""),
            ("User", "WHERE Username LIKE 'casey%'"),
            ("RecordType", "WHERE SobjectType = 'Opportunity'"),
        ] {
            let found = walk.context.query(&format!("SELECT Id FROM {object} {condition} LIMIT 1")).await;
            walk.know(object, &found.body["records"][0]["Id"]);
        }
        for object in PARENTS {
            let made = walk.create(object, &walk.sample(object)).await;
            walk.know(object, &made.body["id"]);
        }
        walk.know("ContentDocument", &json!(walk.ids["ContentNote"]));
        walk
    }

    fn know(&mut self, object: &str, id: &Value) {
        self.ids.insert(object.to_owned(), id.as_str().unwrap().to_owned());
    }

    /// Returns the fields of a new record of the object.
    fn sample(&self, object: &str) -> Map<String, Value> {
        let (_, text) = SAMPLES.iter().find(|(name, _)| *name == object).unwrap();
        self.made.set(self.made.get() + 1);
        let mut text = text.replace('#', &self.made.get().to_string());
        for (name, id) in &self.ids {
            text = text.replace(&format!("\"${name}\""), &format!("\"{id}\""));
        }
        assert!(!text.contains('$'), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Returns a value that fits a field.
    fn value(&self, object: &str, field: &Value) -> Value {
        if let Some(value) = field["picklistValues"].as_array().and_then(|values| values.first()) {
            return value["value"].clone();
        }
        match field["type"].as_str().unwrap() {
            "boolean" => json!(false),
            "int" | "double" | "currency" | "percent" => json!(1),
            "date" => json!("2026-11-22"),
            "datetime" => json!("2026-11-22T10:00:00Z"),
            "email" => json!("someone@larkspur.example"),
            "base64" => json!("YQ=="),
            "reference" => self.reference(object, field),
            _ => json!("x"),
        }
    }

    fn reference(&self, object: &str, field: &Value) -> Value {
        match field["referenceTo"].as_array().unwrap().as_slice() {
            // The record types of the org belong to opportunities.
            [target] if target == "RecordType" && object != "Opportunity" => Value::Null,
            [] => json!(self.ids["Account"]),
            targets => {
                let mut known = targets.iter().filter_map(|target| self.ids.get(target.as_str().unwrap()));
                let is_written = field["createable"] == true || field["updateable"] == true;
                let some = known.next().or_else(|| self.ids.get("Account").filter(|_| !is_written));
                json!(some.unwrap_or_else(|| panic!("no record for {object}.{}", field["name"])))
            }
        }
    }

    async fn create(&self, object: &str, body: &Map<String, Value>) -> ApiResponse {
        self.context.post(&format!("sobjects/{object}"), json!(body)).await
    }

    /// Creates a record without the field, which must fail for a required field.
    async fn leave_out(&self, object: &str, name: &str, field: &Value) {
        let required = field["createable"] == true && field["nillable"] == false && field["defaultedOnCreate"] == false;
        if required && !FILLED.contains(&(object, name)) {
            let mut body = self.sample(object);
            body.remove(name);
            let made = self.create(object, &body).await;
            let refused = (made.code(), &made.body[0]["fields"]);
            assert_eq!(refused, ("REQUIRED_FIELD_MISSING", &json!([name])), "{object}.{name}: {}", made.body);
        }
    }

    /// Creates a record with the field, then without it if that was refused; returns its path.
    async fn set_in_new_record(&self, object: &str, name: &str, field: &Value) -> String {
        let mut body = self.sample(object);
        if let Some((.., rest)) = BESIDE.iter().find(|(of, with, _)| (*of, *with) == (object, name)) {
            body.extend(crate::support::fields(serde_json::from_str(rest).unwrap()));
        }
        let plain = body.clone();
        body.entry(name).or_insert(self.value(object, field));
        let mut made = self.create(object, &body).await;
        if obeys(&made, 201, field, "createable", &format!("{object}.{name}")) {
            made = self.create(object, &plain).await;
        }
        assert_eq!(made.status, 201, "{object}.{name}: {}", made.body);
        format!("sobjects/{object}/{}", made.body["id"].as_str().unwrap())
    }

    /// Changes the field of a record, and then empties it.
    async fn change(&self, object: &str, path: &str, name: &str, field: &Value) {
        let what = format!("{object}.{name}");
        let sampled = SAMPLES.iter().any(|(known, _)| *known == object).then(|| self.sample(object).remove(name));
        let value = sampled.flatten().unwrap_or_else(|| self.value(object, field));
        let changed = self.context.patch(path, json!({name: value})).await;
        let refused = obeys(&changed, 204, field, "updateable", &what);
        if refused || field["type"] == "boolean" || DEMANDED.contains(&(object, name)) {
            return;
        }
        let emptied = self.context.patch(path, json!({name: null})).await;
        if field["nillable"] == true {
            assert_eq!(emptied.status, 204, "{what}: {}", emptied.body);
        } else {
            assert_eq!(emptied.code(), "REQUIRED_FIELD_MISSING", "{what}: {}", emptied.body);
        }
    }
}

/// Asserts that a write was done if describe's flag is set, and otherwise refused with the field's name; returns whether it
/// was refused.
fn obeys(response: &ApiResponse, done: u16, field: &Value, flag: &str, what: &str) -> bool {
    if field[flag] == true {
        assert_eq!(response.status, done, "{what} {flag}: {}", response.body);
    } else {
        assert_eq!(response.code(), "INVALID_FIELD_FOR_INSERT_UPDATE", "{what} {flag}: {}", response.body);
        assert_eq!(response.body[0]["fields"], json!([field["name"]]), "{what} {flag}");
    }
    field[flag] == false
}

#[tokio::test]
async fn every_writeable_object_has_a_sample() {
    let context = with_custom_fields().await;
    let (mut createable, mut changed_only) = (Vec::new(), Vec::new());
    for describe in describes(&context).await {
        let name = describe["name"].as_str().unwrap().to_owned();
        match (&describe["createable"], &describe["updateable"]) {
            (Value::Bool(true), _) => createable.push(name),
            (_, Value::Bool(true)) => changed_only.push(name),
            _ => {}
        }
    }
    createable.sort();
    assert_eq!(createable, SAMPLES.map(|(name, _)| name));
    assert_eq!(changed_only, CHANGED_ONLY);
}

#[tokio::test]
async fn writes_accept_what_describe_says() {
    let walk = Walk::new().await;
    for (object, _) in SAMPLES {
        let describe = walk.context.get(&format!("sobjects/{object}/describe")).await.body;
        let made = walk.create(object, &walk.sample(object)).await;
        assert_eq!(made.status, 201, "{object}: {}", made.body);
        let path = format!("sobjects/{object}/{}", made.body["id"].as_str().unwrap());
        let record = walk.context.get(&path).await.body;
        for (name, field) in fields(&describe) {
            assert!(field["nillable"] == true || !record[name].is_null(), "{object}.{name} is null in {record}");
        }
        remove(&walk, &describe, &path).await;
        // The id of a record is refused in its own way, for which there are other tests.
        for (name, field) in fields(&describe).filter(|(name, _)| *name != "Id") {
            walk.leave_out(object, name, field).await;
            let path = walk.set_in_new_record(object, name, field).await;
            if describe["updateable"] == true {
                walk.change(object, &path, name, field).await;
            } else {
                let changed = walk.context.patch(&path, json!({name: null})).await;
                assert_eq!(changed.code(), "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "{object}.{name}");
            }
            remove(&walk, &describe, &path).await;
        }
    }
    for object in CHANGED_ONLY {
        let describe = walk.context.get(&format!("sobjects/{object}/describe")).await.body;
        let found = walk.context.query(&format!("SELECT Id FROM {object} LIMIT 1")).await;
        let path = format!("sobjects/{object}/{}", found.body["records"][0]["Id"].as_str().unwrap());
        for (name, field) in fields(&describe).filter(|(name, _)| *name != "Id") {
            walk.change(object, &path, name, field).await;
        }
    }
}

/// Deletes a record where clients may, so that the next one with the same values is no duplicate.
async fn remove(walk: &Walk, describe: &Value, path: &str) {
    if describe["deletable"] == true {
        let deleted = walk.context.delete(path).await;
        assert_eq!(deleted.status, 204, "{path}: {}", deleted.body);
    }
}
