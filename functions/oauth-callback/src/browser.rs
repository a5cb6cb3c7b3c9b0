//! The requests and responses that all pages share: the check of a request's origin, and redirects.

use axum::response::{IntoResponse as _, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::pages::protect;

/// Checks `Sec-Fetch-Site`: a form must be sent from one of this function's own pages, so that the user has seen what it does.
/// A browser that does not send the header passes.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

/// Returns a redirect (303). `location` may hold a secret, so it is marked as sensitive. Returns `None` if it is not a valid
/// header value.
pub(crate) fn see_other(location: &str, cookie: Option<HeaderValue>) -> Option<Response> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let mut location = HeaderValue::try_from(location).ok()?;
    location.set_sensitive(true);
    response.headers_mut().insert(LOCATION, location);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    protect(&mut response);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(site: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(site))])
    }

    #[test]
    fn only_our_own_page_starts_a_consent() {
        for own in [from("same-origin"), from("none"), HeaderMap::new()] {
            assert!(is_same_origin(&own));
        }
        for foreign in [from("cross-site"), from("same-site")] {
            assert!(!is_same_origin(&foreign));
        }
    }
}
