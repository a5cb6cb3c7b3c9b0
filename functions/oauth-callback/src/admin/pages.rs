//! The pages on which an admin manages connections.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::view::OrgView;
use crate::pages::page;

macro_rules! page {
    ($(#[$doc:meta])* $name:ident, $path:literal, $targets:literal { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Template)]
        #[template(path = $path)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: $type),*
        }

        impl $name<'_> {
            pub(super) fn respond(&self, status: StatusCode) -> Response {
                page(status, self, $targets)
            }
        }
    };
}

page!(
    /// The page of an admin link, with the button that opens a session.
    OpenPage, "open.html", "'self'" { tenant: &'a str }
);
page!(
    /// The connections page: the orgs and their connections.
    ConnectionsPage, "connections.html", "'self'" { tenant: &'a str, csrf: &'a str, orgs: &'a [OrgView] }
);
page!(
    /// The consequences of disconnecting, with the button that disconnects.
    ConfirmPage, "confirm.html", "'self'" { team: bool, name: &'a str, org: &'a str, csrf: &'a str }
);
page!(
    /// The outcome of disconnecting.
    DisconnectedPage, "disconnected.html", "'self'" { name: &'a str, unfinished: Option<&'a str>, csrf: &'a str }
);
page!(
    /// The link with which a rep has to connect again.
    InvitationPage, "invitation.html", "'none'" { platform_user: &'a str, url: &'a str }
);
