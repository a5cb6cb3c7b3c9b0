//! Writes that waited: SQS's shape of the same use case.

use aws_lambda_events::sqs::SqsEvent;
use runtime::Chain;
use runtime::sqs::{Answer, Batch};
use store::WriteTask;

use crate::{Deps, Error, write};

/// Carries out queued writes, one after the other. Those that have to wait longer are reported as failed, so that SQS
/// hands them out again and at last moves them to the dead letters.
///
/// # Errors
/// None: what fails is in the answer.
pub async fn handle(deps: &Deps, event: SqsEvent) -> Result<Answer, Error> {
    let batch = Batch::<WriteTask>::parse(event);
    let mut answer = Answer { failed: batch.unreadable, counts: Vec::new() };
    let mut done = 0;
    for message in batch.messages {
        // Boxed, for the futures of the AWS SDK below it are nested too deep for the compiler to lay out at once.
        match Box::pin(write::resume(deps, &message.body)).await {
            Ok(()) => done += 1,
            Err(error) => {
                tracing::warn!(org.id = %message.body.org_id, error = %Chain(&error), "a queued write failed");
                answer.failed.push(message.id);
            }
        }
    }
    answer.counts.push(("writes.done", done));
    Ok(answer)
}
