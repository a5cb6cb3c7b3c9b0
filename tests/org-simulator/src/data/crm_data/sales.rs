//! Loads the B2B sales set: companies, products, sales agents and a pipeline of thousands of opportunities.
//!
//! Mappings, where the set and Salesforce differ:
//! - `Won` becomes `Closed Won`, `Lost` becomes `Closed Lost`, `Engaging` becomes `Qualification`; `Prospecting` is
//!   unchanged.
//! - `CloseDate` is required in Salesforce. Where `close_date` is empty, it is `engage_date` plus 90 days; where both are empty
//!   it is 2017-12-31, the end of the set's time.
//! - `opportunity_id` is stored in the external id `Source_Opportunity_Id__c`, the product's original name in
//!   `Product_Name__c`.
//! - Revenue is in millions.

use std::collections::HashMap;
use std::path::Path;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Map, Value as Json, json};

use super::rows;
use crate::Error;
use crate::data::crm_data::load::{Load, file_name, read_csv, sorted_entries};
use crate::model::org::Org;
use crate::model::people::{self, NewUser};
use crate::model::schema::{Field, FieldKind};
use crate::model::value::Value;

const KEY: &str = "Source_Opportunity_Id__c";
const LAST_DAY: &str = "2017-12-31";

type CsvRow = HashMap<String, String>;

/// Loads accounts, products and agents, then every `sales_pipeline*.csv`.
pub(super) fn load_folder(load: &mut Load<'_>, dir: &Path) -> Result<(), Error> {
    let schema = &mut load.org.schema;
    schema.add_field("Product2", Field::new("Sales_Price__c", FieldKind::Currency));
    schema.add_field("User", Field::new("Manager_Name__c", FieldKind::String));
    schema.add_field("Opportunity", Field::new("Product_Name__c", FieldKind::String));
    schema.add_field("Opportunity", Field::new("Engage_Date__c", FieldKind::Date));
    rows::external_id(load, KEY);
    let accounts = accounts(load, &read_csv(&dir.join("accounts.csv"))?);
    products(load, &read_csv(&dir.join("products.csv"))?);
    let agents = agents(load, &read_csv(&dir.join("sales_teams.csv"))?);
    for path in sorted_entries(dir)?.iter().filter(|path| file_name(path).starts_with("sales_pipeline")) {
        for row in read_csv(path)? {
            opportunity(load, &row, &accounts, &agents);
        }
    }
    Ok(())
}

fn column<'a>(row: &'a CsvRow, name: &str) -> &'a str {
    row.get(name).map_or("", |text| text.trim())
}

fn number(row: &CsvRow, name: &str) -> Option<f64> {
    column(row, name).parse().ok()
}

fn fields(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// Creates an account for each company and returns the ids by name; parents come before their subsidiaries.
fn accounts(load: &mut Load<'_>, rows: &[CsvRow]) -> HashMap<String, String> {
    let mut ids: HashMap<String, String> = HashMap::new();
    let (parents, children): (Vec<&CsvRow>, Vec<&CsvRow>) =
        rows.iter().partition(|row| column(row, "subsidiary_of").is_empty());
    for row in parents.into_iter().chain(children) {
        let parent = column(row, "subsidiary_of");
        if !parent.is_empty() && !ids.contains_key(parent) {
            load.adjusted("Account", "the parent company is not in the set");
        }
        let body = json!({
            "Name": column(row, "account"),
            "Industry": column(row, "sector"),
            "YearStarted": column(row, "year_established"),
            "AnnualRevenue": number(row, "revenue").map(|millions| (millions * 1_000_000.0).round()),
            "NumberOfEmployees": number(row, "employees"),
            "BillingCountry": column(row, "office_location"),
            "ParentId": ids.get(parent),
        });
        if let Some(id) = load.create("Account", &fields(body)) {
            ids.insert(column(row, "account").to_owned(), id);
        }
    }
    ids
}

fn products(load: &mut Load<'_>, rows: &[CsvRow]) {
    for row in rows {
        let body = json!({
            "Name": column(row, "product"), "Family": column(row, "series"), "Sales_Price__c": number(row, "sales_price"), "IsActive": true,
        });
        load.create("Product2", &fields(body));
    }
}

/// Creates a user for each sales agent and returns the ids by name.
fn agents(load: &mut Load<'_>, rows: &[CsvRow]) -> HashMap<String, String> {
    let mut ids = HashMap::new();
    for row in rows {
        let name = column(row, "sales_agent");
        let (first, last) = name.split_once(' ').unwrap_or(("", name));
        let username =
            format!("{}@b2b-sales.example", name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "."));
        let user = NewUser {
            username,
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            email: String::new(),
            is_admin: false,
            profile: String::new(),
        };
        match people::add_user(load.org, &user) {
            Ok(user) => {
                let details =
                    [("Division", column(row, "regional_office")), ("Manager_Name__c", column(row, "manager"))];
                set_details(load.org, &user.id, &details);
                load.loaded("User");
                ids.insert(name.to_owned(), user.id);
            }
            Err(error) => load.refused("User", &error.to_string()),
        }
    }
    ids
}

fn set_details(org: &mut Org, user: &str, details: &[(&str, &str)]) {
    let (Some(object), Some(id)) = (org.schema.object("User").cloned(), crate::model::ids::RecordId::parse(user))
    else {
        return;
    };
    let Some(mut row) = org.store.get("User", id).map(|row| (**row).clone()) else { return };
    for (name, text) in details {
        if let Some(at) = object.position(name) {
            row.set(at, Value::text(*text));
        }
    }
    org.store.put(&object, id, row);
    org.store.commit();
}

fn stage(deal_stage: &str) -> &str {
    match deal_stage {
        "Won" => "Closed Won",
        "Lost" => "Closed Lost",
        "Engaging" => "Qualification",
        other => other,
    }
}

/// Returns the close date, and the adjustment when the set has none.
fn close_date(row: &CsvRow) -> (String, Option<&'static str>) {
    let given = column(row, "close_date");
    if !given.is_empty() {
        return (given.to_owned(), None);
    }
    match column(row, "engage_date").parse::<Date>() {
        Ok(engaged) => (engaged.saturating_add(90.days()).to_string(), Some("CloseDate is engage_date plus 90 days")),
        Err(_) => (LAST_DAY.to_owned(), Some("CloseDate is 2017-12-31, both dates are missing")),
    }
}

fn opportunity(
    load: &mut Load<'_>,
    row: &CsvRow,
    accounts: &HashMap<String, String>,
    agents: &HashMap<String, String>,
) {
    let (account, product) = (column(row, "account"), column(row, "product"));
    let (close_date, filled) = close_date(row);
    let owner = agents.get(column(row, "sales_agent"));
    let body = json!({
        "Name": if account.is_empty() { format!("{product} - no account yet") } else { format!("{account} - {product}") },
        "AccountId": accounts.get(account),
        "OwnerId": owner.map_or_else(|| load.actor.user.to_string(), Clone::clone),
        "StageName": stage(column(row, "deal_stage")),
        "CloseDate": close_date,
        "Amount": number(row, "close_value"),
        "Product_Name__c": product,
        "Engage_Date__c": column(row, "engage_date"),
        KEY: column(row, "opportunity_id"),
    });
    if load.create("Opportunity", &fields(body)).is_none() {
        return;
    }
    if let Some(what) = filled {
        load.adjusted("Opportunity", what);
    }
    if owner.is_none() {
        load.adjusted("Opportunity", "the sales agent is unknown, the administrator owns it");
    }
    match (account.is_empty(), accounts.contains_key(account)) {
        (true, _) => load.adjusted("Opportunity", "it has no account"),
        (false, false) => load.adjusted("Opportunity", "its account is unknown"),
        (false, true) => {}
    }
}
