//! The License Management App: packages, versions, licenses and leads in the vendor's org.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::Error;
use crate::messages::packages::subscriber::Subscriber;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::packages::{InstalledPackage, NAMESPACE, PACKAGE};
use crate::model::people;
use crate::model::schema::{Field, FieldKind, PicklistValue, relationship_of};
use crate::model::store::Row;
use crate::model::value::Value;

const PACKAGES: &str = "sfLma__Package__c";
const VERSIONS: &str = "sfLma__Package_Version__c";
const LICENSES: &str = "sfLma__License__c";
const STATUS: &str = "sfLma__License_Status__c";
const SUBSCRIBER: &str = "sfLma__Subscriber_Org_ID__c";

/// Object, field, type, and the object that a reference points to.
const FIELDS: &[(&str, &str, FieldKind, &str)] = &[
    (PACKAGES, "sfLma__Package_ID__c", FieldKind::String, ""),
    (PACKAGES, "sfLma__Namespace_Prefix__c", FieldKind::String, ""),
    (VERSIONS, "sfLma__Package__c", FieldKind::Reference, PACKAGES),
    (VERSIONS, "sfLma__Version_ID__c", FieldKind::String, ""),
    (VERSIONS, "sfLma__Version_Number__c", FieldKind::String, ""),
    (LICENSES, SUBSCRIBER, FieldKind::String, ""),
    (LICENSES, STATUS, FieldKind::Picklist, ""),
    (LICENSES, "sfLma__Install_Date__c", FieldKind::Date, ""),
    (LICENSES, "sfLma__Expiration_Date__c", FieldKind::Date, ""),
    (LICENSES, "sfLma__Seats__c", FieldKind::Double, ""),
    (LICENSES, "sfLma__Licensed_Seats__c", FieldKind::String, ""),
    (LICENSES, "sfLma__Used_Licenses__c", FieldKind::Double, ""),
    (LICENSES, "sfLma__Package__c", FieldKind::Reference, PACKAGES),
    (LICENSES, "sfLma__Package_Version__c", FieldKind::Reference, VERSIONS),
    (LICENSES, "sfLma__Package_Version_Number__c", FieldKind::String, ""),
    (LICENSES, "sfLma__Lead__c", FieldKind::Reference, "Lead"),
    (LICENSES, "sfLma__Account__c", FieldKind::Reference, "Account"),
    (LICENSES, "sfLma__Contact__c", FieldKind::Reference, "Contact"),
    (LICENSES, "sfLma__Instance__c", FieldKind::String, ""),
    (LICENSES, "sfLma__Org_Edition__c", FieldKind::String, ""),
    (LICENSES, "sfLma__Org_Status__c", FieldKind::String, ""),
    (LICENSES, "sfLma__Is_Sandbox__c", FieldKind::Boolean, ""),
];

/// Adds the objects of the app that are missing.
pub(crate) fn prepare(org: &mut Org) {
    if org.schema.object(LICENSES).is_some() {
        return;
    }
    for object in [PACKAGES, VERSIONS, LICENSES] {
        org.schema.add_custom_object(object);
    }
    for (object, name, kind, target) in FIELDS {
        let mut field = Field::new(name, *kind);
        if *kind == FieldKind::Reference {
            field.relationship = Some(relationship_of(name));
            field.reference_to = vec![(*target).to_owned()];
        }
        if *kind == FieldKind::Picklist {
            let known = ["Active", "Suspended", "Trial", "Uninstalled"];
            field.picklist = known.iter().map(|value| PicklistValue::new(value, false)).collect();
        }
        org.schema.add_field(object, field);
    }
}

/// Creates the lead and the license of a first installation, or updates the license on an upgrade.
pub(super) fn installed(org: &mut Org, subscriber: &Subscriber, package: &InstalledPackage) -> Result<(), Error> {
    prepare(org);
    let parent = ensured(
        org,
        PACKAGES,
        ("sfLma__Package_ID__c", &package.package_id),
        json!({"Name": PACKAGE, "sfLma__Namespace_Prefix__c": NAMESPACE}),
    )?;
    let version = ensured(
        org,
        VERSIONS,
        ("sfLma__Version_ID__c", &package.version_id),
        json!({"Name": package.version, "sfLma__Version_Number__c": package.version, "sfLma__Package__c": parent.as_str()}),
    )?;
    let mut fields = object(json!({
        STATUS: "Active", "sfLma__Package_Version__c": version.as_str(),
        "sfLma__Package_Version_Number__c": package.version, "sfLma__Instance__c": subscriber.instance,
        "sfLma__Org_Edition__c": subscriber.edition, "sfLma__Is_Sandbox__c": subscriber.is_sandbox,
    }));
    let actor = people::admin(org);
    if let Some(license) = license_of(org, subscriber.org_id) {
        return Ok(org.update(&actor, LICENSES, license, &fields)?);
    }
    let (first, last, email) = &subscriber.installer;
    let lead = object(json!({
        "FirstName": first, "LastName": last, "Email": email, "Company": subscriber.name,
        "LeadSource": "Package Installation",
    }));
    let lead = org.create(&actor, "Lead", &lead)?;
    let number = org.store.table(LICENSES).map_or(0, |table| table.rows().count()) + 1;
    let installed_on = package.installed_at.strftime("%Y-%m-%d").to_string();
    fields.extend(object(json!({
        "Name": format!("L-{number:05}"), SUBSCRIBER: subscriber.org_id.short(), "sfLma__Install_Date__c": installed_on,
        "sfLma__Licensed_Seats__c": "Site License", "sfLma__Used_Licenses__c": 0, "sfLma__Package__c": parent.as_str(),
        "sfLma__Lead__c": lead.as_str(), "sfLma__Org_Status__c": "ACTIVE",
    })));
    org.create(&actor, LICENSES, &fields)?;
    Ok(())
}

/// Marks the license of an org that has uninstalled the package.
pub(super) fn uninstalled(org: &mut Org, subscriber: RecordId) -> Result<(), Error> {
    let Some(license) = license_of(org, subscriber) else { return Ok(()) };
    let actor = people::admin(org);
    Ok(org.update(&actor, LICENSES, license, &object(json!({STATUS: "Uninstalled"})))?)
}

/// Returns the license of a subscriber's org; there is one record for each package and org.
fn license_of(org: &Org, subscriber: RecordId) -> Option<RecordId> {
    found(org, LICENSES, SUBSCRIBER, subscriber.short())
}

fn found(org: &Org, name: &str, field: &str, text: &str) -> Option<RecordId> {
    let at = org.schema.object(name)?.position(field)?;
    let is_it = |row: &&Arc<Row>| !row.is_deleted() && *row.get(at) == Value::text(text);
    let row = org.store.table(name)?.rows().find(is_it)?;
    row.id()
}

/// Returns the record with that key, which is created when it does not exist.
fn ensured(org: &mut Org, name: &str, (key, value): (&str, &str), fields: Json) -> Result<RecordId, Error> {
    if let Some(known) = found(org, name, key, value) {
        return Ok(known);
    }
    let mut fields = object(fields);
    fields.insert(key.to_owned(), Json::from(value));
    let actor = people::admin(org);
    Ok(org.create(&actor, name, &fields)?)
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}
