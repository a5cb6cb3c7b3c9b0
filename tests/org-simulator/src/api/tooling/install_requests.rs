//! `tooling/sobjects/PackageInstallRequest`: requests to install a package, and their status (Tooling API reference).

use serde_json::{Value as Json, json};

use super::tables::{self, INSTALL_REQUESTS};
use crate::api::call::{Call, Response, unknown};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::{Org, OrgSeed};
use crate::model::packages::{InstallRequest, Status};
use crate::model::value::Value;

const KEY: &str = "SubscriberPackageVersionKey";
/// The fields that a request may set, with their default values.
const OPTIONS: [(&str, Option<&str>); 6] = [
    ("NameConflictResolution", Some("Block")),
    ("SecurityType", Some("None")),
    ("PackageInstallSource", Some("U")),
    ("UpgradeType", Some("mixed-mode")),
    ("ApexCompileType", Some("all")),
    ("SkipHandlers", None),
];

pub(super) fn serve(org: &mut Org, actor: &Actor, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    match (call.method.as_str(), rest) {
        ("POST", []) => create(org, actor, call),
        ("GET", [id]) => shown(org, call, id).map(Response::json),
        _ => Err(unknown(call)),
    }
}

fn create(org: &mut Org, actor: &Actor, call: &Call) -> Result<Response, ApiError> {
    let body = call.object()?;
    let missing =
        || ApiError::new("REQUIRED_FIELD_MISSING", format!("Required fields are missing: [{KEY}]")).fields([KEY]);
    let key = body.get(KEY).and_then(Json::as_str).ok_or_else(missing)?;
    let malformed = || ApiError::new("MALFORMED_ID", format!("{KEY}: id value of incorrect type: {key}")).fields([KEY]);
    let version_key = RecordId::parse(key).filter(|id| id.key_prefix() == "04t").ok_or_else(malformed)?;
    for (name, value) in body.iter().filter(|(name, _)| *name != KEY) {
        match (name.as_str(), value) {
            (name, Json::String(_) | Json::Null) if OPTIONS.iter().any(|(known, _)| *known == name) => {}
            ("EnableRss", Json::Bool(_))
            | ("Password", Json::String(_))
            | ("ProfileMappings" | "Password", Json::Null) => {}
            (name, _) => {
                tracing::warn!(name, "the simulator does not know this of a package installation");
                return Err(ApiError::no_column(name, INSTALL_REQUESTS));
            }
        }
    }
    let option = |(name, usual): (&'static str, Option<&str>)| {
        let value = body.get(name).and_then(Json::as_str).or(usual);
        (name, value.map_or(Value::Null, Value::text))
    };
    let mut options: Vec<_> = OPTIONS.into_iter().map(option).collect();
    options.push(("EnableRss", Value::Bool(body.get("EnableRss") == Some(&json!(true)))));
    let (id, now) = (org.ids.next("0Hf"), org.clock.now());
    let status = Status::InProgress;
    let request = InstallRequest { id, user: actor.user, version_key, options, created: now, changed: now, status };
    org.install_requests.all.push(request);
    let body = json!({"id": id.as_str(), "success": true, "errors": [], "warnings": [], "infos": []});
    Ok(Response::json(body).status(201))
}

/// Returns the request as a query returns it, with its errors.
fn shown(org: &Org, call: &Call, id: &str) -> Result<Json, ApiError> {
    let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?;
    let request = org.install_requests.all.iter().find(|request| request.id == id).ok_or_else(ApiError::not_found)?;
    let seed = OrgSeed { base_url: org.base_url.clone(), clock: org.clock.clone(), ..OrgSeed::default() };
    let mut scratch = Org::new(seed);
    tables::fill(&mut scratch, org);
    let (object, row) = scratch.live_record(id).ok_or_else(ApiError::not_found)?;
    let mut record = scratch.render_all(object, row, &call.version);
    let url = format!("/services/data/v{}/tooling/sobjects/{INSTALL_REQUESTS}/{id}", call.version);
    record.insert("attributes".to_owned(), json!({"type": INSTALL_REQUESTS, "url": url}));
    let errors = match &request.status {
        Status::Error(message) => json!({"errors": [{"message": message}]}),
        _ => Json::Null,
    };
    // The password of the request is never returned.
    record.extend([
        ("Errors".to_owned(), errors),
        ("Password".to_owned(), Json::Null),
        ("ProfileMappings".to_owned(), Json::Null),
    ]);
    Ok(Json::Object(record))
}
