//! The data API below `/services/data/vNN.0/`, independent of HTTP. Composite subrequests are dispatched here too.

pub(crate) mod acceptable;
mod batch;
pub(crate) mod blobs;
mod collections;
mod composite;
mod conditional;
mod layouts;
mod quick_actions;
pub(crate) mod recent;
pub(crate) mod record_json;
mod records;
mod relationships;
mod replicate;
mod resources;
mod tree;
mod upsert;

use crate::api::call::{Call, Response, unknown};
use crate::api::{describe, graphql, query, search, tooling, ui_api};
use crate::model::actor::Actor;
use crate::model::change_events::Origin;
use crate::model::errors::ApiError;
use crate::model::org::Org;

/// Serves a request as one transaction.
pub(crate) fn serve(org: &mut Org, actor: &Actor, call: &Call) -> Response {
    if let Err(error) = acceptable::check_accept(call) {
        return error.into();
    }
    org.purge_old();
    let start = org.savepoint();
    let response = dispatch(org, actor, call).unwrap_or_else(|error| {
        org.rollback(&start);
        error.into()
    });
    let origin = Origin { api: Some(("rest", &call.version)), client: call.client(), user: Some(actor.user) };
    org.commit(origin);
    response
}

/// Dispatches a request to its resource.
fn dispatch(org: &mut Org, actor: &Actor, call: &Call) -> Result<Response, ApiError> {
    let actor = &Actor { write: call.write_options()?, ..*actor };
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (call.method.as_str(), path.as_slice()) {
        ("GET", []) => Ok(Response::json(resources::resources(org, actor, call))),
        ("GET", ["recent"]) => recent::list(org, actor, call),
        ("GET", ["sobjects"]) => {
            let changed = org.schema_changed();
            let body = describe::describe_global(org, actor, &call.version);
            let etag = conditional::etag(&body);
            Ok(conditional::not_modified_since(call, changed, Response::json(body)).header("etag", etag))
        }
        (_, ["sobjects", object, rest @ ..]) => records::serve(org, actor, call, (object, rest)),
        ("GET", ["query"]) => query::first_page(org, actor, call, false),
        ("GET", ["queryAll"]) => query::first_page(org, actor, call, true),
        ("GET", ["query" | "queryAll", locator]) => query::next_page(org, actor, call, locator),
        ("GET", ["search"]) | ("GET" | "POST", ["parameterizedSearch"]) => search::serve(org, actor, call),
        ("GET", ["limits"]) => Ok(Response::json(resources::limits(org))),
        ("GET", ["limits", "recordCount"]) => Ok(Response::json(resources::record_count(org, actor, call))),
        (_, ["composite", "sobjects", rest @ ..]) => collections::serve(org, actor, call, rest),
        ("POST", ["composite"]) => composite::serve(org, actor, call, dispatch),
        ("POST", ["composite", "batch"]) => batch::serve(org, actor, call, dispatch),
        ("POST", ["composite", "graph"]) => composite::serve_graphs(org, actor, call, dispatch),
        ("POST", ["composite", "tree", object]) => tree::serve(org, actor, call, object),
        ("POST", ["graphql"]) => graphql::serve(org, actor, call),
        (_, ["quickActions", rest @ ..]) => quick_actions::serve(org, actor, call, rest),
        (_, ["tooling", rest @ ..]) => tooling::serve(org, actor, call, rest),
        (_, ["ui-api", rest @ ..]) => ui_api::serve(org, actor, call, rest),
        _ => Err(unknown(call)),
    }
}
