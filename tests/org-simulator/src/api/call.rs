//! A request to the data API and its response, independent of HTTP.

pub(crate) mod headers;
pub(crate) mod methods;

use serde_json::{Map, Value as Json};

use crate::api::call::headers::Headers;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::versions::{is_retired, is_version};
use crate::model::write_options::WriteOptions;

/// A request to the data API.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// The decoded path segments after the version.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Json>,
    /// API version, for example `66.0`.
    pub(crate) version: String,
    /// `batchSize` of `Sforce-Query-Options`.
    pub(crate) batch_size: Option<usize>,
    /// The request's headers that the data API evaluates.
    pub(crate) headers: Headers,
}

impl Call {
    /// Parses `/services/data/v66.0/...?...`; `None` for any other URL.
    pub(crate) fn new(method: &str, url: &str, body: Option<Json>) -> Option<Self> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let rest = path.strip_prefix("/services/data/v")?;
        let (version, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_version(version) {
            return None;
        }
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        // Clients that cannot send PATCH name the method in this parameter (REST API guide, update a record).
        let named = query.iter().find(|(key, _)| key == "_HttpMethod").map(|(_, method)| method.as_str());
        let method = named.filter(|_| method.eq_ignore_ascii_case("post")).unwrap_or(method);
        Some(Self {
            method: method.to_ascii_uppercase().replace("HEAD", "GET"),
            path: segments(path),
            query,
            body,
            version: version.to_owned(),
            batch_size: None,
            headers: Headers::default(),
        })
    }

    /// Returns the error for a URL that [`Self::new`] does not parse.
    pub(crate) fn refusal(url: &str) -> ApiError {
        let version = url.strip_prefix("/services/data/v").and_then(|rest| rest.split(['/', '?']).next());
        match version.filter(|version| is_retired(version)) {
            Some(version) => ApiError::retired_version(version),
            None => ApiError::not_found(),
        }
    }

    /// Adds headers; those that change how records are read and written take effect.
    pub(crate) fn with_headers<'a>(mut self, headers: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        self.headers = Headers::read(headers);
        self.batch_size = self.headers.get("sforce-query-options").and_then(headers::batch_size);
        self
    }

    /// Returns the API version as a number: 66 for `66.0`.
    pub(crate) fn number(&self) -> u32 {
        self.version.split('.').next().and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn write_options(&self) -> Result<WriteOptions, ApiError> {
        let header = |name| self.headers.get(name);
        WriteOptions::read(self.number(), header("sforce-auto-assign"), header("sforce-duplicate-rule-header"))
    }

    /// Returns `client` of `Sforce-Call-Options`.
    pub(crate) fn client(&self) -> Option<&str> {
        let options = self.headers.get("sforce-call-options")?.split(',');
        options.filter_map(|option| option.trim().strip_prefix("client=")).next()
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body, which must be a JSON object.
    pub(crate) fn object(&self) -> Result<&Map<String, Json>, ApiError> {
        self.body
            .as_ref()
            .and_then(Json::as_object)
            .ok_or_else(|| ApiError::bad_json("The HTTP entity body is required, but this request has no entity body."))
    }
}

/// Returns the decoded segments of a path; a `.json` suffix is ignored, because JSON is the default.
fn segments(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(decoded).collect();
    let is_key = segments.len() == 4 && segments.first().is_some_and(|first| first == "sobjects");
    if let Some(last) = segments.last_mut().filter(|_| !is_key)
        && let Some(stem) = last.strip_suffix(".json")
    {
        *last = stem.to_owned();
    }
    segments
}

/// Percent-decodes one path segment; a `+` stays a plus.
pub(crate) fn decoded(segment: &str) -> String {
    let escaped = segment.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={escaped}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Serves a request within an open transaction; composite resources pass their subrequests to it.
pub(crate) type Dispatch = fn(&mut Org, &Actor, &Call) -> Result<Response, ApiError>;

/// The body of a response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Empty,
    Json(Json),
    Bytes(Vec<u8>),
}

/// A response of the data API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) location: Option<String>,
    /// Additional headers.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Response {
    pub(crate) fn json(body: Json) -> Self {
        Self::new(200, Body::Json(body))
    }

    pub(crate) fn new(status: u16, body: Body) -> Self {
        Self { status, body, location: None, headers: Vec::new() }
    }

    pub(crate) fn no_content() -> Self {
        Self::new(204, Body::Empty)
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds the `Location` of a record.
    pub(crate) fn at(mut self, call: &Call, object: &str, id: RecordId) -> Self {
        self.location = Some(format!("/services/data/v{}/sobjects/{object}/{id}", call.version));
        self
    }
}

impl From<ApiError> for Response {
    fn from(error: ApiError) -> Self {
        Self::json(error.body()).status(error.status)
    }
}

/// Logs a resource that the simulator does not support, and returns the error for it. Unsupported requests never
/// succeed silently.
pub(crate) fn unknown(call: &Call) -> ApiError {
    let path = call.path.join("/");
    let allowed = methods::allowed(&call.path);
    if let Some(allowed) = allowed.filter(|list| !list.split(',').any(|method| method == call.method)) {
        tracing::warn!(method = call.method, path, "this resource does not have this method");
        return ApiError::method_not_allowed(&call.method, allowed);
    }
    tracing::warn!(method = call.method, path, "the simulator does not support this resource");
    ApiError::not_found()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_in_a_path_is_decoded_once() {
        let call = Call::new("GET", "/services/data/v66.0/sobjects/Account/Key__c/a%2Fb+c%20d%252F", None).unwrap();
        assert_eq!(call.path.last().unwrap(), "a/b+c d%2F");
    }

    #[test]
    fn unknown_versions_are_not_found() {
        assert!(Call::new("GET", "/services/data/v66.0/limits", None).is_some());
        for url in [
            "/services/data/v99.0/limits",
            "/services/data/v66/limits",
            "/services/data/66.0/limits",
            "/services/apexrest/x",
        ] {
            assert!(Call::new("GET", url, None).is_none(), "{url}");
        }
    }
}
