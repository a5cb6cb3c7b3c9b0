//! The pages a person sees: home and consent. No page shows a token or a secret.

use crate::DeliveryState;
use crate::oauth::Form;
use crate::org::Org;
use crate::{User, control};

/// What the consent page hands on from the authorization request.
const PASSED_ON: [&str; 8] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
];

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1b1b1f}\
h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}\
code{background:#f2f2f5;padding:.1rem .3rem;border-radius:3px}button{font:inherit;padding:.4rem 1.2rem;margin-right:.5rem}\
select{font:inherit;padding:.3rem}footer{color:#666;margin-top:2rem;font-size:.9rem}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>{body}\
         <footer>Org simulator: not Salesforce, only its manners.</footer></body></html>"
    )
}

/// A page that says one thing.
pub(crate) fn message(text: &str) -> String {
    page("Org simulator", &format!("<p>{}</p>", escaped(text)))
}

/// Asks who is consenting, and to what.
pub(crate) fn consent(org: &Org, form: &Form) -> String {
    let app = org.logins.app(form.get("client_id")).map_or_else(|| "An app".to_owned(), |app| app.name);
    let option = |user: &User| {
        let role = if user.is_admin { "administrator" } else { "standard user" };
        format!("<option value=\"{0}\">{1} ({0}, {role})</option>", escaped(&user.username), escaped(&user.name))
    };
    let options: String = control::users(org).iter().filter(|user| user.is_active).map(option).collect();
    let hidden = |name: &&str| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(form.get(name)));
    let fields: String = PASSED_ON.iter().filter(|name| !form.get(name).is_empty()).map(hidden).collect();
    let scope = if form.get("scope").is_empty() { "all the app is configured for" } else { form.get("scope") };
    let body = format!(
        "<form method=\"post\" action=\"/services/oauth2/authorize\">{fields}<p><strong>{}</strong> asks for access to org <code>{}</code> \
         with: {}.</p><p><label>Log in as <select name=\"username\">{options}</select></label></p>\
         <p><button name=\"decision\" value=\"allow\">Allow</button><button name=\"decision\" value=\"deny\">Deny</button></p></form>",
        escaped(&app),
        org.id,
        escaped(scope)
    );
    page("Allow access?", &body)
}

/// Users, records, outbound queue, and how to go on.
pub(crate) fn home(org: &Org) -> String {
    let now = org.clock.now();
    let user = |user: &User| {
        let (sessions, grants) = crate::ids::RecordId::parse(&user.id).map_or((0, 0), |id| org.logins.counts(id, now));
        let role = if user.is_admin { "administrator" } else { "standard user" };
        format!(
            "<tr><td>{}</td><td>{}</td><td>{role}</td><td>{sessions}</td><td>{grants}</td></tr>",
            escaped(&user.name),
            escaped(&user.username)
        )
    };
    let users: String = control::users(org).iter().map(user).collect();
    let counts: String = control::record_counts(org)
        .iter()
        .map(|(name, n)| format!("<tr><td>{}</td><td>{n}</td></tr>", escaped(name)))
        .collect();
    let apps: String = org
        .logins
        .apps()
        .into_iter()
        .map(|app| format!("<li>{} <code>{}</code></li>", escaped(&app.name), escaped(&app.client_id)))
        .collect();
    let body = format!(
        "<p>Org <code>{}</code> at <code>{}</code>, its time {}, {} API calls of {} in 24 hours.</p>\
         <h2>Users</h2><table><tr><th>Name</th><th>Username</th><th>Role</th><th>Sessions</th><th>Grants</th></tr>{users}</table>\
         <h2>Records</h2><table>{counts}</table><h2>Outbound messages</h2>{}<h2>Apps</h2><ul>{apps}</ul>\
         <h2>How to use it</h2><p>Authorize at <code>/services/oauth2/authorize</code>, or skip the page with the header \
         <code>X-Simulator-User</code>. The data API is under <code>/services/data</code>, the simulator's own API under \
         <code>/_simulator/org</code>.</p>",
        org.id,
        escaped(&org.base_url),
        crate::datetime::soap(now),
        org.limits.used(),
        org.limits.max,
        queue(org),
    );
    page("Org simulator", &body)
}

fn queue(org: &Org) -> String {
    let deliveries = org.outbox.deliveries();
    let count = |state: DeliveryState| deliveries.iter().filter(|delivery| delivery.state == state).count();
    let definitions: String = org
        .outbox
        .definitions()
        .iter()
        .map(|d| format!("<li>{} on {}</li>", escaped(&d.message.name), escaped(&d.message.object)))
        .collect();
    format!(
        "<p>{} pending, {} delivered, {} dropped.</p><ul>{definitions}</ul>",
        count(DeliveryState::Pending),
        count(DeliveryState::Delivered),
        count(DeliveryState::Dropped)
    )
}
