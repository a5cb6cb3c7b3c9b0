//! gzip, for responses to clients that accept it and for request bodies (REST API guide, compression).

use std::io::{self, Read as _, Write as _};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Method, header};

use crate::http::server::response::{MAX_BODY, shown, too_large};
use crate::model::errors::ApiError;

/// Smaller responses are not compressed.
const WORTH_IT: u64 = 1_024;

/// Decompresses the body of a request and compresses that of the response.
pub(super) async fn coded(request: Request, next: Next) -> Response {
    let packs = accepts_gzip(request.headers()) && request.method() != Method::HEAD;
    let request = match unpacked(request).await {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let response = next.run(request).await;
    let size = response.body().size_hint().exact();
    let worth_it = size.is_some_and(|size| size >= WORTH_IT) && is_text(response.headers());
    if packs && worth_it { packed(response).await } else { response }
}

async fn unpacked(request: Request) -> Result<Request, Box<Response>> {
    let coding = request.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default());
    match coding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") => return Ok(request),
        Some("gzip") => {}
        Some(other) => {
            tracing::warn!(coding = other, "the simulator does not know this content encoding");
            let message = format!("Content-Encoding header specified in HTTP request is not supported: {other}");
            let error = ApiError::new("UNSUPPORTED_MEDIA_TYPE", message).status(415);
            return Err(Box::new(shown(error.into(), "")));
        }
    }
    let (mut parts, body) = request.into_parts();
    let packed = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| Box::new(too_large()))?;
    let body = gunzip(&packed).map_err(|_| {
        // Salesforce's response to an invalid stream is unverified.
        let error = ApiError::bad_json("The HTTP entity body is not in the encoding that its header names.");
        Box::new(shown(error.into(), ""))
    })?;
    if body.len() > MAX_BODY {
        return Err(Box::new(too_large()));
    }
    parts.headers.remove(header::CONTENT_ENCODING);
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Decompresses up to one byte more than a body may have, so that a larger one is detected.
fn gunzip(packed: &Bytes) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX) + 1;
    MultiGzDecoder::new(packed.as_ref()).take(limit).read_to_end(&mut body)?;
    Ok(body)
}

async fn packed(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(plain) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    let body = match encoder.write_all(&plain).and_then(|()| encoder.finish()) {
        Ok(packed) => {
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            Bytes::from(packed)
        }
        Err(_) => plain,
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body))
}

/// Returns whether the client accepts gzip: named, or covered by `*`, with a quality above zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0_f32));
        matches!(name.trim().to_ascii_lowercase().as_str(), "gzip" | "*") && !refused
    })
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !headers.contains_key(header::CONTENT_ENCODING)
        && (kind.starts_with("text/") || kind.starts_with("application/json") || kind.starts_with("application/xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_when_accepted() {
        let accepts = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            accepts_gzip(&headers)
        };
        for value in ["gzip", "deflate, gzip", "GZIP;q=0.5", "br, *"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["", "deflate", "gzip;q=0", "identity"] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
