//! The data API below `/services/data/vNN.0/`, without HTTP: a call in, an answer out. Composite requests come back in here.

mod collections;
mod composite;
mod records;
mod replicate;

use serde_json::{Map, Value as Json, json};

use crate::api_error::ApiError;
use crate::org::{Actor, Org};
use crate::schema;
use crate::{query, ui_api};

/// Versions the org serves, by their releases; the current one last.
const RELEASES: [(u32, &str); 38] = [
    (31, "Summer '14"),
    (32, "Winter '15"),
    (33, "Spring '15"),
    (34, "Summer '15"),
    (35, "Winter '16"),
    (36, "Spring '16"),
    (37, "Summer '16"),
    (38, "Winter '17"),
    (39, "Spring '17"),
    (40, "Summer '17"),
    (41, "Winter '18"),
    (42, "Spring '18"),
    (43, "Summer '18"),
    (44, "Winter '19"),
    (45, "Spring '19"),
    (46, "Summer '19"),
    (47, "Winter '20"),
    (48, "Spring '20"),
    (49, "Summer '20"),
    (50, "Winter '21"),
    (51, "Spring '21"),
    (52, "Summer '21"),
    (53, "Winter '22"),
    (54, "Spring '22"),
    (55, "Summer '22"),
    (56, "Winter '23"),
    (57, "Spring '23"),
    (58, "Summer '23"),
    (59, "Winter '24"),
    (60, "Spring '24"),
    (61, "Summer '24"),
    (62, "Winter '25"),
    (63, "Spring '25"),
    (64, "Summer '25"),
    (65, "Winter '26"),
    (66, "Spring '26"),
    (67, "Summer '26"),
    (68, "Winter '27"),
];

/// One request to the data API.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Decoded segments after the version.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Json>,
    /// For example `66.0`.
    pub(crate) version: String,
    /// `batchSize` of `Sforce-Query-Options`.
    pub(crate) batch_size: Option<usize>,
}

impl Call {
    /// Takes `/services/data/v66.0/...?...` apart; `None` for any other URL.
    pub(crate) fn new(method: &str, url: &str, body: Option<Json>) -> Option<Self> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let rest = path.strip_prefix("/services/data/v")?;
        let (version, path) = rest.split_once('/').unwrap_or((rest, ""));
        let number: u32 = version.strip_suffix(".0")?.parse().ok()?;
        if !RELEASES.iter().any(|(known, _)| *known == number) {
            return None;
        }
        Some(Self {
            method: method.to_ascii_uppercase(),
            path: path.split('/').filter(|s| !s.is_empty()).map(decoded).collect(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            body,
            version: version.to_owned(),
            batch_size: None,
        })
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body, which must be a JSON object.
    pub(crate) fn object(&self) -> Result<&Map<String, Json>, ApiError> {
        self.body
            .as_ref()
            .and_then(Json::as_object)
            .ok_or_else(|| ApiError::bad_json("The HTTP entity body is required, but this request has no entity body."))
    }
}

/// Percent-decodes one path segment; a `+` stays a plus.
pub(crate) fn decoded(segment: &str) -> String {
    let escaped = segment.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={escaped}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// What an answer carries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Empty,
    Json(Json),
    Bytes(Vec<u8>),
}

/// An answer of the data API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) location: Option<String>,
}

impl Answer {
    pub(crate) fn json(body: Json) -> Self {
        Self { status: 200, body: Body::Json(body), location: None }
    }

    pub(crate) fn no_content() -> Self {
        Self { status: 204, body: Body::Empty, location: None }
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With the address of the record it is about.
    pub(crate) fn at(mut self, call: &Call, object: &str, id: crate::ids::RecordId) -> Self {
        self.location = Some(format!("/services/data/v{}/sobjects/{object}/{id}", call.version));
        self
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        Self::json(error.body()).status(error.status)
    }
}

/// `GET /services/data`.
pub(crate) fn versions() -> Json {
    let entry = |(number, label): &(u32, &str)| json!({"label": label, "url": format!("/services/data/v{number}.0"), "version": format!("{number}.0")});
    RELEASES.iter().map(entry).collect()
}

/// Serves a call as one transaction.
pub(crate) fn serve(org: &mut Org, actor: &Actor, call: &Call) -> Answer {
    let start = org.savepoint();
    let answer = dispatch(org, actor, call).unwrap_or_else(|error| {
        org.rollback(&start);
        error.into()
    });
    org.store.commit();
    answer
}

/// Finds the resource that is meant and asks it.
pub(crate) fn dispatch(org: &mut Org, actor: &Actor, call: &Call) -> Result<Answer, ApiError> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (call.method.as_str(), path.as_slice()) {
        ("GET", []) => Ok(Answer::json(resources(call))),
        ("GET", ["sobjects"]) => Ok(Answer::json(schema::describe_global(&org.schema, &call.version))),
        (_, ["sobjects", object, rest @ ..]) => records::serve(org, actor, call, (object, rest)),
        ("GET", ["query"]) => query::first_page(org, actor, call, false),
        ("GET", ["queryAll"]) => query::first_page(org, actor, call, true),
        ("GET", ["query" | "queryAll", locator]) => query::next_page(org, actor, call, locator),
        ("GET", ["limits"]) => Ok(Answer::json(limits(org))),
        ("GET", ["limits", "recordCount"]) => Ok(Answer::json(record_count(org, call))),
        (_, ["composite", "sobjects", rest @ ..]) => collections::serve(org, actor, call, rest),
        ("POST", ["composite"]) => composite::serve(org, actor, call),
        ("GET", ["ui-api", rest @ ..]) => ui_api::serve(org, call, rest),
        _ => Err(unknown(call)),
    }
}

/// Nothing is accepted silently: what the simulator does not know, it says so.
pub(crate) fn unknown(call: &Call) -> ApiError {
    tracing::warn!(method = call.method, path = call.path.join("/"), "the simulator does not know this resource");
    ApiError::not_found()
}

fn resources(call: &Call) -> Json {
    let names = ["composite", "limits", "query", "queryAll", "sobjects", "ui-api"];
    names
        .iter()
        .map(|name| ((*name).to_owned(), json!(format!("/services/data/v{}/{name}", call.version))))
        .collect::<Map<_, _>>()
        .into()
}

fn limits(org: &Org) -> Json {
    let remaining = org.limits.max.saturating_sub(org.limits.used());
    json!({
        "ConcurrentAsyncGetReportInstances": {"Max": 200, "Remaining": 200},
        "DailyApiRequests": {"Max": org.limits.max, "Remaining": remaining},
        "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
        "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
        "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
        "DailyDeliveredPlatformEvents": {"Max": 10_000, "Remaining": 10_000},
        "DataStorageMB": {"Max": 1_024, "Remaining": 1_024},
        "FileStorageMB": {"Max": 1_024, "Remaining": 1_024},
        "HourlyPublishedPlatformEvents": {"Max": 50_000, "Remaining": 50_000},
    })
}

fn record_count(org: &Org, call: &Call) -> Json {
    let wanted: Option<Vec<&str>> = call.parameter("sObjects").map(|names| names.split(',').map(str::trim).collect());
    let asked = |name: &str| wanted.as_ref().is_none_or(|names| names.iter().any(|n| n.eq_ignore_ascii_case(name)));
    let counts: Vec<Json> = org
        .schema
        .objects()
        .filter(|object| asked(&object.name))
        .map(|object| json!({"count": org.store.table(&object.name).map_or(0, crate::store::Table::live), "name": object.name}))
        .collect();
    json!({"sObjects": counts})
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
    fn versions_that_never_were_are_not_found() {
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
