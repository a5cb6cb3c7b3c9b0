//! Several requests in one call, later ones referring to earlier ones.

use std::collections::BTreeSet;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{is_rollback, problem_of};
use crate::transport::Request;
use crate::{Client, Error, JsonObject};

/// How many subrequests one call can carry.
pub const MAX_SUBREQUESTS: usize = 25;

/// A composite request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompositeRequest {
    /// Whether one failure undoes everything.
    pub all_or_none: bool,
    /// At most [`MAX_SUBREQUESTS`].
    #[serde(rename = "compositeRequest")]
    pub requests: Vec<Subrequest>,
}

/// One request within a composite request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subrequest {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Path below the API's base, such as `sobjects/ContentNote`; the client puts the base in front.
    pub url: String,
    /// Names the answer for `@{name.id}`: letters, digits and underscores, beginning with a letter, unique.
    pub reference_id: String,
    /// The body of a write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<JsonObject>,
}

/// The answer to one subrequest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompositeResponse {
    /// Which subrequest it answers.
    pub reference_id: String,
    /// Its own HTTP status: the whole call is 200 even when every part failed.
    #[serde(rename = "httpStatusCode")]
    pub status: u16,
    /// What the request would have been answered with on its own.
    #[serde(default)]
    pub body: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answers {
    composite_response: Vec<CompositeResponse>,
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
            return Err(invalid("has a reference id twice"));
        }
        Ok(())
    }

    /// The same request with the API's base in front of every URL.
    fn below(&self, base: &str) -> Self {
        let mut request = self.clone();
        for part in &mut request.requests {
            part.url.insert_str(0, base);
        }
        request
    }
}

fn is_reference(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl CompositeResponse {
    /// The failure of this part, or `None` when it succeeded or only shared the fate of another one.
    ///
    /// `operation` names the call in the error.
    pub fn failure(&self, operation: &'static str) -> Option<Error> {
        if (200..300).contains(&self.status) {
            return None;
        }
        let mut problems: Vec<_> = PartProblem::all(&self.body)
            .iter()
            .map(|problem| problem_of(&problem.error_code, &problem.fields))
            .collect();
        if problems.is_empty() {
            problems.push(problem_of(&format!("HTTP_{}", self.status), &[]));
        }
        let only_rolled_back = problems.iter().all(|problem| is_rollback(&problem.code));
        (!only_rolled_back).then_some(Error::Rejected { operation, status: self.status, problems })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartProblem {
    error_code: String,
    #[serde(default)]
    fields: Vec<String>,
}

impl PartProblem {
    fn all(body: &Value) -> Vec<Self> {
        Vec::deserialize(body).unwrap_or_default()
    }
}

impl Client {
    /// Sends a composite request; the answers are in the order of the subrequests.
    ///
    /// # Errors
    ///
    /// Those of the call as a whole; a failed subrequest is an answer. Not repeated after [`Error::NoResponse`].
    pub async fn send_composite(&self, request: &CompositeRequest) -> Result<Vec<CompositeResponse>, Error> {
        request.check()?;
        let body = request.below(&self.path(""));
        let request = Request::send("composite", Method::POST, self.path("composite"), &body)?;
        let answer = self.send(&request).await?;
        let answers = answer.json::<Answers>()?.composite_response;
        if answers.len() == body.requests.len() {
            Ok(answers)
        } else {
            Err(answer.invalid("not one part for each subrequest"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    fn reference_ids_are_checked_before_anything_is_sent() {
        assert!(request(&["note", "link_1"]).check().is_ok());
        assert!(request(&["1note"]).check().is_err());
        assert!(request(&["note", "note"]).check().is_err());
        assert!(request(&[]).check().is_err());
        assert!(request(&["a"; 26]).check().is_err());
    }

    #[test]
    fn the_base_is_put_in_front_of_every_url() {
        let json = serde_json::to_value(request(&["a"]).below("/services/data/v66.0/")).unwrap();
        let expected = json!({"allOrNone": true, "compositeRequest": [
            {"method": "GET", "url": "/services/data/v66.0/sobjects/Account", "referenceId": "a"}
        ]});
        assert_eq!(json, expected);
    }

    #[test]
    fn a_part_that_was_only_rolled_back_is_not_the_culprit() {
        let part = |code: &str| CompositeResponse {
            reference_id: "a".to_owned(),
            status: 400,
            body: json!([{"errorCode": code, "message": "secret"}]),
        };
        assert!(part("PROCESSING_HALTED").failure("a test").is_none());
        let failure = part("REQUIRED_FIELD_MISSING").failure("a test").unwrap();
        assert!(failure.has_code("REQUIRED_FIELD_MISSING"));
        assert!(!format!("{failure:?}").contains("secret"));
    }
}
