//! The number of messages in each dead-letter queue.

use clap::ValueEnum as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::queue_name::QueueName;
use crate::screen;
use crate::stack::Stack;

/// The number of queues that are asked at the same time.
const AT_ONCE: usize = 8;

/// The dead letters of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Count {
    queue: QueueName,
    dead_letters: u64,
}

/// Reports the number of dead letters of every queue.
pub(super) async fn report(stack: &Stack, as_json: bool) -> Result<String, Failure> {
    let count = async |queue: QueueName| {
        let dead = stack.dead_letters(queue).await?;
        Ok::<_, store::Error>(Count { queue, dead_letters: dead.count().await? })
    };
    let counts = stream::iter(QueueName::value_variants()).map(|queue| count(*queue)).buffered(AT_ONCE);
    let counts: Vec<Count> = counts.try_collect().await.map_err(|error| stack.unavailable(&error))?;
    Ok(if as_json { format!("{:#}", json!({ "queues": counts })) } else { text(&counts) })
}

fn text(counts: &[Count]) -> String {
    let mut table = screen::table(["Queue", "Dead letters"]);
    for Count { queue, dead_letters } in counts {
        let number = usize::try_from(*dead_letters).map_or_else(|_| dead_letters.to_string(), screen::number);
        table.add_row([queue.to_string(), number]);
    }
    let fullest = counts.iter().filter(|count| count.dead_letters > 0).max_by_key(|count| count.dead_letters);
    match fullest {
        None => format!("{table}\n\nNo dead letters. The numbers are SQS's approximate ones."),
        Some(Count { queue, .. }) => format!(
            "{table}\n\nThe numbers are SQS's approximate ones. A queue's letters: `cargo ferry dead-letters list --queue {queue}`."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_name_a_queue_that_has_letters() {
        let counts = |note_writes| {
            [(QueueName::RecordUpsert, 0), (QueueName::NoteWrite, note_writes)]
                .map(|(queue, dead_letters)| Count { queue, dead_letters })
        };
        assert!(text(&counts(1_200)).contains("note-write    ┆ 1,200"), "{}", text(&counts(1_200)));
        assert!(text(&counts(1_200)).ends_with("list --queue note-write`."));
        assert!(text(&counts(0)).contains("\n\nNo dead letters."));
    }
}
