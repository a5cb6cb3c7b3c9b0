//! Records: single ones, and CRM data.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::Body;
use crate::Error;
use crate::data::crm_data;
use crate::http::admin::response::{Outcome, ok};
use crate::identity::realm::Shared;
use crate::model::org::Org;
use crate::model::{people, records, transaction};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/records/{object}", post(create_record))
        .route("/records/{object}/{id}", get(record).patch(update_record).delete(delete_record))
        .route("/data", post(load_data))
}

/// The user who acts; the first admin when absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct As {
    r#as: Option<String>,
}

impl As {
    fn actor(&self, org: &Org) -> Result<crate::model::actor::Actor, Error> {
        self.r#as.as_deref().map_or_else(|| Ok(people::admin(org)), |username| people::actor(org, username))
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
    let id = transaction::transaction(&mut org, |org| Ok(org.create(&actor, &object, &fields)?))?;
    Ok(ok(json!({"id": id.as_str()})))
}

async fn record(State(shared): State<Shared>, Path((object, id)): Path<(String, String)>) -> Outcome {
    records::record(&shared.org(), &object, &id).map(ok).ok_or(Error::Unknown { what: "record", name: id })
}

type RecordPath = Path<(String, String)>;

async fn update_record(
    State(shared): State<Shared>,
    Path((object, id)): RecordPath,
    Query(by): Query<As>,
    Body(fields): Body<Map<String, Json>>,
) -> Outcome {
    let mut org = shared.org();
    let (actor, record) = (by.actor(&org)?, records::record_id(&id)?);
    transaction::transaction(&mut org, |org| Ok(org.update(&actor, &object, record, &fields)?))?;
    Ok(ok(json!({"id": id})))
}

async fn delete_record(State(shared): State<Shared>, Path((object, id)): RecordPath, Query(by): Query<As>) -> Outcome {
    let mut org = shared.org();
    let (actor, record) = (by.actor(&org)?, records::record_id(&id)?);
    transaction::transaction(&mut org, |org| Ok(org.delete(&actor, &object, record)?))?;
    Ok(ok(json!({"id": id})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
