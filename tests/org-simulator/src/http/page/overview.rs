//! The org itself.

use axum::extract::State;
use axum::response::Html;

use super::html::{facts, table, within};
use crate::identity::realm::Shared;
use crate::model::org::Org;
use crate::model::{people, records};
use crate::wire::html::escaped;

/// Shows the orgs of the realm, and this org's users and apps.
pub(super) async fn home(State(shared): State<Shared>) -> Html<String> {
    let orgs: Vec<Vec<String>> = shared.realm.orgs().iter().map(|other| org_row(&other.org())).collect();
    let org = shared.org();
    let now = org.clock.now();
    let about = facts(&[
        ("Org", format!("<code>{}</code>, {}", org.id, org.kind)),
        ("Address", format!("<code>{}</code>", escaped(&org.base_url))),
        ("Its time", crate::model::datetime::soap(now)),
        ("API calls", format!("{} of {} in 24 hours", org.limits.used(org.clock.now()), org.limits.max)),
    ]);
    let users = people::users(&org).into_iter().map(|user| {
        let id = crate::model::ids::RecordId::parse(&user.id);
        let (sessions, grants) = id.map_or((0, 0), |id| org.logins.counts(id, now));
        let role = if user.is_admin { "administrator" } else { "standard user" };
        let active = if user.is_active { "" } else { " (inactive)" };
        vec![
            escaped(&user.name) + active,
            escaped(&user.username),
            role.to_owned(),
            sessions.to_string(),
            grants.to_string(),
        ]
    });
    let users = table("Users", &["Name", "Username", "Role", "Sessions", "Grants"], users);
    let apps = org.logins.apps();
    let apps = apps.iter().map(|app| vec![escaped(&app.name), format!("<code>{}</code>", escaped(&app.client_id))]);
    let apps = table("Apps", &["Name", "Client id"], apps);
    let orgs = table("Orgs", &["Name", "Kind", "Address", "Records"], orgs);
    let body = format!(
        "{about}{orgs}{users}{apps}<h2>How to use it</h2>\
         <p>Authorize at <code>/services/oauth2/authorize</code>, or skip the page with the header <code>X-Simulator-User</code>. \
         The data API is under <code>/services/data</code>, the admin API under <code>/_simulator</code>.</p>"
    );
    Html(within(&org, "Org simulator", "/", &body))
}

fn org_row(org: &Org) -> Vec<String> {
    let name = org.store.get("Organization", org.id).map(|row| org.value("Organization", row, "Name").as_text());
    let records: usize = records::record_counts(org).values().sum();
    let url = escaped(&org.base_url);
    vec![
        escaped(name.unwrap_or_default()),
        org.kind.to_string(),
        format!("<a href=\"{url}\">{url}</a>"),
        records.to_string(),
    ]
}
