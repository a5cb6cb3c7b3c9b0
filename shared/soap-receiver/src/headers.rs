//! Checks of a message's headers, before its body is read.

use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};

use super::{MAX_BODY_BYTES, Rejection};

const MEDIA_TYPES: [&str; 3] = ["text/xml", "application/xml", "application/soap+xml"];
const CHARSETS: [&str; 3] = ["utf-8", "utf8", "us-ascii"];

/// Checks the headers of a message.
///
/// # Errors
/// [`Rejection::UnsupportedMediaType`] for anything but uncompressed XML in UTF-8, [`Rejection::TooLarge`] for a
/// `Content-Length` over [`MAX_BODY_BYTES`].
pub(super) fn check(headers: &HeaderMap) -> Result<(), Rejection> {
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| is(encoding, "identity"));
    if !plain || !headers.get(CONTENT_TYPE).is_some_and(is_xml) {
        return Err(Rejection::UnsupportedMediaType);
    }
    let content_length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if content_length.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Rejection::TooLarge);
    }
    Ok(())
}

fn is(value: &HeaderValue, expected: &str) -> bool {
    value.to_str().is_ok_and(|value| value.trim().eq_ignore_ascii_case(expected))
}

fn is_xml(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let media_type = parts.next().unwrap_or_default();
    MEDIA_TYPES.contains(&media_type.as_str())
        && parts
            .filter_map(|parameter| parameter.strip_prefix("charset=").map(|name| name.trim_matches('"').to_owned()))
            .all(|charset| CHARSETS.contains(&charset.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(headers: &[(&'static str, &str)]) -> Result<(), Rejection> {
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        check(&pairs.collect())
    }

    #[test]
    fn the_content_types_seen_on_the_wire_are_accepted() {
        for value in [
            "text/xml; charset=utf-8",
            "text/xml; charset=UTF-8",
            "text/xml;charset=\"utf-8\"",
            "TEXT/XML",
            "application/xml",
            "application/soap+xml; charset=utf-8; action=\"\"",
        ] {
            assert!(verdict(&[("content-type", value)]).is_ok(), "{value}");
        }
    }

    #[test]
    fn other_content_types_and_character_sets_are_refused() {
        for value in ["application/json", "text/plain", "text/xmlish", "", "text/xml; charset=utf-16"] {
            assert!(matches!(verdict(&[("content-type", value)]), Err(Rejection::UnsupportedMediaType)), "{value}");
        }
        assert!(matches!(verdict(&[]), Err(Rejection::UnsupportedMediaType)));
    }

    #[test]
    fn a_compressed_body_is_refused() {
        let xml = ("content-type", "text/xml");
        assert!(matches!(verdict(&[xml, ("content-encoding", "gzip")]), Err(Rejection::UnsupportedMediaType)));
        assert!(verdict(&[xml, ("content-encoding", "identity")]).is_ok());
    }

    #[test]
    fn a_content_length_over_the_limit_is_refused() {
        let length = (MAX_BODY_BYTES + 1).to_string();
        let headers = [("content-type", "text/xml"), ("content-length", length.as_str())];
        assert!(matches!(verdict(&headers), Err(Rejection::TooLarge)));
    }
}
