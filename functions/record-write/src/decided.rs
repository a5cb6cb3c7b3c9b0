//! Requests that Salesforce decides as a whole, and that are safe to repeat because the state of the records says whether they
//! were carried out: a deletion, a restoration, a merge, a conversion.
//!
//! A refusal and a lost response are followed by a look at the records: what an earlier request has done, or somebody else, is
//! done.

use std::time::Duration;

use salesforce::{Classify, RecordId, Retry, SaveError, SaveOutcome};
use serde_json::{Map, Value};
use store::Write;
use store::deferral::jitter;
use writes::{Attempted, Error};

use crate::Deps;
use crate::rows::{self, RowOutcome, Sends, Step};

/// The pause after Salesforce did not find a record that it then showed.
const NOT_FOUND_PAUSE: Duration = Duration::from_secs(30);

/// A request.
pub(crate) trait Request {
    /// The result of the request.
    type Done: Send;

    /// Sends it.
    fn send(
        &self,
    ) -> impl Future<Output = Result<salesforce::soap::partner::Decision<Self::Done>, salesforce::Error>> + Send;

    /// Reads from the records whether it was carried out; `None` if it was not.
    ///
    /// # Errors
    /// The records are such that it cannot be carried out; those of the reads.
    fn look(&self) -> impl Future<Output = Result<Option<Self::Done>, Error>> + Send;

    /// Returns the advice about a refusal with this code, if the operation has a better one than that of the code.
    fn advice(&self, _code: &str) -> Option<&'static str> {
        None
    }
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Decided<T> {
    /// Salesforce carried it out.
    Done(T),
    /// It was carried out before: by a request whose response was lost, or by somebody else.
    Before(T),
    /// Salesforce refused it.
    Refused(RowOutcome),
    /// Salesforce refused it for a reason that passes by itself.
    Deferred(RowOutcome, Retry),
}

/// Sends a request until Salesforce has decided about it, or it has to wait longer than an attempt may.
pub(crate) async fn decide<R: Request + Sync>(
    deps: &Deps,
    write: &Write,
    request: &R,
) -> Result<Decided<R::Done>, Error> {
    let now = || deps.ledger.clock.now();
    let began = now();
    let mut count = 0;
    loop {
        count += 1;
        let errors = match request.send().await {
            Ok(Ok(done)) => return Ok(Decided::Done(done)),
            Ok(Err(errors)) => errors,
            Err(error) if may_have_effect(&error) => {
                return match request.look().await {
                    Ok(Some(done)) => Ok(Decided::Before(done)),
                    Ok(None) | Err(_) => Err(error.into()),
                };
            }
            Err(error) => return Err(error.into()),
        };
        let was_not_found = errors.iter().any(|error| error.code == "NOT_FOUND");
        let row = refused(errors, request);
        let spent = Duration::try_from(now().duration_since(began)).unwrap_or_default();
        let left = rows::RESEND.now(&deps.ledger.clock).unwrap_or_default();
        let sends = Sends { count, spent, left, jitter: jitter(&(write.write_id, count)) };
        match rows::next_step(std::slice::from_ref(&row), false, sends) {
            Step::SendAgain(pause) => {
                tracing::info!(org.id = %write.org_id, sends = count, "sending the request again");
                tokio::time::sleep(pause).await;
            }
            Step::Defer(retry) => return Ok(Decided::Deferred(row, retry)),
            Step::Finish => {
                return match request.look().await? {
                    Some(done) => Ok(Decided::Before(done)),
                    None if was_not_found => Ok(Decided::Deferred(row, Retry::After(NOT_FOUND_PAUSE))),
                    None => Ok(Decided::Refused(row)),
                };
            }
        }
    }
}

/// Returns whether the request may have been carried out. A fault of the SOAP API has the status 500 also where Salesforce failed
/// after it had saved the records, and then a code that says nothing.
fn may_have_effect(error: &salesforce::Error) -> bool {
    match error.retry() {
        Retry::Unknown(_) => true,
        Retry::Never | Retry::NeedsHuman => matches!(error, salesforce::Error::Rejected { .. }),
        Retry::After(_) => false,
    }
}

/// Returns the result of an attempt at a request that was refused.
pub(crate) fn undone(row: RowOutcome, retry: Option<Retry>) -> Attempted {
    let outcome = rows::stored(&[row]);
    match retry {
        Some(retry) => Attempted::Partial { outcome, retry },
        None => Attempted::Completed(outcome),
    }
}

/// Returns the result of an attempt at a request about this record that was carried out, with further members of the response.
pub(crate) fn done(id: RecordId, members: impl IntoIterator<Item = (&'static str, Value)>) -> Attempted {
    let row = rows::existing(id, false);
    let mut outcome: Map<String, Value> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    outcome.extend(rows::stored(&[row]).as_object().cloned().unwrap_or_default());
    Attempted::Completed(Value::Object(outcome))
}

fn refused(errors: Vec<SaveError>, request: &impl Request) -> RowOutcome {
    let advice = errors.iter().find_map(|error| request.advice(&error.code));
    let outcome = SaveOutcome { id: None, success: false, created: false, errors };
    let row = rows::classified(vec![outcome], false).pop();
    let mut row = row.unwrap_or(RowOutcome {
        id: None,
        success: false,
        created: Some(false),
        errors: Vec::new(),
        adopted: Some(false),
        retryable: false,
        next: None,
    });
    if let Some(advice) = advice.filter(|_| !row.retryable) {
        row.next = Some(format!("{advice} Then send the request again with a new Idempotency-Key."));
    }
    row
}
