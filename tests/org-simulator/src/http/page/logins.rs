//! Sessions and refresh tokens, masked.

use axum::extract::State;
use axum::response::Html;

use super::html::{table, within};
use crate::identity::realm::Shared;
use crate::wire::html::escaped;

pub(super) async fn list(State(shared): State<Shared>) -> Html<String> {
    let org = shared.org();
    let now = org.clock.now();
    let rows = org.logins.overview(now).into_iter().map(|login| {
        let user = org.store.get("User", login.user).map(|row| org.value("User", row, "Username").as_text());
        vec![
            escaped(user.unwrap_or_default()),
            login.kind.to_owned(),
            format!("<code>{}</code>", escaped(&login.token)),
            escaped(&login.detail),
        ]
    });
    let list = table("Sessions and refresh tokens", &["User", "Kind", "Token", "Detail"], rows);
    Html(within(&org, "Logins", "/_simulator/pages/logins", &list))
}
