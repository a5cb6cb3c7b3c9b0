//! What is in an org from the start: setup data in every org, and a small fictitious company's records.

use serde_json::Value as Json;

use crate::control;
use crate::crm_data;
use crate::org::Org;
use crate::value::Value;
use crate::{Error, NewUser, Seed};

/// Username of the administrator every org has.
pub(crate) const ADMIN: &str = "admin@larkspur.example";
const RECORDS: &str = include_str!("seed/records.json");

/// Name, probability, forecast category, its label, closed, won.
type Stage = (&'static str, f64, &'static str, &'static str, bool, bool);

const STAGES: [Stage; 10] = [
    ("Prospecting", 10.0, "Pipeline", "Pipeline", false, false),
    ("Qualification", 10.0, "Pipeline", "Pipeline", false, false),
    ("Needs Analysis", 20.0, "Pipeline", "Pipeline", false, false),
    ("Value Proposition", 50.0, "Pipeline", "Pipeline", false, false),
    ("Id. Decision Makers", 60.0, "Pipeline", "Pipeline", false, false),
    ("Perception Analysis", 70.0, "Pipeline", "Pipeline", false, false),
    ("Proposal/Price Quote", 75.0, "Pipeline", "Pipeline", false, false),
    ("Negotiation/Review", 90.0, "Pipeline", "Pipeline", false, false),
    ("Closed Won", 100.0, "Closed", "Closed", true, true),
    ("Closed Lost", 0.0, "Omitted", "Omitted", true, false),
];

const LEAD_STATUSES: [(&str, bool); 4] = [
    ("Open - Not Contacted", false),
    ("Working - Contacted", false),
    ("Closed - Converted", true),
    ("Closed - Not Converted", false),
];

/// Record type, its developer name, its business process, and the stages of that.
const PROCESSES: [(&str, &str, &str, &[&str]); 2] = [
    (
        "New Business",
        "New_Business",
        "New Business Process",
        &[
            "Prospecting",
            "Qualification",
            "Needs Analysis",
            "Value Proposition",
            "Id. Decision Makers",
            "Proposal/Price Quote",
            "Negotiation/Review",
            "Closed Won",
            "Closed Lost",
        ],
    ),
    (
        "Renewal",
        "Renewal",
        "Renewal Process",
        &["Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost"],
    ),
];

/// Fills a new org.
pub(crate) fn fill(org: &mut Org, seed: Seed) -> Result<(), Error> {
    organization(org);
    people(org)?;
    picklists(org);
    record_types(org);
    if seed == Seed::Default {
        let invalid = |_| Error::Prepare { what: "the built-in seed" };
        let records: Vec<Json> = serde_json::from_str(RECORDS).map_err(invalid)?;
        let report = crm_data::load_records(org, records);
        debug_assert!(report.refused.is_empty(), "{report:?}");
    }
    Ok(())
}

fn organization(org: &mut Org) {
    let fields = [
        ("Name", Value::text("Larkspur Instruments")),
        ("Country", Value::text("US")),
        ("PrimaryContact", Value::text("Robin Achterberg")),
        ("OrganizationType", Value::text("Enterprise Edition")),
        ("InstanceName", Value::text("SIM1")),
        ("IsSandbox", Value::Bool(false)),
        ("DefaultLocaleSidKey", Value::text("en_US")),
        ("TimeZoneSidKey", Value::text("America/Los_Angeles")),
        ("LanguageLocaleKey", Value::text("en_US")),
    ];
    org.insert_setup("Organization", &fields);
}

fn people(org: &mut Org) -> Result<(), Error> {
    for (username, first, last, is_admin) in [
        (ADMIN, "Robin", "Achterberg", true),
        ("casey@larkspur.example", "Casey", "Morrow", false),
        ("jordan@larkspur.example", "Jordan", "Oduya", false),
    ] {
        let (first_name, last_name) = (first.to_owned(), last.to_owned());
        control::add_user(
            org,
            &NewUser { username: username.to_owned(), first_name, last_name, email: String::new(), is_admin },
        )?;
    }
    Ok(())
}

fn picklists(org: &mut Org) {
    for ((name, probability, category, category_name, closed, won), order) in STAGES.into_iter().zip(1..) {
        let fields = [
            ("MasterLabel", Value::text(name)),
            ("ApiName", Value::text(name)),
            ("IsActive", Value::Bool(true)),
            ("SortOrder", Value::Int(order)),
            ("IsClosed", Value::Bool(closed)),
            ("IsWon", Value::Bool(won)),
            ("ForecastCategory", Value::text(category)),
            ("ForecastCategoryName", Value::text(category_name)),
            ("DefaultProbability", Value::Double(probability)),
        ];
        org.insert_setup("OpportunityStage", &fields);
    }
    for ((name, converted), order) in LEAD_STATUSES.into_iter().zip(1..) {
        let fields = [
            ("MasterLabel", Value::text(name)),
            ("ApiName", Value::text(name)),
            ("SortOrder", Value::Int(order)),
            ("IsDefault", Value::Bool(order == 1)),
            ("IsConverted", Value::Bool(converted)),
        ];
        org.insert_setup("LeadStatus", &fields);
    }
}

/// Two opportunity record types with different stages; the first is the default.
fn record_types(org: &mut Org) {
    for (name, developer_name, process, stages) in PROCESSES {
        let fields = [
            ("Name", Value::text(process)),
            ("TableEnumOrId", Value::text("Opportunity")),
            ("IsActive", Value::Bool(true)),
        ];
        let process = org.insert_setup("BusinessProcess", &fields);
        org.stages_of.insert(process, stages.iter().map(|stage| (*stage).to_owned()).collect());
        let fields = [
            ("Name", Value::text(name)),
            ("DeveloperName", Value::text(developer_name)),
            ("BusinessProcessId", Value::Id(process)),
            ("SobjectType", Value::text("Opportunity")),
            ("IsActive", Value::Bool(true)),
        ];
        let id = org.insert_setup("RecordType", &fields);
        org.default_record_types.entry("Opportunity".to_owned()).or_insert(id);
    }
}
