//! Matches: the contacts, leads and accounts that fit a person, as the acting user sees them or through the team.
//!
//! All but the phone is compared by queries, which are exact and current: five in one call, so that a common name does not crowd
//! out an e-mail address. A phone number has many spellings, which only a search finds; it is one call more.
//! A person account is an account and a contact in one; only the account is a candidate. A converted lead is none.

mod person;
mod phone;

use std::cmp::Reverse;
use std::collections::HashSet;

use runtime::Schema;
use salesforce::search::{SearchText, SearchedFields};
use salesforce::soql::{self, Condition};
use salesforce::{ExternalIdType, FieldName, ObjectName, Record, Soql, Sosl};
use serde::Serialize;
use store::{Org, PlatformUser};

pub(crate) use person::{Person, PersonBody};

use self::person::{Reason, websites};
use crate::live::LiveReader;
use crate::summary::{ACCOUNT, CONTACT, IS_PERSON, LEAD, RecordSummary, summary_fields};
use crate::views::Source;
use crate::{Deps, Error};

/// The objects of the candidates, in the order of equal ones.
const OBJECTS: [ObjectName; 3] = [CONTACT, LEAD, ACCOUNT];
/// The maximum number of candidates.
const MAX_CANDIDATES: usize = 50;
/// The maximum number of rows of a query or of an object in a search.
const MAX_ROWS: u32 = 100;

const NAME: FieldName = FieldName::from_static("Name");
const WEBSITE: FieldName = FieldName::from_static("Website");
const MODIFIED: FieldName = FieldName::from_static("LastModifiedDate");

/// The candidates, the best first.
#[derive(Debug, Serialize)]
pub(crate) struct MatchesView {
    source: Source,
    candidates: Vec<Candidate>,
    /// More records fit than are returned.
    more: bool,
    not_compared: Vec<NotCompared>,
}

/// A record that fits.
#[derive(Debug, Serialize)]
struct Candidate {
    #[serde(flatten)]
    record: RecordSummary,
    matched_by: Vec<Reason>,
}

/// An object, or one part of the request for an object, that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct NotCompared {
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<ObjectName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Reason>,
    reason: NotComparedReason,
}

/// The reason why a part was not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum NotComparedReason {
    /// The object, or its field, is hidden from the connection's user.
    Hidden,
    /// The domain is one of a provider of free mailboxes.
    FreeMail,
    /// Salesforce did not answer a query of the object, or refused it.
    NotAnswered,
}

/// Finds the candidates. Costs one call, one more for a phone number, and the calls for what is not known of the objects.
pub(crate) async fn find(
    deps: &Deps,
    org: &Org,
    person: &Person,
    user: Option<&PlatformUser>,
) -> Result<MatchesView, Error> {
    let reader = LiveReader::open(deps, org, user).await?;
    let (mut schema, mut records, mut more, mut failed) = (None, Vec::new(), false, Vec::new());
    if let Some(phone) = &person.phone {
        let text = SearchText::any_phrase(phone.spellings())?;
        let (known, found) = reader.search(&OBJECTS, |schema| Ok(search(person, &text, schema))).await?;
        more |= found.len() >= MAX_ROWS as usize;
        records.extend(found);
        schema = Some(known);
    }
    if (Person { phone: None, ..person.clone() }) != Person::default() {
        let (known, pages) = reader.query(&OBJECTS, |schema| queries(person, schema)).await?;
        let all_failed = pages.iter().all(Result::is_err);
        for (query, page) in queries(person, &known)?.iter().zip(pages) {
            match page {
                Ok(page) => {
                    more |= page.records.len() >= MAX_ROWS as usize;
                    records.extend(page.records);
                }
                Err(error) if all_failed => return Err(error.into()),
                Err(_) => failed.push(query.object().clone()),
            }
        }
        schema = Some(known);
    }
    let schema = schema.unwrap_or_default();
    let mut candidates = ranked(person, &schema, records);
    more |= candidates.len() > MAX_CANDIDATES;
    candidates.truncate(MAX_CANDIDATES);
    let instance = reader.instance_url().await?;
    let candidate =
        |(record, matched_by)| Candidate { record: RecordSummary::new(&schema, record, &instance), matched_by };
    Ok(MatchesView {
        source: Source::live(user),
        candidates: candidates.into_iter().map(candidate).collect(),
        more,
        not_compared: not_compared(person, &schema, failed),
    })
}

/// Returns the queries for all but the phone number, at most five.
fn queries(person: &Person, schema: &Schema) -> Result<Vec<Soql>, Error> {
    if let Some(unknown) = person.external_ids.keys().find(|field| {
        let is_known =
            |object: &ObjectName| schema.field(object, field.as_str()).is_some_and(|field| field.external_id);
        !OBJECTS.iter().any(is_known)
    }) {
        return Err(Error::NoExternalId(unknown.clone()));
    }
    let mut queries = Vec::new();
    for object in &OBJECTS {
        let (strong, weak) = (strong(person, schema, object), weak(person, schema, object));
        // An account has few weak conditions, and few accounts fulfil them.
        let conditions =
            if *object == ACCOUNT { vec![any(strong.into_iter().chain(weak))] } else { vec![any(strong), any(weak)] };
        for condition in conditions.into_iter().flatten() {
            queries.push(query(person, schema, object).where_(condition).limit(MAX_ROWS));
        }
    }
    Ok(queries)
}

/// Returns the search for the phone number; `None` if every object is hidden.
fn search(person: &Person, text: &SearchText, schema: &Schema) -> Option<Sosl> {
    let visible: Vec<_> = OBJECTS.into_iter().filter(|object| has_phone(schema, object)).collect();
    let search = Sosl::find(text.clone(), SearchedFields::Phone);
    let search =
        visible.iter().fold(search, |search, object| search.returning(query(person, schema, object).limit(MAX_ROWS)));
    (!visible.is_empty()).then_some(search)
}

/// Returns a query of all records of an object that can be candidates, the last modified first.
fn query(person: &Person, schema: &Schema, object: &ObjectName) -> Soql {
    let mut fields = summary_fields(schema, object);
    let compared = schema
        .visible(object, &["HomePhone", "OtherPhone", "PersonHomePhone", "PersonMobilePhone", "PersonOtherPhone"]);
    let external_ids = person.external_ids.keys().filter_map(|field| schema.field(object, field.as_str()));
    let more = compared.into_iter().chain(external_ids.map(|field| field.name.clone()));
    for field in more {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let query = Soql::select(&fields).from(object);
    let excluded =
        if *object == ACCOUNT { Vec::new() } else { schema.visible(object, &["IsPersonAccount", "IsConverted"]) };
    let query = excluded.iter().fold(query, |query, flag| query.where_(soql::eq(flag, false)));
    match schema.field(object, MODIFIED.as_str()) {
        Some(_) => query.order_by_descending(&MODIFIED),
        None => query,
    }
}

/// Returns the conditions that identify a person.
fn strong(person: &Person, schema: &Schema, object: &ObjectName) -> Vec<Condition> {
    let by_email = person.email.as_deref().zip(email_field(schema, object));
    let by_email = by_email.map(|(email, field)| soql::eq(&field, email));
    let by_id = person.external_ids.iter().filter_map(|(name, value)| {
        let field = schema.field(object, name.as_str()).filter(|field| field.external_id && field.filterable)?;
        let literals = ExternalIdType::of(field).literals(value);
        (!literals.is_empty()).then(|| soql::in_(&field.name, literals))
    });
    by_email.into_iter().chain(by_id).collect()
}

/// Returns the conditions that many records can fulfil.
fn weak(person: &Person, schema: &Schema, object: &ObjectName) -> Vec<Condition> {
    let can_filter = |field: &FieldName| schema.field(object, field.as_str()).is_some_and(|field| field.filterable);
    if !can_filter(&NAME) {
        return Vec::new();
    }
    let named = person.name.as_deref().map(|name| soql::eq(&NAME, name));
    if *object != ACCOUNT {
        return named.into_iter().collect();
    }
    let has_persons = schema.field(object, IS_PERSON.as_str()).is_some();
    let named = named.filter(|_| has_persons).map(|named| named.and(soql::eq(&IS_PERSON, true)));
    let company = person.company.as_deref().map(|company| soql::eq(&NAME, company));
    let domain = person.domain.as_deref().filter(|_| can_filter(&WEBSITE));
    let website = domain.and_then(|domain| any(websites(domain).map(|site| soql::starts_with(&WEBSITE, &site))));
    [named, company, website].into_iter().flatten().collect()
}

fn any(conditions: impl IntoIterator<Item = Condition>) -> Option<Condition> {
    conditions.into_iter().reduce(Condition::or)
}

/// Returns the field of an object with the e-mail address of a person, if the user can access it and Salesforce filters by it:
/// it does not if the field is encrypted.
fn email_field(schema: &Schema, object: &ObjectName) -> Option<FieldName> {
    let name = if *object == ACCOUNT { "PersonEmail" } else { "Email" };
    schema.field(object, name).filter(|field| field.filterable).map(|field| field.name.clone())
}

fn has_phone(schema: &Schema, object: &ObjectName) -> bool {
    !schema.visible(object, &["Phone", "MobilePhone"]).is_empty()
}

/// Returns the records that fit, each once, the best first: by their strongest reason, then by the other ones.
fn ranked(person: &Person, schema: &Schema, records: Vec<Record>) -> Vec<(Record, Vec<Reason>)> {
    let mut seen = HashSet::new();
    let mut candidates: Vec<_> = records
        .into_iter()
        .filter(|record| seen.insert(record.id))
        .map(|record| {
            let reasons = person.reasons(&record, |field| schema.field(&record.object, field.as_str()));
            (record, reasons)
        })
        .filter(|(_, reasons)| !reasons.is_empty())
        .collect();
    candidates.sort_by_cached_key(|(record, reasons)| {
        // A longer list is better than one that it begins with.
        let strengths: Vec<_> = reasons.iter().map(|reason| Reverse(*reason)).collect();
        let position = OBJECTS.iter().position(|object| *object == record.object);
        (Reverse(strengths), position, record.id)
    });
    candidates
}

/// Returns what the connection's user hides from the comparison.
fn not_compared(person: &Person, schema: &Schema, failed: Vec<ObjectName>) -> Vec<NotCompared> {
    let not_answered = |object| NotCompared { object: Some(object), by: None, reason: NotComparedReason::NotAnswered };
    let mut parts: Vec<NotCompared> = failed.into_iter().map(not_answered).collect();
    for object in OBJECTS {
        let mut add = |by| {
            parts.push(NotCompared { object: Some(object.clone()), by, reason: NotComparedReason::Hidden });
        };
        if schema.object(&object).is_none() {
            add(None);
            continue;
        }
        if person.email.is_some() && object != ACCOUNT && email_field(schema, &object).is_none() {
            add(Some(Reason::Email));
        }
        if person.phone.is_some() && !has_phone(schema, &object) {
            add(Some(Reason::Phone));
        }
        if person.domain.is_some() && object == ACCOUNT && schema.field(&object, WEBSITE.as_str()).is_none() {
            add(Some(Reason::Domain));
        }
    }
    if person.is_free_mail {
        parts.push(NotCompared { object: None, by: Some(Reason::Domain), reason: NotComparedReason::FreeMail });
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use salesforce::ObjectDescribe;
    use serde_json::json;

    use super::*;

    fn reasons() -> impl Strategy<Value = Vec<Reason>> {
        use Reason::{Company, Domain, Email, ExternalId, Name, Phone};
        prop::sample::subsequence(vec![ExternalId, Email, Phone, Name, Company, Domain], 1..=6)
    }

    fn strengths(reasons: &[Reason]) -> Vec<Reverse<Reason>> {
        reasons.iter().map(|reason| Reverse(*reason)).collect()
    }

    proptest! {
        #[test]
        fn the_strongest_reason_that_differs_decides(one in reasons(), other in reasons()) {
            let weight = |reasons: &[Reason]| reasons.iter().map(|reason| 32 >> *reason as u32).sum::<u32>();
            prop_assert_eq!(strengths(&one).cmp(&strengths(&other)), weight(&one).cmp(&weight(&other)));
        }
    }

    fn described(object: &ObjectName, fields: &[&str]) -> ObjectDescribe {
        let field = |name: &&str| {
            json!({
                "name": name, "label": name, "type": "string", "nillable": true, "createable": true, "updateable": true,
                "filterable": true, "nameField": *name == "Name", "externalId": name.ends_with("__c"),
            })
        };
        let object = json!({
            "name": object, "label": object, "keyPrefix": null, "custom": false, "queryable": true, "createable": true,
            "updateable": true, "replicateable": true, "fields": fields.iter().map(field).collect::<Vec<_>>(),
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn strong_and_weak_conditions_are_separate_queries() {
        let schema = Schema::of([
            described(&CONTACT, &["Name", "Email", "IsPersonAccount", "Key__c"]),
            described(&LEAD, &["Name", "Email", "IsConverted", "LastModifiedDate"]),
            described(&ACCOUNT, &["Name", "Website", "PersonEmail", "IsPersonAccount"]),
        ]);
        let person = json!({"email": "a@b.cd", "name": "O'Neil", "company": "B", "external_ids": {"key__c": "K"}});
        let person: PersonBody = serde_json::from_value(person).unwrap();
        let queries = queries(&person.try_into().unwrap(), &schema).unwrap();
        let queries: Vec<String> = queries.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(queries.join("\n"));
    }

    #[test]
    fn a_record_is_one_candidate() {
        let person: PersonBody = serde_json::from_value(json!({"name": "Jane Doe"})).unwrap();
        let record = |id: &str, name: &str| Record {
            object: CONTACT,
            id: id.parse().unwrap(),
            fields: json!({"Name": name}).as_object().unwrap().clone(),
        };
        let (jane, john) = (record("003D00000000001", "Jane Doe"), record("003D00000000002", "John Doe"));
        let found = ranked(&person.try_into().unwrap(), &Schema::default(), vec![john, jane.clone(), jane.clone()]);
        assert_eq!(found, [(jane, vec![Reason::Name])]);
    }
}
