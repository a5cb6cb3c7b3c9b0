//! Outbound messages and package installations.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Body;
use crate::http::admin::response::{Outcome, done, ok};
use crate::identity::realm::Shared;
use crate::messages::definitions;
use crate::messages::outbound::sender;
use crate::messages::packages::{self, PackageInstall};
use crate::model::outbox::Definition;
use crate::model::outbox::delivery::{Delivery, DeliveryState, OutboundMessage};
use crate::model::outbox::settings::{OutboundDisturbance, OutboundSettings};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/outbound-messages", get(outbound_messages).post(define_outbound_message))
        .route("/outbound-messages/deliver", post(deliver))
        .route("/outbound-messages/disturbance", put(disturb))
        .route("/outbound-messages/{name}", delete(remove))
        .route("/outbound-messages/{name}/settings", put(configure))
        .route("/package", get(installed_package).delete(uninstall_package))
        .route("/package/install", post(install_package))
}

/// A filter for notifications; without `limit`, all that are kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    state: Option<DeliveryState>,
    object: Option<String>,
    record: Option<String>,
    action: Option<String>,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

impl Wanted {
    fn has(&self, delivery: &Delivery) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        self.state.is_none_or(|state| state == delivery.state)
            && is(&self.object, &delivery.object)
            && is(&self.record, &delivery.record_id)
            && is(&self.action, &delivery.action_id)
    }
}

async fn outbound_messages(State(shared): State<Shared>, Query(wanted): Query<Wanted>) -> Response {
    let org = shared.org();
    let definitions: Vec<Json> = org.outbox.definitions().iter().map(definition).collect();
    let all: Vec<Delivery> = org.outbox.deliveries().into_iter().filter(|delivery| wanted.has(delivery)).collect();
    let limit = wanted.limit.unwrap_or(usize::MAX);
    let deliveries: Vec<&Delivery> = all.iter().skip(wanted.offset).take(limit).collect();
    ok(json!({
        "definitions": definitions, "deliveries": deliveries, "total": all.len(), "disturbance": org.outbox.disturbance,
    }))
}

fn definition(definition: &Definition) -> Json {
    let message = &definition.message;
    json!({
        "action_id": definition.action_id.as_str(), "name": message.name, "object": message.object, "fields": message.fields,
        "settings": definition.settings,
    })
}

async fn configure(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Body(settings): Body<OutboundSettings>,
) -> Outcome {
    definitions::configure_outbound_message(&mut shared.org(), &name, settings)?;
    Ok(done("configure"))
}

async fn remove(State(shared): State<Shared>, Path(name): Path<String>) -> Outcome {
    definitions::remove_outbound_message(&mut shared.org(), &name)?;
    Ok(done("remove"))
}

async fn disturb(State(shared): State<Shared>, Body(disturbance): Body<OutboundDisturbance>) -> Response {
    shared.org().outbox.disturbance = disturbance;
    done("disturbance")
}

async fn define_outbound_message(State(shared): State<Shared>, Body(definition): Body<OutboundMessage>) -> Outcome {
    let action_id = definitions::define_outbound_message(&mut shared.org(), &definition)?;
    Ok(ok(json!({"action_id": action_id})))
}

async fn deliver(State(shared): State<Shared>) -> Response {
    ok(sender::deliver(&shared).await)
}

async fn install_package(State(shared): State<Shared>, Body(install): Body<PackageInstall>) -> Outcome {
    packages::install(&shared, &install).await.map(ok)
}

async fn installed_package(State(shared): State<Shared>) -> Response {
    ok(&shared.org().package)
}

async fn uninstall_package(State(shared): State<Shared>) -> Outcome {
    packages::uninstall(&shared)?;
    Ok(done("uninstall"))
}
