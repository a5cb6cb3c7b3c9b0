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
    let rules: Vec<FaultRule> = match order {
        Json::Array(rules) => rules.into_iter().map(rule).collect::<Result<_, _>>()?,
        one => vec![rule(one)?],
    };
    let mut org = shared.org();
    let ids: Vec<u64> = rules.into_iter().map(|rule| org.faults.add(rule)).collect();
    Ok(ok(json!({"ids": ids})))
}

/// Reads a rule. An unknown member, and a probability that is not between 0 and 1, are errors.
pub(crate) fn rule(order: Json) -> Result<FaultRule, Error> {
    let refused = |reason: String| Error::Invalid { what: "fault", reason };
    let rule: FaultRule = serde_json::from_value(order.clone()).map_err(|error| refused(error.to_string()))?;
    // Serde accepts any member beside the tag of an enum, so the members of the effect are compared with its own.
    let own = serde_json::to_value(&rule.effect).map_err(|error| refused(error.to_string()))?;
    let members = |effect: &Json| effect.as_object().map(|effect| effect.keys().cloned().collect::<Vec<_>>());
    let (own, sent) = (members(&own).unwrap_or_default(), members(&order["effect"]).unwrap_or_default());
    if let Some(unknown) = sent.iter().find(|name| !own.contains(name)) {
        return Err(refused(format!("unknown member `{unknown}` of this effect; its members are {}", own.join(", "))));
    }
    if rule.probability.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(refused("the probability is a number from 0 to 1".to_owned()));
    }
    Ok(rule)
}

async fn clear_faults(State(shared): State<Shared>) -> Response {
    shared.org().faults.clear();
    done("clear")
}

async fn remove_fault(State(shared): State<Shared>, Path(id): Path<u64>) -> Outcome {
    let known = shared.org().faults.remove(id);
    if known { Ok(done("remove")) } else { Err(Error::Unknown { what: "fault", name: id.to_string() }) }
}
