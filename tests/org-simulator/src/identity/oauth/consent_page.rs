//! The page on which a user logs in and allows or denies an app.

use std::fmt::Write as _;

use url::form_urlencoded::Serializer;

use super::Form;
use super::host::Host;
use crate::identity::oauth::request::Request;
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::model::people::{self, User};
use crate::wire::html::escaped;

/// The parameters of the authorization request that the page's form repeats.
const PASSED_ON: [&str; 10] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "prompt",
    "display",
];

/// The path of the page's style sheet, on login hosts too.
pub(super) const STYLE_PATH: &str = "/_simulator/consent.css";
pub(super) const STYLE: &str = include_str!("consent.css");

/// Renders the page for a request: for the user who is logged in, or with a choice of users.
pub(super) fn render(host: &Host, request: &Request<'_>, logged_in: Option<(&Shared, RecordId)>) -> String {
    let form = request.form;
    let app = escaped(&request.app.name);
    let hidden = |name: &&str| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(form.get(name)));
    let fields: String = PASSED_ON.iter().filter(|name| !form.get(name).is_empty()).map(hidden).collect();
    let usual = request.app.settings.usual_scope();
    let scope = if form.get("scope").is_empty() { usual.as_str() } else { form.get("scope") };
    let scopes: String = scope
        .split_whitespace()
        .map(|scope| format!("<li>{} <span class=\"note\">({})</span></li>", in_words(scope), escaped(scope)))
        .collect();
    let person = logged_in.map_or_else(|| choice_of_users(host, form), |(shared, user)| known_user(shared, user, form));
    let redirect = escaped(form.get("redirect_uri"));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Allow {app}?</title><link rel=\"stylesheet\" href=\"{STYLE_PATH}\"></head><body><main><h1>{app} asks for access</h1>\
         <form method=\"post\" action=\"/services/oauth2/authorize\">{fields}<h2>It wants to</h2><ul>{scopes}</ul>\
         {person}\
         <p class=\"note\">After you choose, your browser goes to {redirect}.</p><div class=\"choice\">\
         <button name=\"decision\" value=\"allow\">Allow</button><button name=\"decision\" value=\"deny\">Deny</button></div></form></main>\
         <footer>This is the org simulator, not Salesforce. No password is needed.</footer></body></html>"
    )
}

/// Renders the login: a choice of all users.
fn choice_of_users(host: &Host, form: &Form) -> String {
    let orgs = host.orgs();
    let several = orgs.len() > 1;
    let hint = form.get("login_hint");
    let people: String = orgs.iter().map(|shared| users(shared, hint, several)).collect();
    format!(
        "<label for=\"username\">Log in as</label><select id=\"username\" name=\"username\" autofocus>{people}</select>"
    )
}

/// Renders the logged-in user, with a link to log in as another one.
fn known_user(shared: &Shared, user: RecordId, form: &Form) -> String {
    let mut query = Serializer::new(String::new());
    for name in PASSED_ON.iter().filter(|name| **name != "prompt" && !form.get(name).is_empty()) {
        query.append_pair(name, form.get(name));
    }
    let elsewhere = escaped(&query.append_pair("prompt", "login").finish());
    let org = shared.org();
    let user = people::users(&org).into_iter().find(|known| known.id == user.as_str());
    let (name, username) = user.map_or((String::new(), String::new()), |user| (user.name, user.username));
    format!(
        "<p>Logged in as <b>{}</b> ({}). <a href=\"/services/oauth2/authorize?{elsewhere}\">Not you?</a></p>",
        escaped(&name),
        escaped(&username)
    )
}

/// Renders the active users of an org, under the org's name.
fn users(shared: &Shared, hint: &str, several: bool) -> String {
    let org = shared.org();
    let option = |user: &User| {
        let role = if user.is_admin { "administrator" } else { "standard user" };
        let chosen = if user.username.eq_ignore_ascii_case(hint) { " selected" } else { "" };
        let (username, name) = (escaped(&user.username), escaped(&user.name));
        format!("<option value=\"{username}\"{chosen}>{name}, {role} ({username})</option>")
    };
    let options: String = people::users(&org).iter().filter(|user| user.is_active).map(option).collect();
    let name = org.store.get("Organization", org.id).map(|row| org.value("Organization", row, "Name").as_text());
    let (name, id) = (escaped(name.unwrap_or("Org")), org.id);
    let mut group = String::new();
    let kind = if several { format!(" {}", org.kind) } else { String::new() };
    // Writing to a string cannot fail.
    let _ = write!(group, "<optgroup label=\"{name},{kind} org {id}\">{options}</optgroup>");
    group
}

/// Returns the description of a scope for users.
fn in_words(scope: &str) -> &'static str {
    match scope {
        "api" => "Read and change your data",
        "refresh_token" | "offline_access" => "Stay connected while you are away",
        "full" => "Do everything that you can do",
        "web" => "Use your login in a browser",
        "openid" | "id" | "profile" => "Know who you are",
        "email" => "Know your e-mail address",
        "address" => "Know your postal address",
        "phone" => "Know your phone number",
        "chatter_api" => "Read and write your feeds",
        _ => "Use a permission of this name",
    }
}
