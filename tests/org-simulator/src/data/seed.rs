//! The data of a new org: the setup data of every org, and the records of a small fictitious company.

mod developer_edition;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::Error;
use crate::data::crm_data;
use crate::model::ids::RecordId;
use crate::model::kind::OrgKind;
use crate::model::org::Org;
use crate::model::people::{self, NewUser};
use crate::model::schema::field::CURRENCIES;
use crate::model::value::Value;

/// Username of the administrator of every org.
pub(crate) const ADMIN: &str = "admin@larkspur.example";
const RECORDS: &str = include_str!("seed/records.json");
/// Units of each currency for one of the corporate currency.
const RATES: [f64; 3] = [1.0, 0.9, 0.8];
const STANDARD_PRICE_BOOK: &str = "Standard Price Book";

/// Name, probability, forecast category and its label, closed, won.
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

/// Record type, its developer name, its business process, and the stages of the process.
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

/// Fills the first org of a realm.
#[cfg(test)]
pub(crate) fn fill(org: &mut Org, seed: Seed) -> Result<(), Error> {
    fill_named(org, seed, &Naming::default())
}

/// The name of a new org and the suffix of its usernames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    pub(crate) name: String,
    /// Appended to each username, because usernames are unique among all orgs.
    pub(crate) username_suffix: String,
    pub(crate) namespace_prefix: Option<String>,
    pub(crate) trial_expires_at: Option<Timestamp>,
}

/// Fills a new org with this name.
pub(crate) fn fill_named(org: &mut Org, seed: Seed, naming: &Naming) -> Result<(), Error> {
    organization(org, naming);
    people(org, &naming.username_suffix)?;
    org.author_setup();
    picklists(org);
    record_types(org);
    person_type(org);
    org.add_missing_setup();
    let invalid = |_| Error::Prepare { what: "the built-in seed" };
    let records: Vec<Json> = match seed {
        Seed::Default => serde_json::from_str(RECORDS).map_err(invalid)?,
        Seed::DeveloperEdition => developer_edition::records(org.clock.now()),
        Seed::None => return Ok(()),
    };
    let report = crm_data::load_records(org, records);
    debug_assert!(report.refused.is_empty(), "{report:?}");
    Ok(())
}

impl Org {
    /// Adds the setup data of every org that is not there: the standard price book, the currencies, each user's `UserLogin`,
    /// and the lists of assignment rules and of objects. A state of an older version does not contain it.
    pub(crate) fn add_missing_setup(&mut self) {
        if self.setup_record("Pricebook2", "Name", STANDARD_PRICE_BOOK).is_none() {
            let fields = [
                ("Name", Value::text(STANDARD_PRICE_BOOK)),
                ("IsActive", Value::Bool(true)),
                ("IsStandard", Value::Bool(true)),
            ];
            self.insert_setup("Pricebook2", &fields);
        }
        if self.features.multi_currency && self.setup_record("CurrencyType", "IsoCode", CURRENCIES[0]).is_none() {
            for (code, rate) in CURRENCIES.into_iter().zip(RATES) {
                let fields = [
                    ("IsoCode", Value::text(code)),
                    ("ConversionRate", Value::Double(rate)),
                    ("DecimalPlaces", Value::Int(2)),
                    ("IsActive", Value::Bool(true)),
                    ("IsCorporate", Value::Bool(code == CURRENCIES[0])),
                ];
                self.insert_setup("CurrencyType", &fields);
            }
        }
        let users = self.store.table("User").into_iter().flat_map(|table| table.rows());
        let users: Vec<RecordId> = users.filter_map(|row| row.id()).collect();
        users.into_iter().for_each(|user| self.add_user_login(user));
        self.list_assignment_rules();
        self.list_entities();
    }
}

/// Adds the record type of person accounts, where the org has the feature.
fn person_type(org: &mut Org) {
    if !org.features.person_accounts {
        return;
    }
    let fields = [
        ("Name", Value::text("Person Account")),
        ("DeveloperName", Value::text("PersonAccount")),
        ("SobjectType", Value::text("Account")),
        ("IsActive", Value::Bool(true)),
        ("IsPersonType", Value::Bool(true)),
    ];
    org.insert_setup("RecordType", &fields);
}

fn organization(org: &mut Org, naming: &Naming) {
    let (edition, instance) = match org.kind {
        OrgKind::Production | OrgKind::LicenseManagement => ("Enterprise Edition", "SIM1"),
        OrgKind::Sandbox => ("Enterprise Edition", "SIM1S"),
        OrgKind::DeveloperEdition => ("Developer Edition", "SIM2"),
    };
    let prefix = naming.namespace_prefix.as_deref().map_or(Value::Null, Value::text);
    let fields = [
        ("Name", Value::text(naming.name.as_str())),
        ("Country", Value::text("US")),
        ("PrimaryContact", Value::text("Robin Achterberg")),
        ("OrganizationType", Value::text(edition)),
        ("InstanceName", Value::text(instance)),
        ("IsSandbox", Value::Bool(org.kind == OrgKind::Sandbox)),
        ("NamespacePrefix", prefix),
        ("TrialExpirationDate", naming.trial_expires_at.map_or(Value::Null, Value::Instant)),
        ("FiscalYearStartMonth", Value::Int(1)),
        ("DefaultLocaleSidKey", Value::text("en_US")),
        ("TimeZoneSidKey", Value::text("America/Los_Angeles")),
        ("LanguageLocaleKey", Value::text("en_US")),
    ];
    org.insert_setup("Organization", &fields);
}

fn people(org: &mut Org, suffix: &str) -> Result<(), Error> {
    for (username, first, last, is_admin) in [
        (ADMIN, "Robin", "Achterberg", true),
        ("casey@larkspur.example", "Casey", "Morrow", false),
        ("jordan@larkspur.example", "Jordan", "Oduya", false),
    ] {
        let (first_name, last_name) = (first.to_owned(), last.to_owned());
        let (username, email) = (format!("{username}{suffix}"), username.to_owned());
        people::add_user(org, &NewUser { username, first_name, last_name, email, is_admin, profile: String::new() })?;
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

/// Adds two opportunity record types with different stages; the first is the default.
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

/// The data of a new org.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seed {
    /// The small built-in seed: an admin, two sales reps, a few accounts, contacts, leads and opportunities.
    #[default]
    Default,
    /// The sample data of a Developer Edition: 13 accounts, 20 contacts, 31 opportunities.
    DeveloperEdition,
    /// The users, schema and record types only.
    None,
}
