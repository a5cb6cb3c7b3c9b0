//! The simulator's own API under `/_simulator`, in JSON.

mod orgs;

use axum::Router;
use axum::extract::{Json as Body, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::control;
use crate::crm_data;
use crate::org::Org;
use crate::outbound::sender;
use crate::schema::{Field, FieldKind, PicklistValue, relationship_of};
use crate::server::{Shared, json_response};
use crate::{Error, Fault, NewUser, OutboundMessage, PackageInstall};

/// Routes relative to `/_simulator`.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/org", get(org))
        .route("/orgs", get(orgs::list).post(orgs::add))
        .route("/requests", get(requests))
        .route("/users", get(users).post(add_user))
        .route("/users/{username}/{action}", post(user_action))
        .route("/sessions", post(open_session))
        .route("/apps", post(add_app))
        .route("/objects", post(add_object))
        .route("/records/{object}", post(create_record))
        .route("/records/{object}/{id}", get(record).patch(update_record).delete(delete_record))
        .route("/data", post(load_data))
        .route("/outbound-messages", get(outbound_messages).post(define_outbound_message))
        .route("/outbound-messages/deliver", post(deliver))
        .route("/package/install", post(install_package))
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/clock", post(advance_clock))
        .route("/settings", post(change_settings))
        .merge(crate::rules::admin::routes())
}

type Outcome = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Unknown { .. } => 404,
            Self::NoAnswer { .. } => 502,
            Self::Listen { .. } | Self::Prepare { .. } => 500,
            Self::Read { .. } | Self::Layout { .. } | Self::NotLoopback { .. } | Self::Refused { .. } => 400,
        };
        json_response(status, &json!({"error": self.to_string()}))
    }
}

fn ok(body: impl serde::Serialize) -> Response {
    json_response(200, &serde_json::to_value(body).unwrap_or(Json::Null))
}

async fn org(State(shared): State<Shared>) -> Response {
    let org = shared.org();
    let apps: Vec<Json> = org
        .logins
        .apps()
        .into_iter()
        .map(|app| json!({"name": app.name, "client_id": app.client_id, "redirect_uris": app.redirect_uris}))
        .collect();
    ok(json!({
        "org_id": org.id.as_str(), "url": org.base_url, "now": org.clock.now().to_string(), "apps": apps, "users": control::users(&org),
        "record_counts": control::record_counts(&org), "private": org.private, "api_calls": {"used": org.limits.used(), "max": org.limits.max},
    }))
}

async fn requests(State(shared): State<Shared>) -> Response {
    ok(shared.org().log.lines())
}

async fn users(State(shared): State<Shared>) -> Response {
    ok(control::users(&shared.org()))
}

async fn add_user(State(shared): State<Shared>, Body(user): Body<NewUser>) -> Outcome {
    control::add_user(&mut shared.org(), &user).map(ok)
}

/// `expire-sessions`, `revoke-grants`, `deactivate` or `activate`.
async fn user_action(State(shared): State<Shared>, Path((username, action)): Path<(String, String)>) -> Outcome {
    let mut org = shared.org();
    let user = org.user_named(&username).ok_or_else(|| Error::Unknown { what: "user", name: username.clone() })?;
    match action.as_str() {
        "expire-sessions" => org.logins.expire_sessions(user),
        "revoke-grants" => org.logins.revoke_user(user),
        "deactivate" => control::set_active(&mut org, &username, false)?,
        "activate" => control::set_active(&mut org, &username, true)?,
        _ => return Err(Error::Unknown { what: "action", name: action }),
    }
    Ok(ok(json!({"done": action})))
}

#[derive(Deserialize)]
struct SessionRequest {
    username: String,
}

async fn open_session(State(shared): State<Shared>, Body(request): Body<SessionRequest>) -> Outcome {
    Ok(ok(json!({"access_token": access_token(&mut shared.org(), &request.username)?})))
}

/// A session without a grant.
pub(crate) fn access_token(org: &mut Org, username: &str) -> Result<String, Error> {
    let user = control::actor(org, username)?.user;
    let (now, id) = (org.clock.now(), org.id);
    Ok(org.logins.open_session(id.short(), user, None, now))
}

#[derive(Deserialize)]
struct AppRequest {
    name: String,
    client_id: String,
    client_secret: String,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    redirect_uri: String,
}

async fn add_app(State(shared): State<Shared>, Body(app): Body<AppRequest>) -> Response {
    let mut org = shared.org();
    for uri in app.redirect_uris.iter().chain([&app.redirect_uri]) {
        org.logins.add_app(&app.name, &app.client_id, &app.client_secret, uri);
    }
    ok(json!({"client_id": app.client_id}))
}

#[derive(Deserialize)]
struct ObjectRequest {
    name: String,
    #[serde(default)]
    fields: Vec<FieldRequest>,
}

#[derive(Deserialize)]
#[serde(default)]
struct FieldRequest {
    name: String,
    r#type: String,
    length: Option<usize>,
    required: bool,
    unique: bool,
    external_id: bool,
    reference_to: Vec<String>,
    picklist: Vec<String>,
    restricted: bool,
}

impl Default for FieldRequest {
    fn default() -> Self {
        let (name, r#type) = (String::new(), "string".to_owned());
        let (reference_to, picklist) = (Vec::new(), Vec::new());
        Self {
            name,
            r#type,
            length: None,
            required: false,
            unique: false,
            external_id: false,
            reference_to,
            picklist,
            restricted: false,
        }
    }
}

impl FieldRequest {
    fn field(&self) -> Result<Field, Error> {
        let kind = FieldKind::from_name(&self.r#type)
            .ok_or_else(|| Error::Unknown { what: "field type", name: self.r#type.clone() })?;
        let mut field = Field::new(&self.name, kind);
        field.length = self.length.unwrap_or(field.length);
        field.nillable &= !self.required;
        (field.unique, field.external_id, field.id_lookup) = (self.unique, self.external_id, self.external_id);
        field.restricted = self.restricted;
        field.picklist =
            self.picklist.iter().map(|value| PicklistValue { value: value.clone(), is_default: false }).collect();
        if kind == FieldKind::Reference {
            field.relationship = Some(relationship_of(&self.name));
            field.reference_to.clone_from(&self.reference_to);
        }
        Ok(field)
    }
}

/// Makes a custom object, or adds fields to an object there is.
async fn add_object(State(shared): State<Shared>, Body(request): Body<ObjectRequest>) -> Outcome {
    let mut org = shared.org();
    if request.name.ends_with("__c") {
        org.schema.add_custom_object(&request.name);
    }
    for field in &request.fields {
        org.schema.add_field(&request.name, field.field()?);
    }
    let object = org.object(&request.name)?;
    org.store.reindex(&object);
    Ok(ok(json!({"name": object.name, "key_prefix": object.key_prefix})))
}

/// Who acts; the first admin when nobody is named.
#[derive(Deserialize)]
struct As {
    r#as: Option<String>,
}

impl As {
    fn actor(&self, org: &Org) -> Result<crate::org::Actor, Error> {
        self.r#as.as_deref().map_or_else(|| Ok(control::admin(org)), |username| control::actor(org, username))
    }
}

async fn create_record(
    State(shared): State<Shared>,
    Path(object): Path<String>,
    Query(by): Query<As>,
    Body(fields): Body<Map<String, Json>>,
) -> Outcome {
    let mut org = shared.org();
    let actor = by.actor(&org)?;
    let id = control::transaction(&mut org, |org| Ok(org.create(&actor, &object, &fields)?))?;
    Ok(ok(json!({"id": id.as_str()})))
}

async fn record(State(shared): State<Shared>, Path((object, id)): Path<(String, String)>) -> Outcome {
    control::record(&shared.org(), &object, &id).map(ok).ok_or(Error::Unknown { what: "record", name: id })
}

type RecordPath = Path<(String, String)>;

async fn update_record(
    State(shared): State<Shared>,
    Path((object, id)): RecordPath,
    Query(by): Query<As>,
    Body(fields): Body<Map<String, Json>>,
) -> Outcome {
    let mut org = shared.org();
    let (actor, record) = (by.actor(&org)?, control::record_id(&id)?);
    control::transaction(&mut org, |org| Ok(org.update(&actor, &object, record, &fields)?))?;
    Ok(ok(json!({"id": id})))
}

async fn delete_record(State(shared): State<Shared>, Path((object, id)): RecordPath, Query(by): Query<As>) -> Outcome {
    let mut org = shared.org();
    let (actor, record) = (by.actor(&org)?, control::record_id(&id)?);
    control::transaction(&mut org, |org| Ok(org.delete(&actor, &object, record)?))?;
    Ok(ok(json!({"id": id})))
}

#[derive(Deserialize)]
struct DataRequest {
    /// A folder of CRM data on this machine.
    dir: Option<std::path::PathBuf>,
    /// Records in the layout of an sObject tree.
    #[serde(default)]
    records: Vec<Json>,
}

async fn load_data(State(shared): State<Shared>, Body(request): Body<DataRequest>) -> Outcome {
    let mut org = shared.org();
    match request.dir {
        Some(dir) => crm_data::load(&mut org, &dir).map(ok),
        None => Ok(ok(crm_data::load_records(&mut org, request.records))),
    }
}

async fn outbound_messages(State(shared): State<Shared>) -> Response {
    let org = shared.org();
    let definitions: Vec<Json> = org.outbox.definitions().iter().map(|d| json!({"action_id": d.action_id.as_str(), "name": d.message.name, "object": d.message.object, "fields": d.message.fields})).collect();
    ok(json!({"definitions": definitions, "deliveries": org.outbox.deliveries()}))
}

async fn define_outbound_message(State(shared): State<Shared>, Body(definition): Body<OutboundMessage>) -> Outcome {
    let action_id = control::define_outbound_message(&mut shared.org(), &definition)?;
    Ok(ok(json!({"action_id": action_id})))
}

async fn deliver(State(shared): State<Shared>) -> Response {
    ok(sender::deliver(&shared).await)
}

async fn install_package(State(shared): State<Shared>, Body(install): Body<PackageInstall>) -> Outcome {
    control::install_package(&shared, &install).await.map(ok)
}

async fn add_fault(State(shared): State<Shared>, Body(fault): Body<Fault>) -> Response {
    shared.org().faults.add(fault);
    ok(json!({"done": "fault"}))
}

async fn clear_faults(State(shared): State<Shared>) -> Response {
    shared.org().faults.clear();
    ok(json!({"done": "clear"}))
}

#[derive(Deserialize)]
struct ClockRequest {
    advance_seconds: u32,
}

async fn advance_clock(State(shared): State<Shared>, Body(request): Body<ClockRequest>) -> Response {
    let org = shared.org();
    org.clock.advance(SignedDuration::from_secs(request.advance_seconds.into()));
    ok(json!({"now": org.clock.now().to_string()}))
}

#[derive(Deserialize)]
struct Settings {
    rotate_refresh_tokens: Option<bool>,
    token_processing_ms: Option<u64>,
    daily_api_limit: Option<u64>,
    #[serde(default)]
    private: std::collections::BTreeMap<String, bool>,
}

async fn change_settings(State(shared): State<Shared>, Body(settings): Body<Settings>) -> Outcome {
    let mut org = shared.org();
    if let Some(on) = settings.rotate_refresh_tokens {
        org.logins.rotates = on;
    }
    if let Some(ms) = settings.token_processing_ms {
        org.logins.processing = std::time::Duration::from_millis(ms);
    }
    if let Some(max) = settings.daily_api_limit {
        org.limits.max = max;
    }
    for (object, private) in &settings.private {
        control::set_private(&mut org, object, *private)?;
    }
    Ok(ok(json!({"done": "settings"})))
}
