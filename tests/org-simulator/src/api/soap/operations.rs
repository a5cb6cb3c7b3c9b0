//! The operations that require a session.

use serde_json::{Map, Value as Json};

use super::login;
use super::response::{Fault, errors, failed_upsert, result};
use super::xml::{Element, tag, tag_or_nil};
use crate::api::soap::call::Call;
use crate::data::write::{LeadConvert, Upserted};
use crate::model::actor::Actor;
use crate::model::change_events::Origin;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;

/// Records in one call (SOAP API guide).
const MAX_RECORDS: usize = 200;
const MAX_CONVERSIONS: usize = 100;

/// Serves an operation and returns the content of its response element.
pub(super) fn serve(org: &mut Org, call: &Call<'_>) -> Result<String, Fault> {
    let operation = call.operation;
    match operation.name.as_str() {
        "logout" => {
            org.logins.revoke(call.session);
            Ok(String::new())
        }
        "getUserInfo" => Ok(format!("<result>{}</result>", login::user_info(org, call.actor.user))),
        "getServerTimestamp" => {
            let now = crate::model::datetime::soap(org.clock.now());
            Ok(format!("<result>{}</result>", tag("timestamp", &now)))
        }
        "convertLead" => {
            ordered_conversions(call).and_then(|()| each(org, call, ("leadConverts", MAX_CONVERSIONS), convert))
        }
        "merge" => each(org, call, ("request", MAX_RECORDS), merge),
        "create" => each(org, call, ("sObjects", MAX_RECORDS), |org, actor, record| {
            let (object, fields) = sobject(record)?;
            org.create(actor, &object, &fields).map(|id| result(&Ok(id)))
        }),
        "update" => each(org, call, ("sObjects", MAX_RECORDS), update),
        "upsert" => {
            let key = operation.value("externalIDFieldName").unwrap_or("Id").to_owned();
            let outcomes =
                attempt(org, call, ("sObjects", MAX_RECORDS), |org, actor, record| upsert(org, actor, record, &key))?;
            Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|error| failed_upsert(&error))).collect())
        }
        "delete" => each(org, call, ("ids", MAX_RECORDS), |org, actor, id| {
            let (id, object) = known(org, &id.text)?;
            org.delete(actor, &object, id).map(|()| result(&Ok(id)))
        }),
        "undelete" => each(org, call, ("ids", MAX_RECORDS), |org, actor, id| {
            let (id, object) = known(org, &id.text)?;
            org.undelete(actor, &object, id).map(|()| result(&Ok(id)))
        }),
        "emptyRecycleBin" => each(org, call, ("ids", MAX_RECORDS), |org, actor, id| {
            let (id, _) = known(org, &id.text)?;
            org.empty_from_bin(actor, id).map(|()| result(&Ok(id)))
        }),
        other => {
            tracing::warn!(
                operation = other,
                version = call.version,
                wsdl = call.wsdl.name(),
                "the simulator does not support this SOAP operation"
            );
            Err(Fault::new("INVALID_OPERATION", format!("No operation available for request {other}")))
        }
    }
}

/// The elements of a lead conversion, in the order of the schema.
const CONVERSION: [&str; 17] = [
    "accountId",
    "accountRecord",
    "bypassAccountDedupeCheck",
    "bypassContactDedupeCheck",
    "contactId",
    "contactRecord",
    "convertedStatus",
    "doNotCreateOpportunity",
    "leadId",
    "opportunityId",
    "opportunityName",
    "opportunityRecord",
    "overwriteLeadSource",
    "ownerId",
    "relatedPersonAccountId",
    "relatedPersonAccountRecord",
    "sendNotificationEmail",
];

/// Elements of a lead conversion that the simulator refuses. A related person account is possible only in orgs with person
/// accounts and contacts of several accounts.
const UNSUPPORTED_CONVERSION: [&str; 5] =
    ["accountRecord", "contactRecord", "opportunityRecord", "relatedPersonAccountId", "relatedPersonAccountRecord"];

/// Refuses conversions whose elements are not in the order of the schema. The text is that of public reports.
fn ordered_conversions(call: &Call<'_>) -> Result<(), Fault> {
    let place = |name: &str| CONVERSION.iter().position(|known| *known == name);
    for request in call.operation.all("leadConverts") {
        let mut last = 0;
        for element in &request.children {
            match place(&element.name).filter(|place| *place >= last) {
                Some(place) => last = place,
                None => {
                    let namespace = format!("urn:{}.soap.sforce.com", call.wsdl.name());
                    let message = format!("Element {{{namespace}}}{} invalid at this location", element.name);
                    return Err(Fault::new("UNKNOWN_EXCEPTION", message));
                }
            }
        }
    }
    Ok(())
}

/// Applies an operation to each item, and returns the results as one text.
fn each(
    org: &mut Org,
    call: &Call<'_>,
    items: (&str, usize),
    act: impl FnMut(&mut Org, &Actor, &Element) -> Result<String, ApiError>,
) -> Result<String, Fault> {
    let outcomes = attempt(org, call, items, act)?;
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|error| result(&Err(error)))).collect())
}

/// Applies an operation to each item, each in a transaction of its own unless the header sets all or none.
fn attempt(
    org: &mut Org,
    call: &Call<'_>,
    (name, most): (&str, usize),
    mut act: impl FnMut(&mut Org, &Actor, &Element) -> Result<String, ApiError>,
) -> Result<Vec<Result<String, ApiError>>, Fault> {
    let items: Vec<&Element> = call.operation.all(name).collect();
    if items.len() > most {
        let message = format!("record limit reached. cannot submit more than {most} records into this call");
        return Err(Fault::new("EXCEEDED_ID_LIMIT", message));
    }
    let start = org.savepoint();
    let mut results = Vec::with_capacity(items.len());
    for item in items {
        let before = org.savepoint();
        let outcome = act(org, &call.actor, item);
        if outcome.is_err() {
            org.rollback(&before);
        }
        results.push(outcome);
    }
    let all_or_none = call.header.child("AllOrNoneHeader").is_some_and(|header| header.is_true("allOrNone"));
    if all_or_none && results.iter().any(Result::is_err) {
        org.rollback(&start);
        for outcome in results.iter_mut().filter(|outcome| outcome.is_ok()) {
            *outcome = Err(ApiError::rolled_back());
        }
    }
    let version = format!("{}.0", call.version);
    let client = call.header.child("CallOptions").and_then(|options| options.value("client"));
    org.commit(Origin { api: Some(("soap", &version)), client, user: Some(call.actor.user) });
    Ok(results)
}

/// Parses an id and returns the object of its key prefix.
fn known(org: &Org, text: &str) -> Result<(RecordId, String), ApiError> {
    let id = id(text)?;
    let object = org.schema.by_prefix(id.key_prefix());
    let object = object.ok_or_else(|| ApiError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))?;
    Ok((id, object.name.clone()))
}

fn id(text: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(text.trim()).ok_or_else(|| ApiError::new("MALFORMED_ID", format!("bad id {}", text.trim())))
}

/// Returns the type and the fields of an sObject element.
fn sobject(element: &Element) -> Result<(String, Map<String, Json>), ApiError> {
    let typed = element.kind.as_deref().filter(|kind| *kind != "sObject");
    let object = element.value("type").or(typed);
    let object = object.ok_or_else(|| ApiError::new("INVALID_TYPE", "sObject type is missing"))?.to_owned();
    let mut fields = Map::new();
    // In the partner WSDL, `type` is the type of the sObject; an enterprise sObject may have a field `Type`.
    for child in element.children.iter().filter(|child| child.name != "type") {
        match child.name.as_str() {
            "fieldsToNull" => fields.insert(child.text.trim().to_owned(), Json::Null),
            name if child.children.is_empty() => {
                let value = if child.nil { Json::Null } else { Json::from(child.text.as_str()) };
                fields.insert(name.to_owned(), value)
            }
            name => fields.insert(name.to_owned(), Json::Object(reference(child))),
        };
    }
    Ok((object, fields))
}

/// Returns a record that is identified by an external id, as in
/// `<Account><type>Account</type><Key__c>A-1</Key__c></Account>`.
fn reference(element: &Element) -> Map<String, Json> {
    let keys = element.children.iter().filter(|child| child.name != "type");
    keys.map(|child| (child.name.clone(), Json::from(child.text.as_str()))).collect()
}

/// Removes a field, by name without regard to case, and returns its value.
fn taken(fields: &mut Map<String, Json>, name: &str) -> Option<Json> {
    let key = fields.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()?;
    fields.shift_remove(&key)
}

fn update(org: &mut Org, actor: &Actor, record: &Element) -> Result<String, ApiError> {
    let (object, mut fields) = sobject(record)?;
    let given = taken(&mut fields, "Id").filter(|id| !id.is_null()).ok_or_else(|| ApiError::no_id("an update"))?;
    let id = id(given.as_str().unwrap_or_default())?;
    org.update(actor, &object, id, &fields)?;
    Ok(result(&Ok(id)))
}

fn upsert(org: &mut Org, actor: &Actor, record: &Element, key: &str) -> Result<String, ApiError> {
    let (object, mut fields) = sobject(record)?;
    let value = taken(&mut fields, key).unwrap_or(Json::Null);
    let (id, created) = match org.upsert(actor, &object, (key, &value), &fields)? {
        Upserted::Created(id) => (id, "true"),
        Upserted::Updated(id) => (id, "false"),
        Upserted::Ambiguous(_) => {
            let message = format!("{key}: more than one record found for external id field");
            return Err(ApiError::new("DUPLICATE_EXTERNAL_ID", message).fields([key]));
        }
    };
    Ok(format!("<result>{}{}<success>true</success></result>", tag("created", created), tag("id", id.as_str())))
}

fn merge(org: &mut Org, actor: &Actor, request: &Element) -> Result<String, ApiError> {
    let master = request.child("masterRecord");
    let master = master.ok_or_else(|| ApiError::new("REQUIRED_FIELD_MISSING", "masterRecord is missing"))?;
    let (object, mut fields) = sobject(master)?;
    let master = id(taken(&mut fields, "Id").as_ref().and_then(Json::as_str).unwrap_or_default())?;
    let losers: Vec<RecordId> =
        request.all("recordToMergeIds").map(|loser| id(&loser.text)).collect::<Result<_, _>>()?;
    let merged = org.merge(actor, &object, (master, &losers), &fields)?;
    let list = |name: &str, ids: &[RecordId]| ids.iter().map(|id| tag(name, id.as_str())).collect::<String>();
    Ok(format!(
        "<result>{}{}<success>true</success>{}</result>",
        tag("id", master.as_str()),
        list("mergedRecordIds", &merged.losers),
        list("updatedRelatedIds", &merged.redirected)
    ))
}

fn convert(org: &mut Org, actor: &Actor, request: &Element) -> Result<String, ApiError> {
    let known = |name: &str| request.value(name).map(id).transpose();
    for field in UNSUPPORTED_CONVERSION {
        if request.child(field).is_some_and(|child| !child.nil) {
            tracing::warn!(field, "the simulator does not support this field of a lead conversion");
            return Err(ApiError::new("INVALID_FIELD", format!("{field} is not supported")).fields([field]));
        }
    }
    let conversion = LeadConvert {
        lead: id(request.value("leadId").unwrap_or_default())?,
        status: request.value("convertedStatus").unwrap_or_default().to_owned(),
        account: known("accountId")?,
        contact: known("contactId")?,
        opportunity: known("opportunityId")?,
        owner: known("ownerId")?,
        opportunity_name: request.value("opportunityName").map(str::to_owned),
        no_opportunity: request.is_true("doNotCreateOpportunity"),
        overwrite_source: request.is_true("overwriteLeadSource"),
        bypass_account_dedupe: request.is_true("bypassAccountDedupeCheck"),
        bypass_contact_dedupe: request.is_true("bypassContactDedupeCheck"),
    };
    let tag_of_id = |name: &str, id: Option<RecordId>| tag_or_nil(name, id.as_ref().map(RecordId::as_str));
    // A failed conversion has a result like the others, with the lead's id.
    let before = org.savepoint();
    match org.convert_lead(actor, &conversion) {
        Ok(done) => Ok([
            "<result>".to_owned(),
            tag_of_id("accountId", Some(done.account)),
            tag_of_id("contactId", done.contact),
            tag_of_id("leadId", Some(conversion.lead)),
            tag_of_id("opportunityId", done.opportunity),
            tag_of_id("relatedPersonAccountId", None),
            "<success>true</success></result>".to_owned(),
        ]
        .concat()),
        Err(error) => {
            org.rollback(&before);
            let nothing = ["accountId", "contactId"].map(|name| tag_of_id(name, None)).concat();
            let lead = tag_of_id("leadId", Some(conversion.lead));
            let others = ["opportunityId", "relatedPersonAccountId"].map(|name| tag_of_id(name, None)).concat();
            let errors = errors(&error);
            Ok(format!("<result>{nothing}{errors}{lead}{others}<success>false</success></result>"))
        }
    }
}
