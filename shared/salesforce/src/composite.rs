//! Composite requests: several subrequests in one call, of which later ones can refer to earlier ones.

use std::collections::BTreeSet;

use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{part_failure, unavailable};
use crate::transport::Request;
use crate::{Client, Error, JsonObject};

/// The maximum number of subrequests of a composite request.
pub const MAX_SUBREQUESTS: usize = 25;
/// The maximum number of queries in a composite request.
pub const MAX_QUERIES: usize = 5;

/// A composite request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompositeRequest {
    /// `true` to roll back all subrequests if one fails.
    pub all_or_none: bool,
    /// 1 to [`MAX_SUBREQUESTS`] subrequests.
    #[serde(rename = "compositeRequest")]
    pub requests: Vec<Subrequest>,
}

/// A subrequest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subrequest {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Path relative to `/services/data/vNN.N/`, such as `sobjects/ContentNote`.
    pub url: String,
    /// The name for references such as `@{name.id}`: letters, digits and underscores, beginning with a letter; unique.
    pub reference_id: String,
    /// The body of a write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<JsonObject>,
}

/// The response to one subrequest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompositeResponse {
    /// The reference id of the subrequest.
    pub reference_id: String,
    /// The HTTP status of the subrequest. The composite request returns 200 even if all of them failed.
    #[serde(rename = "httpStatusCode")]
    pub status: u16,
    /// The response body.
    #[serde(default)]
    pub body: Value,
}

/// The responses to the parts of a request, in any order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CompositeResponses {
    pub(crate) composite_response: Vec<CompositeResponse>,
}

impl CompositeRequest {
    fn check(&self) -> Result<(), Error> {
        let invalid = |reason| Error::Invalid { what: "composite request", reason };
        if self.requests.is_empty() || self.requests.len() > MAX_SUBREQUESTS {
            return Err(invalid("does not have 1 to 25 subrequests"));
        }
        let names = self.requests.iter().map(|request| &request.reference_id);
        if !names.clone().all(|name| is_reference(name)) {
            return Err(invalid("has a malformed reference id"));
        }
        if names.collect::<BTreeSet<_>>().len() != self.requests.len() {
            return Err(invalid("has a duplicate reference id"));
        }
        Ok(())
    }

    /// Returns the request with `base` before every URL.
    fn with_base(&self, base: &str) -> Self {
        let mut request = self.clone();
        for part in &mut request.requests {
            part.url.insert_str(0, base);
        }
        request
    }
}

/// Returns whether a name has the form of a reference id.
pub(crate) fn is_reference(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl CompositeResponse {
    /// Returns the error of this subrequest; `None` if it succeeded or was only rolled back because another one failed.
    ///
    /// `operation` is an infinitive for the error: "create the note".
    pub fn failure(&self, operation: &'static str) -> Option<Error> {
        match self.status {
            200..300 => None,
            status => part_failure(operation, status, &self.body),
        }
    }

    /// Deserializes the response body.
    ///
    /// `operation` is an infinitive for the error: "create the note".
    ///
    /// # Errors
    ///
    /// That of the subrequest; an error that passes if the subrequest was only rolled back; [`Error::InvalidResponse`] if the
    /// body is not of this type.
    pub fn json<T: DeserializeOwned>(self, operation: &'static str) -> Result<T, Error> {
        match self.status {
            200..300 => {
                T::deserialize(self.body).map_err(|_| Error::InvalidResponse { operation, what: "unexpected JSON" })
            }
            status => Err(part_failure(operation, status, &self.body)
                .unwrap_or_else(|| unavailable(operation, status, None, None))),
        }
    }
}

impl Client {
    /// Sends a composite request. The responses are in the order of the subrequests.
    ///
    /// # Errors
    ///
    /// Those of the whole request; a failed subrequest is a response. Not retried after [`Error::NoResponse`].
    pub async fn send_composite(&self, request: &CompositeRequest) -> Result<Vec<CompositeResponse>, Error> {
        request.check()?;
        let body = request.with_base(&self.path(""));
        let request = Request::send("send the composite request", Method::POST, self.path("composite"), &body)?;
        // Only a subresponse says whether an object is hidden.
        let response =
            self.send(&request).await.map_err(|error| if error.is_hidden() { error.contradicted() } else { error })?;
        let responses = response.json::<CompositeResponses>()?.composite_response;
        if responses.len() == body.requests.len() {
            Ok(responses)
        } else {
            Err(response.invalid("not one response per subrequest"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Classify, Retry};

    fn request(names: &[&str]) -> CompositeRequest {
        let part = |name: &&str| Subrequest {
            method: "GET",
            url: "sobjects/Account".to_owned(),
            reference_id: (*name).to_owned(),
            body: None,
        };
        CompositeRequest { all_or_none: true, requests: names.iter().map(part).collect() }
    }

    #[test]
    fn invalid_reference_ids_are_rejected() {
        assert!(request(&["note", "link_1"]).check().is_ok());
        assert!(request(&["1note"]).check().is_err());
        assert!(request(&["note", "note"]).check().is_err());
        assert!(request(&[]).check().is_err());
        assert!(request(&["a"; 26]).check().is_err());
    }

    #[test]
    fn the_base_is_added_to_every_url() {
        let json = serde_json::to_value(request(&["a"]).with_base("/services/data/v66.0/")).unwrap();
        let expected = json!({"allOrNone": true, "compositeRequest": [
            {"method": "GET", "url": "/services/data/v66.0/sobjects/Account", "referenceId": "a"}
        ]});
        assert_eq!(json, expected);
    }

    #[test]
    fn a_row_lock_in_a_triggers_message_allows_a_retry() {
        let message =
            "LinkTrigger: execution of AfterInsert caused by: first error: UNABLE_TO_LOCK_ROW, unable to obtain";
        let part = |message: &str| CompositeResponse {
            reference_id: "a".to_owned(),
            status: 400,
            body: json!([{"errorCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": message}]),
        };
        let retry = |message: &str| part(message).failure("run a test").unwrap().retry();
        assert!(matches!(retry(message), Retry::After(_)));
        assert_eq!(retry("LinkTrigger: no"), Retry::Never);
    }

    #[test]
    fn a_part_without_an_error_object_decides_nothing() {
        for (status, body) in [
            (302, Value::Null),
            (400, json!("<html>")),
            (403, json!([])),
            (404, json!("<html>")),
            (420, json!({})),
            (500, Value::Null),
            (503, json!("upstream connect error")),
        ] {
            let part = CompositeResponse { reference_id: "a".to_owned(), status, body };
            let error = part.failure("run a test").unwrap();
            assert!(error.problems().is_empty(), "{error:?}");
            assert!(matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)), "{error:?}");
        }
        let body = json!({"errorCode": "REQUIRED_FIELD_MISSING", "message": "no"});
        let own = CompositeResponse { reference_id: "a".to_owned(), status: 400, body };
        assert_eq!(own.failure("run a test").unwrap().retry(), Retry::Never);
    }

    #[test]
    fn a_rolled_back_subrequest_is_not_an_error() {
        let part = |code: &str| CompositeResponse {
            reference_id: "a".to_owned(),
            status: 400,
            body: json!([{"errorCode": code, "message": "secret"}]),
        };
        assert!(part("PROCESSING_HALTED").failure("run a test").is_none());
        let failure = part("REQUIRED_FIELD_MISSING").failure("run a test").unwrap();
        assert!(failure.has_code("REQUIRED_FIELD_MISSING"));
        assert!(!format!("{failure:?}").contains("secret"));
    }
}
