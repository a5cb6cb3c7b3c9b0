//! The person of a match request, and the comparison of a record with it. Pure functions.

use std::collections::BTreeMap;

use salesforce::{ExternalIdType, FieldDescribe, FieldName, Record};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::phone::Phone;

/// The maximum number of external ids of a person.
const MAX_EXTERNAL_IDS: usize = 5;
/// The maximum number of characters of a name, a company and a value of an external id, as in Salesforce's text fields.
const MAX_CHARS: usize = 255;
/// Domains whose mailboxes anybody can have, so that they say nothing about a company. The providers with the most mailboxes;
/// a domain that is missing here only adds candidates of the weakest kind.
const FREE_MAIL: [&str; 32] = [
    "126.com",
    "163.com",
    "aol.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.fr",
    "icloud.com",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "t-online.de",
    "web.de",
    "yahoo.com",
    "yandex.ru",
];

/// The body of a match request, not yet validated.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonBody {
    email: Option<String>,
    name: Option<String>,
    company: Option<String>,
    domain: Option<String>,
    phone: Option<String>,
    external_ids: Option<BTreeMap<FieldName, Value>>,
}

/// The known data of a person. At least one part is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Person {
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) company: Option<String>,
    /// The domain of the company, in lower case, without `www.`.
    pub(super) domain: Option<String>,
    /// A domain was given that says nothing about a company.
    pub(super) is_free_mail: bool,
    pub(super) phone: Option<Phone>,
    pub(super) external_ids: BTreeMap<FieldName, Value>,
}

/// The reason why a record fits, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// A field that is an external id.
    ExternalId,
    /// The e-mail address.
    Email,
    /// A phone number, by its digits.
    Phone,
    /// The name of the person.
    Name,
    /// The name of the company.
    Company,
    /// The host of the website.
    Domain,
}

impl TryFrom<PersonBody> for Person {
    type Error = &'static str;

    fn try_from(body: PersonBody) -> Result<Self, &'static str> {
        let email = body.email.map(|email| checked_email(email.trim())).transpose()?;
        let given_domain = body.domain.map(|domain| checked_domain(domain.trim())).transpose()?;
        let of_email = email.as_deref().and_then(|email| checked_domain(email.rsplit('@').next()?).ok());
        let domain = given_domain.or(of_email);
        let is_free_mail = domain.as_deref().is_some_and(|domain| FREE_MAIL.contains(&domain));
        let external_ids = body.external_ids.unwrap_or_default();
        if external_ids.len() > MAX_EXTERNAL_IDS || !external_ids.values().all(is_external_id) {
            return Err(
                "external_ids must be at most 5 texts of 1 to 255 characters, or numbers, by the API name of their field",
            );
        }
        let person = Self {
            email,
            name: body.name.map(|name| checked_text(&name, "name must have 1 to 255 characters")).transpose()?,
            company: body
                .company
                .map(|name| checked_text(&name, "company must have 1 to 255 characters"))
                .transpose()?,
            domain: domain.filter(|_| !is_free_mail),
            is_free_mail,
            phone: body.phone.map(|phone| Phone::parse(&phone)).transpose()?,
            external_ids,
        };
        match person == (Self { is_free_mail, ..Self::default() }) {
            true => {
                Err("at least one of email, name, company, domain of a company, phone and external_ids is required")
            }
            false => Ok(person),
        }
    }
}

fn checked_text(text: &str, error: &'static str) -> Result<String, &'static str> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_valid = !text.is_empty() && text.chars().count() <= MAX_CHARS && !text.contains(char::is_control);
    is_valid.then_some(text).ok_or(error)
}

fn checked_email(email: &str) -> Result<String, &'static str> {
    let parts = email.split_once('@').filter(|(local, host)| !local.is_empty() && host.contains('.'));
    let is_valid =
        parts.is_some() && email.len() <= 254 && !email.contains(|c: char| c.is_whitespace() || c.is_control());
    is_valid.then(|| email.to_owned()).ok_or("email must be an e-mail address")
}

/// Returns a host name in lower case, without `www.`.
fn checked_domain(domain: &str) -> Result<String, &'static str> {
    let domain = domain.to_lowercase();
    let domain = domain.strip_prefix("www.").unwrap_or(&domain);
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let is_valid = domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label);
    is_valid.then(|| domain.to_owned()).ok_or("domain must be the domain of a company, such as acme.com")
}

fn is_external_id(value: &Value) -> bool {
    match value {
        Value::String(text) => (1..=MAX_CHARS).contains(&text.chars().count()),
        Value::Number(_) => true,
        _ => false,
    }
}

/// The beginnings of the websites with this domain.
pub(super) fn websites(domain: &str) -> impl Iterator<Item = String> {
    let schemes = ["", "http://", "https://"];
    schemes.into_iter().flat_map(move |scheme| ["", "www."].map(|www| format!("{scheme}{www}{domain}")))
}

/// Returns the host of a website, in lower case, without `www.`.
fn host(website: &str) -> String {
    let website = website.trim().to_lowercase();
    let rest = website.split_once("://").map_or(website.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

impl Person {
    /// Returns the reasons for which a record fits. `describe` finds a field of the record's object.
    pub(super) fn reasons<'a>(
        &self,
        record: &Record,
        describe: impl Fn(&FieldName) -> Option<&'a FieldDescribe>,
    ) -> Vec<Reason> {
        let text = |field: &str| record.text(field);
        let same = |known: &Option<String>, field: Option<&str>| {
            known.as_ref().zip(field).is_some_and(|(known, field)| {
                checked_text(field, "").is_ok_and(|field| field.to_lowercase() == known.to_lowercase())
            })
        };
        let is_external_id = self.external_ids.iter().any(|(name, value)| {
            let field = describe(name);
            let stored = field.and_then(|field| record.fields.get(field.name.as_str()));
            field.zip(stored).is_some_and(|(field, stored)| ExternalIdType::of(field).is_same(value, stored))
        });
        let has_phone = self.phone.as_ref().is_some_and(|phone| {
            let numbers = record.fields.iter().filter(|(field, _)| field.ends_with("Phone"));
            numbers.filter_map(|(_, number)| number.as_str()).any(|number| phone.is_same(number))
        });
        let account_name = record.fields.get("Account").and_then(|account| account["Name"].as_str());
        let (is_account, is_person) = (
            record.object == crate::summary::ACCOUNT,
            record.fields.get("IsPersonAccount").and_then(Value::as_bool) == Some(true),
        );
        let company = match (is_account, is_person) {
            (true, true) => None,
            (true, false) => text("Name"),
            (false, _) => text("Company").or(account_name),
        };
        let website = text("Website").filter(|_| is_account).map(host);
        let found = [
            (Reason::ExternalId, is_external_id),
            (Reason::Email, same(&self.email, text("Email").or(text("PersonEmail")))),
            (Reason::Phone, has_phone),
            (Reason::Name, same(&self.name, text("Name").filter(|_| !is_account || is_person))),
            (Reason::Company, same(&self.company, company)),
            (Reason::Domain, self.domain.is_some() && website == self.domain),
        ];
        found.into_iter().filter(|(_, fits)| *fits).map(|(reason, _)| reason).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(body: Value) -> Result<Person, &'static str> {
        serde_json::from_value::<PersonBody>(body).unwrap().try_into()
    }

    fn reasons(person: &Person, object: &str, fields: Value) -> Vec<Reason> {
        let record = Record {
            object: object.parse().unwrap(),
            id: "001D000000IRFma".parse().unwrap(),
            fields: fields.as_object().unwrap().clone(),
        };
        person.reasons(&record, |_| None)
    }

    #[test]
    fn a_record_fits_for_every_part_that_is_the_same() {
        let jane = json!({
            "email": "Jane@Acme.com", "name": "Jane  Doe", "company": "Acme", "phone": "+49 (0)30 123456",
        });
        let jane = person(jane).unwrap();
        let contact = json!({
            "Name": "jane doe", "Email": "jane@acme.com", "MobilePhone": "030/12 34 56", "Account": {"Name": "ACME"},
        });
        assert_eq!(reasons(&jane, "Contact", contact), [Reason::Email, Reason::Phone, Reason::Name, Reason::Company]);
        let account = json!({"Name": "Acme", "Website": "https://www.acme.com/de?x=1"});
        assert_eq!(reasons(&jane, "Account", account), [Reason::Company, Reason::Domain]);
        let person_account = json!({"Name": "Jane Doe", "IsPersonAccount": true, "PersonEmail": "jane@acme.com"});
        assert_eq!(reasons(&jane, "Account", person_account), [Reason::Email, Reason::Name]);
        assert_eq!(reasons(&jane, "Account", json!({"Name": "Jane Doe", "Website": "acme.com.evil.example"})), []);
    }

    #[test]
    fn a_free_mail_domain_is_no_company() {
        for domain in ["gmail.com", "GMX.de", "www.web.de"] {
            let jane = person(json!({"email": "jane@example.org", "domain": domain})).unwrap();
            assert_eq!((jane.domain, jane.is_free_mail), (None, true), "{domain}");
        }
        assert_eq!(person(json!({"email": "jane@gmail.com"})).unwrap().domain, None);
        assert_eq!(person(json!({"email": "jane@Acme.com"})).unwrap().domain.as_deref(), Some("acme.com"));
        assert!(person(json!({"domain": "gmail.com"})).is_err());
    }

    #[test]
    fn an_invalid_part_is_named() {
        for (body, part) in [
            (json!({}), "at least one"),
            (json!({"external_ids": {}}), "at least one"),
            (json!({"email": "jane"}), "email"),
            (json!({"email": "jane doe@acme.com"}), "email"),
            (json!({"name": " "}), "name"),
            (json!({"company": "x".repeat(256)}), "company"),
            (json!({"domain": "acme"}), "domain"),
            (json!({"domain": "acme.com' OR"}), "domain"),
            (json!({"phone": "12"}), "phone"),
            (json!({"external_ids": {"Key__c": ""}}), "external_ids"),
            (json!({"external_ids": {"Key__c": true}}), "external_ids"),
            (json!({"external_ids": {"A": 1, "B": 1, "C": 1, "D": 1, "E": 1, "F": 1}}), "external_ids"),
        ] {
            assert!(person(body.clone()).unwrap_err().starts_with(part), "{body}");
        }
        assert!(serde_json::from_value::<PersonBody>(json!({"mail": "jane@acme.com"})).is_err());
    }

    #[test]
    fn the_list_of_free_mail_domains_is_sorted() {
        assert!(FREE_MAIL.is_sorted());
        assert!(FREE_MAIL.iter().all(|domain| checked_domain(domain).as_deref() == Ok(domain)));
    }
}
