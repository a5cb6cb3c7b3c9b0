//! Publishes records through the deployed function `record-events`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use runtime::invoke::{Invoke, LambdaFunction, call};
use runtime::{Chain, Error};
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{Answer, Cause, Plan};

/// The reason of an item that the function cannot read.
const UNREADABLE: &str = "the deployed version cannot read it";

/// The source of what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Records of a stream.
    Stream,
    /// Rows of the mirror.
    Mirror,
}

impl Source {
    fn request(self, items: &[Value]) -> Value {
        match self {
            Self::Stream => json!({ "Records": items, "with_reason": true }),
            Self::Mirror => json!({ "mirror_rows": items, "with_reason": true }),
        }
    }

    /// Returns the place of an item by the identifier that the function returns for it.
    fn place(self, items: &[Value], identifier: &str) -> Option<usize> {
        match self {
            Self::Stream => items.iter().position(|item| item["dynamodb"]["SequenceNumber"] == identifier),
            Self::Mirror => identifier.parse().ok(),
        }
    }
}

/// An item that was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Its place among the items.
    pub(crate) place: usize,
    /// `true` if the function cannot read it.
    pub(crate) unreadable: bool,
    /// The reason. It has no values.
    pub(crate) reason: String,
}

/// The reason why publishing stopped: the function cannot be called. It passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stopped(pub(crate) String);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Publishes items of one source.
pub(crate) struct Publisher {
    function: Arc<dyn Invoke>,
    source: Source,
}

/// The function's response, in the form that Lambda expects for a stream.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    batch_item_failures: Vec<Failed>,
    /// Missing in the response of an earlier version.
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    item_identifier: String,
}

impl Publisher {
    pub(crate) fn new(function: LambdaFunction, source: Source) -> Self {
        Self { function: Arc::new(function), source }
    }

    /// Publishes the items in their order. Returns those that were not published.
    pub(crate) async fn publish(&self, items: &[Value]) -> Result<Vec<Left>, Stopped> {
        let (mut plan, mut left) = (Plan::new(items.len()), Vec::new());
        while let Some(part) = plan.next_part() {
            let (answer, reason) = self.send(items, part).await?;
            left.extend(plan.record(answer).map(|(place, cause)| match cause {
                Cause::Unreadable => Left { place, unreadable: true, reason: UNREADABLE.to_owned() },
                Cause::NotPublished => {
                    let reason = reason.unwrap_or_else(|| "the last log lines of record-events have it".to_owned());
                    Left { place, unreadable: false, reason }
                }
            }));
        }
        Ok(left)
    }

    /// Sends a part. Returns the answer, and the reason if it was not all published.
    async fn send(&self, items: &[Value], part: Range<usize>) -> Result<(Answer, Option<String>), Stopped> {
        let sent = items.get(part.clone()).unwrap_or_default();
        match call::<_, Response>(&self.function, &self.source.request(sent)).await {
            Ok(response) => Ok(match response.batch_item_failures.first() {
                None => (Answer::Published, None),
                Some(failed) => {
                    let place = self.source.place(sent, &failed.item_identifier);
                    (Answer::UpTo(part.start + place.unwrap_or_default()), response.reason)
                }
            }),
            Err(Error::Failed { error_type, .. }) if error_type == "Permanent" => {
                Ok((Answer::Failed(Cause::Unreadable), None))
            }
            Err(error @ Error::Failed { .. }) => {
                Ok((Answer::Failed(Cause::NotPublished), Some(Chain(&error).to_string())))
            }
            Err(error) => Err(Stopped(Chain(&error).to_string())),
        }
    }
}
