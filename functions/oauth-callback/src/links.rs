//! `POST /v1/connect-links`: creates a link on which a user can connect.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use connecting::connect_links::Ticket;
use http::StatusCode;
use jiff::Timestamp;
use runtime::Problem;
use runtime::http::JsonBody;
use runtime::problem::refuse;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use store::{Org, OrgState};

use crate::Deps;
use crate::pages::protect;
use crate::ticket::LinkRequest;

#[derive(Serialize)]
struct Link<'a> {
    url: &'a str,
    expires_at: String,
}

/// The response with a link, a secret of the platform and the user.
pub(crate) fn made(url: &SecretString, expires_at: Timestamp) -> Response {
    let link = Link { url: url.expose_secret(), expires_at: store::time::format(expires_at) };
    let mut response = (StatusCode::CREATED, Json(link)).into_response();
    protect(&mut response);
    response
}

/// Creates a link, which is valid once and for 15 minutes.
pub(crate) async fn create(
    State(deps): State<Deps>,
    JsonBody(request): JsonBody<LinkRequest>,
) -> Result<Response, Problem> {
    let now = deps.clock.now();
    let ticket = request.ticket(now, deps.hosts).map_err(Problem::invalid)?;
    if let Some(org_id) = ticket.org_id {
        let org = deps.orgs.load(org_id).await.map_err(|error| refuse(&error))?;
        if let Some(problem) = objection(&ticket, org.as_ref()) {
            tracing::warn!(org.id = %org_id, "refused a link into org {org_id}: {}", problem.code.as_str());
            return Err(problem);
        }
    }
    let link = deps.links().create(ticket).await.map_err(|error| refuse(&error))?;
    Ok(made(&link.url, link.expires_at))
}

/// Checks the org of a link: a personal link needs an active org of the tenant, a team link an org of no other tenant. Another
/// tenant's org is reported like an unknown one.
fn objection(ticket: &Ticket, org: Option<&Org>) -> Option<Problem> {
    let owner = org.and_then(|org| org.tenant.as_ref());
    let foreign = owner.is_some_and(|owner| *owner != ticket.tenant);
    let active = org.filter(|org| org.state == OrgState::Active);
    if foreign || !(ticket.is_team() || active.is_some()) {
        return Some(Problem::not_found("org").next("Connect the org with a team link first."));
    }
    let elsewhere = active.is_some_and(|org| org.environment != ticket.environment);
    elsewhere.then(|| Problem::invalid("the org belongs to the other environment"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use salesforce::HostPolicy;
    use serde_json::json;
    use store::Environment;

    fn ticket(kind: &str) -> Ticket {
        let mut body =
            json!({"tenant": "acme", "kind": kind, "environment": "production", "org_id": "00D5e000000KQ2eEAG"});
        if kind == "personal" {
            body["platform_user"] = json!("rep-1");
        }
        serde_json::from_value::<LinkRequest>(body)
            .unwrap()
            .ticket(Timestamp::UNIX_EPOCH, HostPolicy::SalesforceOnly)
            .unwrap()
    }

    fn org(state: OrgState, owner: Option<&str>) -> Org {
        let org_id = "00D5e000000KQ2eEAG".parse().unwrap();
        let tenant = owner.map(|owner| owner.parse().unwrap());
        Org { state, tenant, ..Org::claimed(org_id, Environment::Production, Timestamp::UNIX_EPOCH) }
    }

    #[test]
    fn a_personal_link_needs_an_active_org_of_the_tenant() {
        let personal = ticket("personal");
        assert_eq!(objection(&personal, Some(&org(OrgState::Active, Some("acme")))), None);
        for (state, owner) in
            [(OrgState::Claimed, None), (OrgState::Uninstalled, Some("acme")), (OrgState::Active, Some("other"))]
        {
            let problem = objection(&personal, Some(&org(state, owner))).unwrap();
            assert_eq!(problem.status(), StatusCode::NOT_FOUND);
        }
        assert_eq!(objection(&personal, None).unwrap().status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_team_link_may_lead_to_any_org_but_another_tenants() {
        let team = ticket("team");
        assert_eq!(objection(&team, None), None);
        assert_eq!(objection(&team, Some(&org(OrgState::Claimed, None))), None);
        assert_eq!(objection(&team, Some(&org(OrgState::Active, Some("acme")))), None);
        assert!(objection(&team, Some(&org(OrgState::Active, Some("other")))).is_some());
    }

    #[test]
    fn the_environment_of_a_known_org_is_not_changed_by_a_link() {
        let sandbox = Org { environment: Environment::Sandbox, ..org(OrgState::Active, Some("acme")) };
        assert_eq!(objection(&ticket("team"), Some(&sandbox)).unwrap().status(), StatusCode::BAD_REQUEST);
    }
}
