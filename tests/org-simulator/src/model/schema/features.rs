//! The changes that an org's features make to its schema.

use super::{Dependency, Field, FieldKind, PicklistValue, Schema};
use crate::model::kind::Features;
use crate::model::places::COUNTRIES;
use crate::model::schema::field::currency;
use crate::model::schema::{Access, Object};

/// Fields of a person account besides its name: the account's field, its type, and the contact's field.
pub(crate) const PERSON_FIELDS: [(&str, FieldKind, &str); 15] = [
    ("PersonEmail", FieldKind::Email, "Email"),
    ("PersonMobilePhone", FieldKind::Phone, "MobilePhone"),
    ("PersonHomePhone", FieldKind::Phone, "HomePhone"),
    ("PersonOtherPhone", FieldKind::Phone, "OtherPhone"),
    ("PersonTitle", FieldKind::String, "Title"),
    ("PersonDepartment", FieldKind::String, "Department"),
    ("PersonBirthdate", FieldKind::Date, "Birthdate"),
    ("PersonMailingStreet", FieldKind::TextArea, "MailingStreet"),
    ("PersonMailingCity", FieldKind::String, "MailingCity"),
    ("PersonMailingState", FieldKind::String, "MailingState"),
    ("PersonMailingPostalCode", FieldKind::String, "MailingPostalCode"),
    ("PersonMailingCountry", FieldKind::String, "MailingCountry"),
    ("PersonMailingStateCode", FieldKind::Picklist, "MailingStateCode"),
    ("PersonMailingCountryCode", FieldKind::Picklist, "MailingCountryCode"),
    ("PersonLeadSource", FieldKind::Picklist, "LeadSource"),
];
/// The parts of a person's name, which account and contact share.
pub(crate) const PERSON_NAME: [&str; 3] = ["FirstName", "LastName", "Salutation"];

impl Schema {
    /// Returns the schema of an org with these features.
    pub(crate) fn with_features(mut self, features: &Features) -> Self {
        if !features.enhanced_notes {
            self.remove("ContentNote");
        }
        if !features.multi_currency {
            self.remove("CurrencyType");
        }
        if features.multi_currency {
            self.multi_currency = true;
            let names: Vec<String> = self.objects().filter(|o| has_currency(o)).map(|o| o.name.clone()).collect();
            for name in names {
                self.add_field(&name, currency());
            }
            self.add_field("User", currency());
            let label = "Default Currency ISO Code".to_owned();
            self.add_field("User", Field { name: "DefaultCurrencyIsoCode".to_owned(), label, ..currency() });
            self.add_field("OpportunityHistory", currency().read_only());
        }
        if features.person_accounts {
            self.add_person_accounts();
        }
        if features.state_and_country_picklists {
            self.add_place_codes();
        }
        self
    }

    /// Adds the codes of state and country to every address that clients write.
    fn add_place_codes(&mut self) {
        let writeable = self.objects().filter(|object| object.access == Access::Full);
        let stems = writeable.flat_map(|object| {
            let is_address = |stem: &&str| object.field(&format!("{stem}State")).is_some();
            let stems = object.fields.iter().filter_map(|field| field.name.strip_suffix("Country")).filter(is_address);
            stems.map(|stem| (object.name.clone(), stem.to_owned())).collect::<Vec<_>>()
        });
        for (object, stem) in stems.collect::<Vec<_>>() {
            let text = self.object(&object).and_then(|object| object.field(&format!("{stem}State"))).cloned();
            let label = format!("{stem} State/Province").trim_start().to_owned();
            let text = text.map(|text| Field { label, ..text });
            for field in text.into_iter().chain(place_codes(&stem)) {
                self.add_field(&object, field);
            }
        }
    }

    fn add_person_accounts(&mut self) {
        let mut fields = vec![
            Field::new("IsPersonAccount", FieldKind::Boolean).read_only(),
            Field {
                reference_to: vec!["Contact".to_owned()],
                relationship: Some("PersonContact".to_owned()),
                ..Field::new("PersonContactId", FieldKind::Reference).read_only()
            },
        ];
        let contact = self.object("Contact").cloned();
        let like = |name: &str, kind, contact_field: &str| {
            let contact_field = contact.as_ref().and_then(|contact| contact.field(contact_field));
            let length = contact_field.map(|contact_field| contact_field.length);
            let picklist = contact_field.map(|contact_field| contact_field.picklist.clone()).unwrap_or_default();
            let field = Field::new(name, kind);
            Field { length: length.unwrap_or(field.length), picklist, nillable: true, ..field }
        };
        for name in PERSON_NAME {
            let kind = if name == "Salutation" { FieldKind::Picklist } else { FieldKind::String };
            fields.push(like(name, kind, name));
        }
        let known = |name: &str| contact.as_ref().is_some_and(|contact| contact.field(name).is_some());
        let personal = PERSON_FIELDS.iter().filter(|(.., contact_field)| known(contact_field));
        fields.extend(personal.map(|(name, kind, contact_field)| like(name, *kind, contact_field)));
        for field in fields {
            self.add_field("Account", field);
        }
        self.add_field("Contact", Field::new("IsPersonAccount", FieldKind::Boolean).read_only());
        // In an org with person accounts, a lead does not need a company.
        if let Some(company) = self.object("Lead").and_then(|lead| lead.field("Company")).cloned() {
            self.add_field("Lead", Field { nillable: true, ..company });
        }
        self.add_field("RecordType", Field::new("IsPersonType", FieldKind::Boolean).read_only());
    }
}

/// Returns the picklists of the codes of an address, whose fields begin with the stem: of the country, and of its state.
fn place_codes(stem: &str) -> [Field; 2] {
    let field = |part: &str, label: &str, picklist| Field {
        label: format!("{stem} {label}").trim_start().to_owned(),
        restricted: true,
        picklist,
        ..Field::new(&format!("{stem}{part}"), FieldKind::Picklist)
    };
    let countries = COUNTRIES.iter().map(|country| PicklistValue::labeled(country.code, country.name)).collect();
    let states = || COUNTRIES.iter().flat_map(|country| country.states.iter().map(move |state| (country.code, state)));
    let valid_for = states().map(|(country, (code, _))| ((*code).to_owned(), vec![country.to_owned()])).collect();
    let states = states().map(|(_, (code, name))| PicklistValue::labeled(code, name)).collect();
    let state = Field {
        dependency: Some(Dependency { controller: format!("{stem}CountryCode"), valid_for }),
        ..field("StateCode", "State/Province Code", states)
    };
    [field("CountryCode", "Country Code", countries), state]
}

/// Objects that clients write and whose records have no currency.
const WITHOUT_CURRENCY: [&str; 6] =
    ["Attachment", "CampaignMemberStatus", "EmailMessage", "EmailMessageRelation", "EventRelation", "Note"];

/// Returns whether records of the object have a currency in an org with several currencies.
pub(super) fn has_currency(object: &Object) -> bool {
    let name = object.name.as_str();
    object.access == Access::Full
        && !object.setup
        && !name.starts_with("Content")
        && !name.ends_with("Share")
        && name != "TaskRelation"
        && !WITHOUT_CURRENCY.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_changes_the_schema_only_when_enabled() {
        let plain = Schema::standard().with_features(&Features::default());
        let features =
            Features { person_accounts: true, multi_currency: true, enhanced_notes: false, ..Features::default() };
        let mut rich = Schema::standard().with_features(&features);
        rich.add_custom_object("Broker__c");

        let has = |schema: &Schema, object: &str, field: &str| schema.object(object).unwrap().field(field).is_some();
        for (object, field) in
            [("Account", "IsPersonAccount"), ("Account", "PersonEmail"), ("Opportunity", "CurrencyIsoCode")]
        {
            assert!(!has(&plain, object, field) && has(&rich, object, field), "{object}.{field}");
        }
        assert!(has(&rich, "Broker__c", "CurrencyIsoCode"));
        assert!(plain.object("ContentNote").is_some() && rich.object("ContentNote").is_none());
        assert!(!rich.objects().any(|object| object.name == "ContentNote"));
    }
}
