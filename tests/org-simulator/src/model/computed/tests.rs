use serde_json::{Value as Json, json};

use super::*;
use crate::Clock;
use crate::Error;
use crate::data::seed::{self, Seed};
use crate::http::admin::define_object;
use crate::model::people;

fn org() -> Org {
    let mut org =
        Org::production("http://127.0.0.1:1".to_owned(), Clock::manual("2026-11-22T10:00:00Z".parse().unwrap()));
    seed::fill(&mut org, Seed::None).unwrap();
    org
}

fn define(org: &mut Org, object: &str, field: Json) -> Result<(), Error> {
    define_object(org, json!({"name": object, "fields": [field]}))
}

fn formula(org: &mut Org, kind: &str, text: &str) -> Result<(), String> {
    define(org, "Opportunity", json!({"name": "F__c", "type": kind, "formula": text}))
        .map_err(|error| error.to_string())
}

/// Returns the value of a formula of an opportunity of 200.50, in a stage, of an account with an owner.
fn value(kind: &str, text: &str) -> Json {
    let mut org = org();
    let admin = people::admin(&org);
    formula(&mut org, kind, text).unwrap();
    let fields = |json: Json| json.as_object().unwrap().clone();
    let account = org.create(&admin, "Account", &fields(json!({"Name": "Acme", "NumberOfEmployees": 7}))).unwrap();
    let body = json!({
        "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-01", "Amount": 200.5, "AccountId": account.as_str(),
    });
    let id = org.create(&admin, "Opportunity", &fields(body)).unwrap();
    let object = org.object("Opportunity").unwrap();
    let row = org.store.get("Opportunity", id).unwrap();
    org.render_field(&object, row, object.position("F__c").unwrap(), "66.0")
}

#[test]
fn formulas_are_evaluated_as_in_salesforce() {
    for (kind, text, expected) in [
        ("double", "Amount * 2 - 1 / 4", json!(400.75)),
        ("double", "Amount / 0", json!(null)),
        ("double", "TotalOpportunityQuantity + 1", json!(null)),
        ("double", "CloseDate - TODAY()", json!(9.0)),
        ("date", "CloseDate + 31", json!("2027-01-01")),
        ("date", "IF(TODAY() < CloseDate, CloseDate, TODAY())", json!("2026-12-01")),
        ("string", "Account.Name & ' by ' & Account.Owner.Username", json!("Acme by admin@larkspur.example")),
        ("string", "CASE(StageName, 'Closed Won', 'won', 'Prospecting', 'early', 'open')", json!("early")),
        ("string", "TEXT(Account.NumberOfEmployees) + \"!\"", json!("7!")),
        ("string", "BLANKVALUE(NextStep, 'none')", json!("none")),
        ("boolean", "ISPICKVAL(StageName, 'Prospecting') && Amount >= 200.5", json!(true)),
        ("boolean", "OR(ISBLANK(NextStep), Amount > 1000)", json!(true)),
        ("boolean", "NOT(IsWon) = FALSE", json!(false)),
        ("string", "IF(Amount > 1000, 'large', NULL)", json!(null)),
    ] {
        assert_eq!(value(kind, text), expected, "{text}");
    }
}

#[test]
fn a_formula_that_cannot_work_is_refused() {
    for (kind, text, expected) in [
        ("double", "Nope__c + 1", "Field Nope__c does not exist. Check spelling."),
        ("double", "Account.Nope__c + 1", "Field Account.Nope__c does not exist. Check spelling."),
        ("double", "Name", "the formula returns Text, which does not fit a field of type double"),
        ("double", "Name * 2", "Incorrect parameter type. Expected Number, received Text"),
        (
            "boolean",
            "StageName = 'x'",
            "Field StageName is a picklist field. Picklist fields are only supported in certain functions.",
        ),
        ("string", "Description", "You referenced an unsupported field type called \"textarea\"."),
        ("string", "F__c & 'x'", "Field F__c does not exist. Check spelling."),
        ("string", "VLOOKUP(Name)", "the simulator does not support the function VLOOKUP in formulas"),
        ("textarea", "Name", "a formula cannot return the type textarea"),
    ] {
        let error = formula(&mut org(), kind, text).unwrap_err();
        assert!(error.ends_with(expected), "{text}: {error}");
    }
    let mut org = org();
    formula(&mut org, "string", "Name & 'x'").unwrap();
    assert!(formula(&mut org, "string", "F__c & 'x'").unwrap_err().ends_with("the formula refers to itself"));
    let both = json!({"name": "G__c", "type": "double", "formula": "1", "unique": true});
    assert!(define(&mut org, "Opportunity", both).is_err());
}

#[test]
fn only_own_stored_fields_make_a_formula_deterministic() {
    let mut org = org();
    formula(&mut org, "string", "Account.Name").unwrap();
    let object = org.object("Opportunity").unwrap();
    let deterministic = |text: &str| Computed::Formula(Formula::parse(text).unwrap()).is_deterministic(&object);
    assert!(deterministic("IF(Amount > 1, 'a', Name)"));
    assert!(!deterministic("Account.Name"));
    assert!(!deterministic("F__c & 'x'"));
    assert!(!deterministic("IF(CloseDate < TODAY(), 1, 2)"));
}

#[test]
fn formulas_that_refer_to_each_other_end() {
    let mut org = org();
    let field = |name: &str, text: &str| json!({"name": name, "type": "double", "formula": text});
    define(&mut org, "Account", field("A__c", "1")).unwrap();
    define(&mut org, "Account", field("B__c", "A__c + A__c")).unwrap();
    define(&mut org, "Account", field("A__c", "B__c + B__c")).unwrap();
    let admin = people::admin(&org);
    let id = org.create(&admin, "Account", json!({"Name": "Loop"}).as_object().unwrap()).unwrap();
    let object = org.object("Account").unwrap();
    let row = org.store.get("Account", id).unwrap();
    assert_eq!(*org.field_value(&object, row, object.position("A__c").unwrap()), Value::Null);
}

#[test]
fn a_summarized_formula_stays_deterministic() {
    let mut org = org();
    let formula = |text: &str| json!({"name": "F__c", "type": "currency", "formula": text});
    define(&mut org, "Opportunity", formula("Amount * 2")).unwrap();
    let rollup = json!({"object": "Opportunity", "reference": "AccountId", "function": "SUM", "field": "F__c"});
    define(&mut org, "Account", json!({"name": "Total__c", "type": "currency", "rollup": rollup})).unwrap();
    define(&mut org, "Opportunity", formula("Amount * 3")).unwrap();
    let error = define(&mut org, "Opportunity", formula("Account.Total__c")).unwrap_err().to_string();
    assert!(error.ends_with("Account.Total__c summarizes it"), "{error}");
    let stored = json!({"name": "F__c", "type": "currency"});
    assert!(define(&mut org, "Opportunity", stored).unwrap_err().to_string().ends_with("stays one"));
    let computed = json!({"name": "Ferry_External_Id__c", "type": "string", "formula": "Name"});
    assert!(define(&mut org, "Opportunity", computed).unwrap_err().to_string().ends_with("does not become a formula"));
}

#[test]
fn a_summary_needs_a_master_detail_relationship() {
    let mut org = org();
    let rollup = |object: &str, reference: &str, function: &str, field: Json| {
        let rollup = json!({"object": object, "reference": reference, "function": function, "field": field});
        json!({"name": "S__c", "type": "currency", "rollup": rollup})
    };
    let mut refused = |rollup: Json| define(&mut org, "Account", rollup).unwrap_err().to_string();
    assert!(
        refused(rollup("Contact", "AccountId", "SUM", json!("Name")))
            .ends_with("is no master-detail relationship to Account")
    );
    assert!(refused(rollup("Opportunity", "AccountId", "SUM", json!("Name"))).ends_with("does not give currency"));
    assert!(refused(rollup("Opportunity", "AccountId", "COUNT", json!("Amount"))).ends_with("does not give currency"));
    assert!(refused(rollup("Opportunity", "AccountId", "SUM", json!(null))).contains("only COUNT has no field"));
    define(&mut org, "Account", rollup("Opportunity", "AccountId", "SUM", json!("Amount"))).unwrap();
}
