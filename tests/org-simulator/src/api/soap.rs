//! The SOAP API at `/services/Soap/{u|c}/{version}`: login, lead conversion, merge, the recycle bin and plain writes.

pub(crate) mod call;
mod login;
mod operations;
mod response;
pub(crate) mod xml;

use std::net::IpAddr;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{StatusCode, header};

use crate::api::soap::call::Call;
use crate::identity::realm::Shared;
use crate::model::actor::Actor;
use crate::model::errors::retired_message;
use crate::model::org::Org;
use crate::model::versions::is_retired;
use crate::model::write_options::WriteOptions;
use crate::wire::ClientAddress;

use response::{Fault, Wsdl, envelope};
use xml::Element;

/// Returns the routes of the SOAP API; the organization id that login appends to the URL is accepted.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/services/Soap/{wsdl}/{version}", post(serve))
        .route("/services/Soap/{wsdl}/{version}/{org_id}", post(serve_with_org))
}

async fn serve_with_org(
    shared: State<Shared>,
    Path((wsdl, version, _)): Path<(String, String, String)>,
    from: ClientAddress,
    body: String,
) -> Response {
    serve(shared, Path((wsdl, version)), from, body).await
}

async fn serve(
    State(shared): State<Shared>,
    Path((wsdl, version)): Path<(String, String)>,
    ClientAddress(from): ClientAddress,
    body: String,
) -> Response {
    let wsdl = match wsdl.as_str() {
        "u" => Wsdl::Partner,
        "c" => Wsdl::Enterprise,
        other => {
            tracing::warn!(wsdl = other, "the simulator does not support this WSDL");
            return StatusCode::NOT_FOUND.into_response();
        }
    };
    let mut org = shared.org();
    let number = version.split('.').next().and_then(|n| n.parse().ok()).unwrap_or_default();
    let retired = || Fault::new("UNSUPPORTED_API_VERSION", retired_message(&version));
    let request = if is_retired(&version) { Err(retired()) } else { Ok(Element::parse(&body)) };
    let result = request
        .and_then(|element| {
            element.ok_or_else(|| Fault::new("INVALID_SOAP_BODY", "The request is not a SOAP envelope"))
        })
        .and_then(|request| respond(&mut org, (wsdl, number, from), &request));
    match result {
        Ok(xml) => (StatusCode::OK, [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")], xml).into_response(),
        Err(fault) => faulty(&fault, wsdl),
    }
}

/// Returns the response with this fault for a path of the API; `None` for another path.
pub(crate) fn fault_at(path: &str, code: &str, message: &str) -> Option<Response> {
    let wsdl = path.strip_prefix("/services/Soap/")?.split('/').next()?;
    let wsdl = if wsdl == "c" { Wsdl::Enterprise } else { Wsdl::Partner };
    Some(faulty(&Fault::new(code.to_owned(), message), wsdl))
}

fn faulty(fault: &Fault, wsdl: Wsdl) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")];
    (StatusCode::INTERNAL_SERVER_ERROR, kind, fault.envelope(wsdl)).into_response()
}

fn respond(
    org: &mut Org,
    (wsdl, version, from): (Wsdl, u32, Option<IpAddr>),
    request: &Element,
) -> Result<String, Fault> {
    let nothing = Element::default();
    let header = request.child("Header").unwrap_or(&nothing);
    let operation = request.child("Body").and_then(|body| body.children.first());
    let operation = operation.ok_or_else(|| Fault::new("INVALID_SOAP_BODY", "The body names no operation"))?;
    let content = if operation.name == "login" {
        login::login(org, (wsdl, version, from), operation)?
    } else {
        let session = header.child("SessionHeader").and_then(|header| header.value("sessionId"));
        let session = session.ok_or_else(Fault::session)?;
        let now = org.clock.now();
        let (actor, _) = org.session_actor(session, from).ok_or_else(Fault::session)?;
        let actor = Actor { write: options(header, version)?, ..actor };
        if !org.limits.take(now, 1) {
            return Err(Fault::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
        }
        org.purge_old();
        operations::serve(org, &Call { actor, session, wsdl, version, header, operation })?
    };
    Ok(envelope(org, wsdl, &operation.name, &content))
}

/// Returns the write options of the SOAP headers.
fn options(header: &Element, version: u32) -> Result<WriteOptions, Fault> {
    let rule = header.child("AssignmentRuleHeader");
    // Unlike in the REST API, no assignment rule runs without the header (SOAP API guide, AssignmentRuleHeader).
    let assign = rule.and_then(|rule| rule.value("assignmentRuleId").or_else(|| rule.value("useDefaultRule")));
    let duplicates = header.child("DuplicateRuleHeader").map(|header| {
        let names = ["allowSave", "includeRecordDetails", "runAsCurrentUser"];
        names.map(|name| format!("{name}={}", header.is_true(name))).join("; ")
    });
    Ok(WriteOptions::read(version, Some(assign.unwrap_or("false")), duplicates.as_deref())?)
}
