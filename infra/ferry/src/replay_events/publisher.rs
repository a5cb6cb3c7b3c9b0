//! Publishes records through the deployed function `record-events`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use runtime::invoke::{Invoke, LambdaFunction, call};
use runtime::{Chain, Error};
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{Answer, Plan};

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
            Self::Stream => json!({ "Records": items }),
            Self::Mirror => json!({ "mirror_rows": items }),
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

/// The reason why publishing stopped. It passes.
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

    /// Publishes the items in their order. Returns the number of those that the function cannot read.
    pub(crate) async fn publish(&self, items: &[Value]) -> Result<usize, Stopped> {
        let mut plan = Plan::new(items.len());
        while let Some(part) = plan.next_part() {
            let answer = self.send(items, part).await?;
            plan.record(answer).map_err(|_| {
                Stopped("record-events could not publish an event; its last log lines have the reason".to_owned())
            })?;
        }
        Ok(plan.unreadable())
    }

    async fn send(&self, items: &[Value], part: Range<usize>) -> Result<Answer, Stopped> {
        let sent = items.get(part.clone()).unwrap_or_default();
        match call::<_, Response>(&self.function, &self.source.request(sent)).await {
            Ok(response) => Ok(match response.batch_item_failures.first() {
                None => Answer::Published,
                Some(failed) => {
                    let place = self.source.place(sent, &failed.item_identifier);
                    Answer::UpTo(part.start + place.unwrap_or_default())
                }
            }),
            Err(Error::Failed { error_type, .. }) if error_type == "Permanent" => Ok(Answer::Unreadable),
            Err(error) => Err(Stopped(Chain(&error).to_string())),
        }
    }
}
