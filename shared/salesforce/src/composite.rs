//! Several requests in one call, later ones referring to earlier ones.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
pub struct CompositeAnswer {
    /// Which subrequest it answers.
    pub reference_id: String,
    /// Its own HTTP status: the whole call is 200 even when every part failed.
    #[serde(rename = "httpStatusCode")]
    pub status: u16,
    /// What the request would have been answered with on its own.
    #[serde(default)]
    pub body: Value,
}

impl Client {
    /// Sends a composite request; the answers are in the order of the subrequests.
    ///
    /// # Errors
    ///
    /// Those of the call as a whole; a failed subrequest is an answer. Not repeated after [`Error::NoAnswer`].
    pub async fn composite(
        &self,
        request: &CompositeRequest,
    ) -> Result<Vec<CompositeAnswer>, Error> {
        todo!()
    }
}
