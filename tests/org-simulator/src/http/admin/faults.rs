//! Faults: `/_simulator/faults`.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get};
use serde_json::{Value as Json, json};

use super::Body;
use crate::http::admin::response::{Outcome, done, ok};
use crate::identity::realm::Shared;
use crate::{Error, FaultRule};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
}

async fn faults(State(shared): State<Shared>) -> Response {
    ok(shared.org().faults.reports())
}

async fn add_faults(State(shared): State<Shared>, Body(order): Body<Json>) -> Outcome {
    let refused = |error: serde_json::Error| Error::Invalid { what: "fault", reason: error.to_string() };
    let rules: Vec<FaultRule> = match order {
        Json::Array(_) => serde_json::from_value(order).map_err(refused)?,
        one => vec![serde_json::from_value(one).map_err(refused)?],
    };
    if rules.iter().any(|rule| rule.probability.is_some_and(|share| !(0.0..=1.0).contains(&share))) {
        return Err(Error::Invalid { what: "fault", reason: "the probability is a number from 0 to 1".to_owned() });
    }
    let mut org = shared.org();
    let ids: Vec<u64> = rules.into_iter().map(|rule| org.faults.add(rule)).collect();
    Ok(ok(json!({"ids": ids})))
}

async fn clear_faults(State(shared): State<Shared>) -> Response {
    shared.org().faults.clear();
    done("clear")
}

async fn remove_fault(State(shared): State<Shared>, Path(id): Path<u64>) -> Outcome {
    let known = shared.org().faults.remove(id);
    if known { Ok(done("remove")) } else { Err(Error::Unknown { what: "fault", name: id.to_string() }) }
}
