//! Compares the checks with an org: what they refuse, the org refuses, for every object and profile.

use std::collections::BTreeMap;
use std::sync::Arc;

use org_simulator::{ObjectPermissions, Options, Simulator};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use salesforce::{
    ApiVersion, BoxFuture, Client, Clock, Error, FieldDescribe, Fingerprint, HostPolicy, Http, InstanceUrl, Session,
    Sessions,
};
use serde_json::Value;

use super::*;

const ADMIN: &str = "admin@larkspur.example";
const REP: &str = "casey@larkspur.example";
const PROFILE: &str = "Standard User";
/// The objects, each with two fields that one profile hides.
const OBJECTS: [(&str, [&str; 2]); 17] = [
    ("Account", ["Industry", "Phone"]),
    ("Contact", ["Phone", "Title"]),
    ("Lead", ["Phone", "Title"]),
    ("Opportunity", ["Amount", "NextStep"]),
    ("OpportunityContactRole", ["Role", "IsPrimary"]),
    ("Task", ["Description", "Priority"]),
    ("Event", ["Description", "Location"]),
    ("Case", ["Priority", "Origin"]),
    ("Campaign", ["Type", "StartDate"]),
    ("CampaignMember", ["Status", "LeadId"]),
    ("Product2", ["ProductCode", "Family"]),
    ("Pricebook2", ["Description", "IsActive"]),
    ("PricebookEntry", ["IsActive", "UseStandardPrice"]),
    ("OpportunityLineItem", ["Description", "ServiceDate"]),
    ("AccountContactRelation", ["Roles", "IsActive"]),
    ("Note", ["Body", "IsPrivate"]),
    ("Visit__c", ["Purpose__c", "Town__c"]),
];
/// The records of each object and profile.
const RECORDS: usize = 150;

struct Single(Session);

impl Sessions for Single {
    fn session(&self, _: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(async move { Ok(self.0.clone()) })
    }
}

struct Org {
    simulator: Simulator,
    /// A record of each object to which others refer.
    records: BTreeMap<&'static str, String>,
}

impl Org {
    async fn start() -> Self {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        simulator
            .define_object(json!({"name": "Visit__c", "fields": [
                {"name": "Account__c", "type": "reference", "reference_to": ["Account"], "master_detail": true, "child_relationship": "Visits"},
                {"name": "Purpose__c", "type": "picklist", "picklist": ["Demo", "Review"], "required": true, "restricted": true},
                {"name": "Country__c", "type": "picklist", "picklist": ["DE", "US"]},
                {"name": "Town__c", "type": "picklist", "picklist": ["Berlin", "Boston"], "dependency":
                    {"controller": "Country__c", "valid_for": {"Berlin": ["DE"], "Boston": ["US"]}}},
                {"name": "Done__c", "type": "boolean"},
                {"name": "Count__c", "type": "int"},
                {"name": "Price__c", "type": "currency"},
                {"name": "Seen__c", "type": "datetime"},
            ]}))
            .unwrap();
        let mut org = Self { simulator, records: BTreeMap::new() };
        for (object, fields) in [
            ("Account", json!({"Name": "Acme", "Ferry_External_Id__c": "A-1"})),
            ("Contact", json!({"LastName": "Doe"})),
            ("Lead", json!({"LastName": "Roe", "Company": "Acme"})),
            ("Opportunity", json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"})),
            ("Campaign", json!({"Name": "Fair"})),
            ("Case", json!({"Subject": "Help"})),
            ("Product2", json!({"Name": "Thing"})),
        ] {
            let id = org.simulator.create_record(ADMIN, object, fields.as_object().unwrap()).unwrap();
            org.records.insert(object, id);
        }
        org
    }

    async fn describe(&self, username: &str, object: &ObjectName) -> Option<ObjectDescribe> {
        let token = self.simulator.access_token(username).unwrap();
        let instance_url = InstanceUrl::parse(self.simulator.url(), HostPolicy::LoopbackToo).unwrap();
        let session = Session { instance_url, access_token: token.into() };
        let http = Http::new(HostPolicy::LoopbackToo, Clock::system()).unwrap();
        Client::new(http, Arc::new(Single(session)), ApiVersion::DEFAULT).find_object(object).await.unwrap()
    }

    /// Returns a value that fits the field, if one is easy to find.
    fn fitting(&self, field: &FieldDescribe) -> Value {
        match field.field_type.as_str() {
            "boolean" => json!(true),
            "int" | "double" | "currency" | "percent" => json!(7),
            "date" => json!("2026-12-31"),
            "datetime" => json!("2026-12-31T10:00:00Z"),
            "email" => json!("jo@acme.example"),
            "picklist" | "multipicklist" => {
                json!(field.picklist_values.first().map_or("Other", |entry| entry.value.as_str()))
            }
            "reference" => {
                let target = field.reference_to.iter().find_map(|target| self.records.get(target.as_str()));
                target.map_or(Value::Null, |id| json!(id))
            }
            _ => json!("Text"),
        }
    }

    /// Returns values of which few fit a field.
    fn odd(&self) -> Vec<Value> {
        let mut values = vec![
            json!(null),
            json!(""),
            json!("Nonsense"),
            json!("x".repeat(300)),
            json!(true),
            json!("maybe"),
            json!("1"),
            json!(1.5),
            json!(3_000_000_000_u64),
            json!(1e20),
            json!("12 apples"),
            json!("22.11.2026"),
            json!("2026-02-30"),
            json!("2026-11-22T10:00:00Z"),
            json!("001"),
            json!("012000000000009AAA"),
            json!({"Ferry_External_Id__c": "A-1"}),
            json!({"Nope__c": "A-1"}),
        ];
        values.extend(self.records.values().map(|id| json!(id)));
        values
    }

    /// Makes a strategy for records: the required fields with values that mostly fit, and a few others.
    fn record(&self, describe: &ObjectDescribe) -> impl Strategy<Value = JsonObject> + use<> {
        let mut names: Vec<(String, Value)> =
            describe.fields.iter().map(|field| (field.name.to_string(), self.fitting(field))).collect();
        let relationships = describe.fields.iter().filter_map(|field| field.relationship_name.clone());
        names.extend(relationships.map(|name| (name, json!({"Ferry_External_Id__c": "A-1"}))));
        names.push(("Nope__c".to_owned(), json!("Text")));
        let required: Vec<(String, Value)> = describe
            .fields
            .iter()
            .filter(|field| field.is_required_on_create())
            .map(|field| (field.name.to_string(), self.fitting(field)))
            .collect();
        let others =
            prop::collection::vec((prop::sample::select(names), prop::sample::select(self.odd()), 0..3_u8), 0..4);
        (others, 0..8_usize).prop_map(move |(others, left_out)| {
            let mut record = JsonObject::new();
            record
                .extend(required.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, field)| field.clone()));
            for ((name, fitting), odd, choice) in others {
                record.insert(name, if choice == 0 { odd } else { fitting });
            }
            record
        })
    }
}

/// Returns whether the org may accept a record despite the defect, which is then Ferry's own rule.
fn is_own_rule(defect: &Defect) -> bool {
    defect.field.as_deref() == Some("StageName") && defect.code == DefectCode::UnknownPicklistValue
}

/// The refusals of an org that the checks find too.
const FOUND: [&str; 5] = [
    "No such column",
    "INVALID_FIELD_FOR_INSERT_UPDATE",
    "STRING_TOO_LONG",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
];

#[tokio::test]
async fn what_the_checks_refuse_the_org_refuses() {
    let org = Org::start().await;
    let mut runner = TestRunner::deterministic();
    let (mut refused, mut accepted) = (0, 0);
    for (name, hidden) in OBJECTS {
        let hidden = hidden.map(str::to_owned).to_vec();
        let all = ObjectPermissions::default();
        let profiles = [
            (ADMIN, all.clone()),
            (REP, all.clone()),
            (REP, ObjectPermissions { hidden_fields: hidden, ..all.clone() }),
            (REP, ObjectPermissions { no_create: true, no_edit: true, ..all.clone() }),
        ];
        let object: ObjectName = name.parse().unwrap();
        let as_admin = org.describe(ADMIN, &object).await.unwrap();
        let mut existing = None;
        for (user, permissions) in profiles {
            org.simulator.limit_profile(PROFILE, name, &permissions).unwrap();
            let schema = Schema::of(org.describe(user, &object).await);
            for _ in 0..RECORDS {
                let fields = org.record(&as_admin).new_tree(&mut runner).unwrap().current();
                let defects = |action| {
                    let key = None;
                    let row = Row { object: &object, fields: &fields, action, key };
                    check(&schema, &Picklists::default(), &[row])
                };
                let created = org.simulator.create_record(user, name, &fields);
                let updated = existing.as_ref().map(|id: &String| org.simulator.update_record(user, name, id, &fields));
                let on_create = defects(Action::Create);
                let on_update = defects(Action::Update);
                let on_upsert = defects(Action::Upsert);
                let certain = |found: &[Defect]| found.iter().any(|defect| !is_own_rule(defect));
                assert!(
                    !(certain(&on_create) && created.is_ok()),
                    "{user} created {name} {fields:?} despite {on_create:#?}"
                );
                if let Some(updated) = &updated {
                    assert!(
                        !(certain(&on_update) && updated.is_ok()),
                        "{user} updated {name} {fields:?} despite {on_update:#?}"
                    );
                }
                assert!(!certain(&on_upsert) || certain(&on_create), "{name} {fields:?}: {on_upsert:?}");
                assert!(!certain(&on_upsert) || certain(&on_update), "{name} {fields:?}: {on_upsert:?}");
                if let Err(error) = &created {
                    let text = error.to_string();
                    let is_found = FOUND.iter().any(|code| text.contains(code));
                    assert!(!is_found || !on_create.is_empty(), "{user}: {name} {fields:?}: {text}");
                }
                refused += usize::from(certain(&on_create));
                accepted += usize::from(created.is_ok());
                if let Ok(id) = created {
                    existing = Some(id);
                }
            }
        }
    }
    assert!(refused > 2_000 && accepted > 1_000, "refused {refused}, accepted {accepted}");
}
