//! `POST /v1/connect-links`: creates a link with which a person can connect.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use connecting::connect_links::Ticket;
use http::StatusCode;
use jiff::Timestamp;
use runtime::http::{JsonBody, NoQuery};
use runtime::problem::refuse;
use runtime::{Caller, Problem};
use salesforce::HostPolicy;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use store::{Org, OrgState, Tenant};

use crate::Deps;
use crate::pages::protect;
use crate::ticket::LinkRequest;

#[derive(Serialize)]
struct Link<'a> {
    url: &'a str,
    expires_at: String,
}

/// Returns the response (201) with a link. The link is a secret of the platform and the person.
pub(crate) fn response(url: &SecretString, expires_at: Timestamp) -> Response {
    let link = Link { url: url.expose_secret(), expires_at: store::time::format(expires_at) };
    let mut response = (StatusCode::CREATED, Json(link)).into_response();
    protect(&mut response);
    response
}

/// Creates a link. It is valid once, for 15 minutes.
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    NoQuery {}: NoQuery,
    JsonBody(request): JsonBody<LinkRequest>,
) -> Result<Response, Problem> {
    let now = deps.clock.now();
    let tenant = caller.own_tenant(request.tenant.clone())?;
    let org = match request.org_id {
        Some(org_id) => deps.orgs.load(org_id).await.map_err(|error| refuse(&error))?,
        None => None,
    };
    let ticket = ticket(request, tenant, org.as_ref(), now, deps.hosts)?;
    let link = deps.links().create(ticket).await.map_err(|error| refuse(&error))?;
    Ok(response(&link.url, link.expires_at))
}

/// Returns the ticket of a link. The environment of the tenant's own active org need not be named.
fn ticket(
    mut request: LinkRequest,
    tenant: Tenant,
    org: Option<&Org>,
    now: Timestamp,
    hosts: HostPolicy,
) -> Result<Ticket, Problem> {
    let own = org.filter(|org| org.state == OrgState::Active && org.tenant.as_ref() == Some(&tenant));
    match own {
        Some(own) if request.my_domain_url.is_none() => {
            request.environment = request.environment.or(Some(own.environment))
        }
        None if request.org_id.is_some() && request.is_personal() => return Err(no_org()),
        _ => {}
    }
    let ticket = request.ticket(tenant, now, hosts).map_err(Problem::invalid)?;
    match ticket.org_id.and_then(|_| org_problem(&ticket, org)) {
        Some(problem) => {
            tracing::warn!(org.id = ?ticket.org_id, "refused to create a connect link: {}", problem.code.as_str());
            Err(problem)
        }
        None => Ok(ticket),
    }
}

fn no_org() -> Problem {
    Problem::not_found("org").next("Connect the org with a team link first.")
}

/// Checks the org of a link. A personal link needs an active org of the tenant; a team link may be for any org that does not
/// belong to another tenant. The problem is the same for an unknown org and for another tenant's.
fn org_problem(ticket: &Ticket, org: Option<&Org>) -> Option<Problem> {
    let owner = org.and_then(|org| org.tenant.as_ref());
    let is_other_tenants = owner.is_some_and(|owner| *owner != ticket.tenant);
    let active = org.filter(|org| org.state == OrgState::Active);
    if is_other_tenants || !(ticket.is_team() || active.is_some()) {
        return Some(no_org());
    }
    let differs = active.is_some_and(|org| org.environment != ticket.environment);
    differs.then(|| Problem::invalid("the org belongs to the other environment"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use store::Environment;

    fn ticket_of(kind: &str) -> Ticket {
        let mut body = json!({"kind": kind, "environment": "production", "org_id": "00D5e000000KQ2eEAG"});
        if kind == "personal" {
            body["platform_user"] = json!("rep-1");
        }
        serde_json::from_value::<LinkRequest>(body)
            .unwrap()
            .ticket("acme".parse().unwrap(), Timestamp::UNIX_EPOCH, HostPolicy::SalesforceOnly)
            .unwrap()
    }

    fn org(state: OrgState, owner: Option<&str>) -> Org {
        let org_id = "00D5e000000KQ2eEAG".parse().unwrap();
        let tenant = owner.map(|owner| owner.parse().unwrap());
        Org { state, tenant, ..Org::claimed(org_id, Environment::Production, Timestamp::UNIX_EPOCH) }
    }

    #[test]
    fn a_personal_link_has_the_environment_of_its_org() {
        let request = || -> LinkRequest {
            let body = json!({"kind": "personal", "org_id": "00D5e000000KQ2eEAG", "platform_user": "rep-1"});
            serde_json::from_value(body).unwrap()
        };
        let link = |org: Option<&Org>| {
            ticket(request(), "acme".parse().unwrap(), org, Timestamp::UNIX_EPOCH, HostPolicy::SalesforceOnly)
        };
        let sandbox = Org { environment: Environment::Sandbox, ..org(OrgState::Active, Some("acme")) };
        assert_eq!(link(Some(&sandbox)).unwrap().environment, Environment::Sandbox);
        for org in [None, Some(org(OrgState::Uninstalled, Some("acme"))), Some(org(OrgState::Active, Some("other")))] {
            assert_eq!(link(org.as_ref()).unwrap_err().status(), StatusCode::NOT_FOUND);
        }
    }

    #[test]
    fn a_personal_link_needs_an_active_org_of_the_tenant() {
        let personal = ticket_of("personal");
        assert_eq!(org_problem(&personal, Some(&org(OrgState::Active, Some("acme")))), None);
        for (state, owner) in
            [(OrgState::Claimed, None), (OrgState::Uninstalled, Some("acme")), (OrgState::Active, Some("other"))]
        {
            let problem = org_problem(&personal, Some(&org(state, owner))).unwrap();
            assert_eq!(problem.status(), StatusCode::NOT_FOUND);
        }
        assert_eq!(org_problem(&personal, None).unwrap().status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_team_link_is_for_any_org_but_another_tenants() {
        let team = ticket_of("team");
        assert_eq!(org_problem(&team, None), None);
        assert_eq!(org_problem(&team, Some(&org(OrgState::Claimed, None))), None);
        assert_eq!(org_problem(&team, Some(&org(OrgState::Active, Some("acme")))), None);
        assert!(org_problem(&team, Some(&org(OrgState::Active, Some("other")))).is_some());
    }

    #[test]
    fn a_link_does_not_change_the_environment_of_an_org() {
        let sandbox = Org { environment: Environment::Sandbox, ..org(OrgState::Active, Some("acme")) };
        assert_eq!(org_problem(&ticket_of("team"), Some(&sandbox)).unwrap().status(), StatusCode::BAD_REQUEST);
    }
}
