//! The web pages, except for the consent page. No page shows a token or a secret.

mod clock;
mod faults;
mod forms;
mod html;
mod logins;
mod outbound;
mod overview;
mod package;
mod record_form;
mod records;
mod related;
mod requests;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use http::{HeaderValue, header};

use crate::identity::realm::Shared;
use crate::wire::html::STYLE_PATH;

pub(crate) use package::INSTALL_PATH;

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
        .route("/_simulator/pages/records/{object}/new", get(record_form::new).post(record_form::create))
        .route("/_simulator/pages/records/{object}/{id}", get(records::one))
        .route("/_simulator/pages/records/{object}/{id}/edit", get(record_form::edit).post(record_form::update))
        .route("/_simulator/pages/logins", get(logins::list))
        .route(outbound::PATH, get(outbound::list).post(outbound::define))
        .route(outbound::EDIT_PATH, get(outbound::edit).post(outbound::update))
        .route("/_simulator/pages/outbound/remove", post(outbound::remove))
        .route("/_simulator/pages/outbound/send", post(outbound::send))
        .route(faults::PATH, get(faults::list).post(faults::add))
        .route("/_simulator/pages/faults/remove", post(faults::remove))
        .route(clock::PATH, get(clock::show).post(clock::advance))
        .route(package::PATH, get(package::show).post(package::install))
        .route("/_simulator/pages/package/uninstall", post(package::uninstall))
        .route(package::INSTALL_PATH, get(package::from_link))
        .route(requests::PATH, get(requests::list))
        .route("/_simulator/pages/requests/{number}", get(requests::one))
}
