//! The pages a person sees, but for the one that asks for consent. No page shows a token or a secret.

mod html;
mod logins;
mod outbound;
mod overview;
mod records;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::{HeaderValue, header};

use crate::http::server::Shared;

/// Where the pages get their looks.
const STYLE_PATH: &str = "/_simulator/pages/style.css";
/// Nothing is loaded but that style sheet, and nothing runs.
pub(crate) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
);

/// Routes of the pages: the home page, and those below `/_simulator/pages`.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(overview::home))
        .route(
            STYLE_PATH,
            get(|| async { ([(header::CONTENT_TYPE, "text/css")], include_str!("page/style.css")).into_response() }),
        )
        .route("/_simulator/pages/records", get(records::list))
        .route("/_simulator/pages/records/{object}/{id}", get(records::one))
        .route("/_simulator/pages/logins", get(logins::list))
        .route("/_simulator/pages/outbound", get(outbound::list))
        .route("/_simulator/pages/faults", get(overview::faults))
        .route("/_simulator/pages/requests", get(overview::requests))
}

/// Text that is safe in HTML, in attributes too.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// A page. All looks come from one style sheet, and nothing needs a script.
fn page(title: &str, navigation: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><link rel=\"stylesheet\" href=\"{STYLE_PATH}\"></head>\
         <body><a class=\"skip\" href=\"#main\">Skip to the content</a>{navigation}<main id=\"main\"><h1>{title}</h1>{body}</main>\
         <footer>Org simulator: not Salesforce, only its manners.</footer></body></html>"
    )
}

/// A page that says one thing.
pub(crate) fn message(text: &str) -> String {
    page("Org simulator", "", &format!("<p>{}</p>", escaped(text)))
}
