//! The web pages, except for the consent page. No page shows a token or a secret.

mod html;
mod logins;
mod outbound;
mod overview;
mod records;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::{HeaderValue, header};

use crate::identity::realm::Shared;
use crate::wire::html::STYLE_PATH;

/// The content security policy: the style sheet is the only resource, and scripts are disabled.
pub(crate) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
);

/// Returns the routes of the pages: the home page, and those below `/_simulator/pages`.
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
