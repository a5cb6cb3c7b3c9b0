//! The requests and responses that all pages share: the check of a request's origin, and redirects.

use axum::response::{IntoResponse as _, Response};
use http::header::{LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::pages::protect;

/// Returns whether a form was sent from one of this function's own pages, so that the user has seen what it does.
///
/// Browsers prove it with `Sec-Fetch-Site` (Chrome 76, Firefox 90, Safari 16.4 and later). Without that header, `Origin` must be
/// the origin of `public_url`, which earlier browsers send with a form. A request with neither is refused.
pub(crate) fn is_same_origin(headers: &HeaderMap, public_url: &str) -> bool {
    match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin" || site == "none",
        None => headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().eq_ignore_ascii_case(public_url.as_bytes())),
    }
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

    const PUBLIC_URL: &str = "https://ferry.example.com";

    fn with(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = headers.iter();
        pairs.map(|&(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_page_starts_a_consent() {
        for site in ["same-origin", "none"] {
            assert!(is_same_origin(&with(&[("sec-fetch-site", site), ("origin", "null")]), PUBLIC_URL));
        }
        for site in ["cross-site", "same-site", ""] {
            assert!(!is_same_origin(&with(&[("sec-fetch-site", site), ("origin", PUBLIC_URL)]), PUBLIC_URL));
        }
    }

    #[test]
    fn a_browser_without_fetch_metadata_proves_its_origin() {
        assert!(is_same_origin(&with(&[("origin", PUBLIC_URL)]), PUBLIC_URL));
        for origin in
            ["https://evil.example", "http://ferry.example.com", "https://ferry.example.com.evil.example", "null"]
        {
            assert!(!is_same_origin(&with(&[("origin", origin)]), PUBLIC_URL), "{origin}");
        }
        assert!(!is_same_origin(&HeaderMap::new(), PUBLIC_URL));
    }
}
