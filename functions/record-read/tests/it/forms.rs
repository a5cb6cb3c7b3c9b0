//! Forms of new records: what they require is what Salesforce requires, for every profile.

use http::StatusCode;
use org_simulator::{Effect, Fault, ObjectPermissions, User};
use runtime::Schemas;
use serde_json::{Map, Value, json};

use crate::harness::{REP, TestContext, run};

/// The profile of the rep.
const PROFILE: &str = "Standard User";
/// A detail of an account, without an external id.
const VISIT: &str = "Visit__c";
/// Independent of other objects, with an external id.
const PLAN: &str = "Plan__c";

impl TestContext {
    /// Creates an org with two custom objects.
    async fn with_custom_objects() -> Self {
        let context = Self::new().await;
        let visit = json!({"name": VISIT, "fields": [
            {"name": "Account__c", "type": "reference", "reference_to": ["Account"], "master_detail": true, "child_relationship": "Visits"},
            {"name": "Purpose__c", "type": "picklist", "picklist": ["Demo", "Review"], "required": true, "restricted": true},
            {"name": "Country__c", "type": "picklist", "picklist": ["DE", "US"]},
            {"name": "Town__c", "type": "picklist", "picklist": ["Berlin", "Boston"], "dependency":
                {"controller": "Country__c", "valid_for": {"Berlin": ["DE"], "Boston": ["US"]}}},
            {"name": "Done__c", "type": "boolean"},
        ]});
        let plan = json!({"name": PLAN, "fields": [
            {"name": "Key__c", "type": "string", "length": 40, "unique": true, "external_id": true},
            {"name": "Starts__c", "type": "date", "required": true},
            {"name": "Level__c", "type": "picklist", "picklist": ["Low", "High"], "required": true, "default": "Low"},
        ]});
        for object in [visit, plan] {
            context.simulator.define_object(object).unwrap();
        }
        context
    }

    /// Sets what the rep's profile permits on an object, and forgets what is known of it.
    fn permit(&mut self, object: &str, permissions: &ObjectPermissions) {
        self.simulator.limit_profile(PROFILE, object, permissions).unwrap();
        self.deps.schemas = Schemas::default();
    }

    /// Returns the form of an object as the user sees it: the team's without one.
    async fn form(&self, user: Option<&str>, object: &str) -> Value {
        let path = format!("/objects/{object}/form");
        let (status, form) = match user {
            Some(user) => self.get_as(user, &path).await,
            None => self.get(&path).await,
        };
        assert_eq!(status, StatusCode::OK, "{form}");
        form
    }

    /// Returns a value that the form allows for a field.
    fn value(&self, field: &Value) -> Value {
        if let Some(values) = field["picklist"]["values"].as_array() {
            return values[0]["value"].clone();
        }
        match field["field_type"].as_str().unwrap() {
            "date" => json!("2026-12-31"),
            "reference" => {
                let target = field["reference"]["targets"][0]["object"].as_str().unwrap();
                assert_eq!(target, "Account", "{field}");
                json!(self.create(&self.admin, target, &json!({"Name": "Parent"})))
            }
            "string" => json!("Text"),
            other => panic!("no value for {other}: {field}"),
        }
    }

    /// Creates a record with the required fields of the form, and refuses it without any one of them.
    fn check_required(&self, user: &User, form: &Value) {
        let object = form["object"].as_str().unwrap();
        let required: Vec<&str> =
            form["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let all: Map<String, Value> =
            required.iter().map(|name| ((*name).to_owned(), self.value(&field(form, name)))).collect();
        let create = |fields: &Map<String, Value>| self.simulator.create_record(&user.username, object, fields);
        create(&all).unwrap_or_else(|error| panic!("{object} with {all:?}: {error}"));
        for name in required {
            let mut fields = all.clone();
            fields.remove(name);
            assert!(create(&fields).is_err(), "{object} without {name}");
        }
    }
}

/// Returns all fields of a form, parts included.
fn fields(form: &Value) -> Vec<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let shown = list(&form["sections"]).into_iter().flat_map(|section| list(&section["fields"]));
    let all = shown.chain(list(&form["other_fields"]));
    all.flat_map(|field| [vec![field.clone()], list(&field["parts"])].concat()).collect()
}

fn field(form: &Value, name: &str) -> Value {
    fields(form).into_iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("{name} in {form:#}"))
}

fn names(form: &Value) -> Vec<String> {
    fields(form).iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_required_fields_of_a_form_are_enough_and_needed() {
    run(async {
        let mut context = TestContext::with_custom_objects().await;
        let objects = [
            ("Account", vec!["Name"], ["Industry", "Phone"]),
            ("Contact", vec!["LastName"], ["Phone", "Title"]),
            ("Lead", vec!["LastName", "Company"], ["Phone", "Title"]),
            ("Opportunity", vec!["Name", "StageName", "CloseDate"], ["Amount", "NextStep"]),
            (VISIT, vec!["Account__c", "Purpose__c"], ["Country__c", "Town__c"]),
            (PLAN, vec!["Starts__c"], ["Key__c", "Level__c"]),
        ];
        for (object, required, hidden) in objects {
            let form = context.form(None, object).await;
            assert_eq!((&form["source"], &form["may_create"]), (&json!("team"), &json!(true)));
            assert_eq!(form["required"], json!(required), "{object}");
            context.check_required(&context.admin, &form);

            let form = context.form(Some(REP), object).await;
            assert_eq!((&form["source"], &form["required"]), (&json!("salesforce"), &json!(required)));
            assert!(
                hidden.iter().all(|name| names(&form).contains(&(*name).to_owned())),
                "{object}: {:?}",
                names(&form)
            );
            context.check_required(&context.rep, &form);

            let permissions =
                ObjectPermissions { hidden_fields: hidden.map(str::to_owned).to_vec(), ..Default::default() };
            context.permit(object, &permissions);
            let form = context.form(Some(REP), object).await;
            assert!(
                !hidden.iter().any(|name| names(&form).contains(&(*name).to_owned())),
                "{object}: {:?}",
                names(&form)
            );
            assert_eq!(form["required"], json!(required));
            context.check_required(&context.rep, &form);

            let readonly = ObjectPermissions { no_create: true, no_edit: true, ..Default::default() };
            context.permit(object, &readonly);
            let form = context.form(Some(REP), object).await;
            assert_eq!((&form["may_create"], &form["may_update"]), (&json!(false), &json!(false)), "{object}");
            assert!(form["next"].as_str().unwrap().contains("Create"), "{form}");
            assert_eq!((&form["required"], &form["external_ids"]), (&json!([]), &json!([])));
            assert!(fields(&form).iter().all(|field| field["createable"] == false && field["readable"] == true));
        }
    });
}

#[test]
fn a_form_costs_three_calls_and_two_once_the_object_is_known() {
    run(async {
        let context = TestContext::with_custom_objects().await;
        for object in ["Account", VISIT] {
            for expected in [3, 2] {
                let before = context.simulator.api_calls();
                context.form(Some(REP), object).await;
                assert_eq!(context.simulator.api_calls() - before, expected, "{object}");
            }
        }
    });
}

#[test]
fn the_fields_are_in_the_order_of_the_page() {
    run(async {
        let context = TestContext::new().await;

        let form = context.form(Some(REP), "Account").await;

        assert_eq!(form["layout"], "page");
        let headings: Vec<&Value> =
            form["sections"].as_array().unwrap().iter().map(|section| &section["heading"]).collect();
        assert_eq!(headings, ["Account Information", "Address Information", "Description Information"]);
        let address = field(&form, "BillingAddress");
        let parts: Vec<&Value> = address["parts"].as_array().unwrap().iter().map(|part| &part["name"]).collect();
        assert_eq!(parts, ["BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry"]);
        let mut seen = names(&form);
        seen.sort();
        let count = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), count, "no field is shown twice");
        assert!(
            !seen.iter().any(|name| ["Id", "CreatedDate", "SystemModstamp", "RecordTypeId"].contains(&name.as_str()))
        );
        let parent = field(&form, "ParentId");
        assert_eq!(parent["reference"]["targets"][0]["object"], "Account");
        assert_eq!(parent["required"], Value::Null);
        let owner = field(&form, "OwnerId");
        assert_eq!(owner["defaulted_on_create"], true);
    });
}

#[test]
fn an_object_without_a_page_is_in_the_order_of_its_describe() {
    run(async {
        let context = TestContext::with_custom_objects().await;
        for path in
            [format!("sobjects/{VISIT}/describe/layouts"), format!("ui-api/object-info/{VISIT}/picklist-values")]
        {
            let effect =
                Effect::Error { status: 404, code: "NOT_FOUND".to_owned(), message: "no such resource".to_owned() };
            let path_prefix = format!("/services/data/v66.0/{path}");
            context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect });
        }

        let form = context.form(Some(REP), VISIT).await;

        assert_eq!(
            (&form["layout"], &form["picklists"], &form["sections"]),
            (&json!("none"), &json!("object"), &json!([]))
        );
        assert_eq!(form["required"], json!(["Account__c", "Purpose__c"]));
        let purpose = field(&form, "Purpose__c");
        assert_eq!(purpose["picklist"]["values"][1], json!({"value": "Review", "label": "Review", "default": false}));
        context.check_required(&context.rep, &form);
    });
}

#[test]
fn a_dependent_picklist_names_the_values_that_allow_it() {
    run(async {
        let context = TestContext::with_custom_objects().await;

        let form = context.form(Some(REP), VISIT).await;

        let value =
            |name: &str, valid: &str| json!({"value": name, "label": name, "default": false, "valid_for": [valid]});
        let expected = json!({
            "restricted": false, "controlled_by": "Country__c", "values": [value("Berlin", "DE"), value("Boston", "US")],
        });
        assert_eq!(field(&form, "Town__c")["picklist"], expected);
        let free = json!({"value": "Demo", "label": "Demo", "default": false});
        assert_eq!(field(&form, "Purpose__c")["picklist"]["values"][0], free);
        let account = field(&form, "Account__c");
        assert_eq!((&account["reference"]["master_detail"], &account["required"]), (&json!(true), &json!("object")));
        assert_eq!((&form["custom"], &form["external_ids"]), (&json!(true), &json!([])));
        let plan = context.form(Some(REP), PLAN).await;
        assert_eq!(
            plan["external_ids"],
            json!([{"name": "Key__c", "label": "Key", "field_type": "string", "unique": true}])
        );
    });
}

#[test]
fn a_record_type_has_its_own_stages() {
    run(async {
        let mut context = TestContext::new().await;
        let stages = |form: &Value| field(form, "StageName")["picklist"]["values"].as_array().unwrap().len();

        let form = context.form(Some(REP), "Opportunity").await;
        let types = form["record_types"].as_array().unwrap();
        assert_eq!(types.len(), 2, "{types:?}");
        assert!(types.contains(&form["record_type"]) && form["record_type"]["default"] == true, "{form:#}");
        let (_, renewal) = context.get_as(REP, "/objects/Opportunity/form?record_type=renewal").await;
        assert_eq!(renewal["record_type"]["developer_name"], "Renewal");
        assert_eq!(stages(&renewal), 5);
        assert_ne!(stages(&form), 0);

        let hidden = ObjectPermissions { hidden_record_types: vec!["Renewal".to_owned()], ..Default::default() };
        context.permit("Opportunity", &hidden);
        let (status, problem) = context.get_as(REP, "/objects/Opportunity/form?record_type=Renewal").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
        assert!(problem["next"].as_str().unwrap().starts_with("Choose one of "), "{problem}");
    });
}

#[test]
fn a_hidden_object_has_no_form() {
    run(async {
        let mut context = TestContext::new().await;
        context.permit("Lead", &ObjectPermissions { hidden: true, ..Default::default() });
        let (status, problem) = context.get_as(REP, "/objects/Lead/form").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(problem["type"], "urn:ferry:problem:object_not_visible");
        assert_eq!(context.get_as("rep-2", "/objects/Account/form").await.0, StatusCode::CONFLICT);
    });
}
