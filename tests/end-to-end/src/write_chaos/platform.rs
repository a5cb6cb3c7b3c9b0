//! The platform: sends each write until it is accepted, and remembers what it was told.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fronts::{Answer, Fronts};
use super::plan::{Content, KEY_FIELD, Request, external_id, note};

/// The pause before a request is sent again.
const PAUSE: Duration = Duration::from_millis(500);
/// The time after which the platform gives up a request that was never accepted.
const GIVES_UP: Duration = Duration::from_mins(5);

/// A write as the platform knows it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) request: Request,
    /// The records with the value that this write set. A later write of a record has a larger value.
    pub(super) values: Vec<(usize, u64)>,
    /// The id of the write; empty if it was never accepted.
    pub(super) write_id: String,
    /// An answer was 202.
    pub(super) was_queued: bool,
    /// The number of times that the request was sent again.
    pub(super) repeated: usize,
    /// The last answer; 0 if there was none.
    pub(super) status: u64,
    pub(super) answer: Value,
}

/// The last value of each record. Holding a record's lock while a write is sent makes the order of acceptance known.
pub(super) struct Order {
    records: Vec<Mutex<u64>>,
}

impl Order {
    pub(super) fn new(records: usize) -> Self {
        Self { records: (0..records).map(|_| Mutex::new(0)).collect() }
    }
}

/// Sends a request until it is accepted or refused.
pub(super) async fn send(fronts: &Fronts<'_>, order: &Order, rep: usize, request: &Request) -> Result<Sent> {
    match &request.content {
        Content::Note { text, link } => {
            deliver(fronts, rep, unanswered(request, Vec::new()), "/notes", &note(*text, link)).await
        }
        Content::Records(records) => {
            // In ascending order, so that two writes cannot wait for each other.
            let mut held = Vec::new();
            for record in records {
                let mut last = order.records[*record].lock().await;
                *last += 1;
                held.push((*record, last));
            }
            let values: Vec<(usize, u64)> = held.iter().map(|(record, last)| (*record, **last)).collect();
            let rows = values.iter().map(|(record, value)| row(*record, *value));
            let body = json!({ "external_id_field": KEY_FIELD, "records": rows.collect::<Vec<_>>() });
            deliver(fronts, rep, unanswered(request, values), "/records/Account", &body).await
        }
    }
}

fn row(record: usize, value: u64) -> Value {
    let mut fields = Map::new();
    fields.insert(KEY_FIELD.to_owned(), external_id(record).into());
    fields.insert("Name".to_owned(), format!("Write chaos {record}").into());
    fields.insert("NumberOfEmployees".to_owned(), value.into());
    fields.into()
}

/// Returns a write that was not sent yet.
fn unanswered(request: &Request, values: Vec<(usize, u64)>) -> Sent {
    Sent {
        request: request.clone(),
        values,
        write_id: String::new(),
        was_queued: false,
        repeated: 0,
        status: 0,
        answer: Value::Null,
    }
}

async fn deliver(fronts: &Fronts<'_>, rep: usize, mut sent: Sent, path: &str, body: &Value) -> Result<Sent> {
    let request = sent.request.clone();
    let deadline = Instant::now() + GIVES_UP;
    loop {
        let write = || fronts.write(&request, rep, path, body);
        let answers = match request.is_twin {
            true => <[Answer; 2]>::from(tokio::try_join!(write(), write())?).to_vec(),
            false => vec![write().await?],
        };
        for answer in answers.into_iter().flatten() {
            note_answer(&mut sent, answer)?;
        }
        if !may_be_sent_again(sent.status) || Instant::now() >= deadline {
            return Ok(sent);
        }
        sent.repeated += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Remembers an answer. An accepted write keeps its id.
fn note_answer(sent: &mut Sent, (status, answer): (u64, Value)) -> Result<()> {
    sent.was_queued |= status == 202;
    if let Some(id) = answer["write_id"].as_str() {
        ensure!(sent.write_id.is_empty() || sent.write_id == id, "one key has two writes: {} and {id}", sent.write_id);
        sent.write_id = id.to_owned();
    }
    // Of two answers to the same request, the one that accepts it counts.
    if sent.status == 0 || may_be_sent_again(sent.status) {
        (sent.status, sent.answer) = (status, answer);
    }
    Ok(())
}

/// Returns whether the platform sends the request again: there was no answer, or it says so, or a person has to act first.
fn may_be_sent_again(status: u64) -> bool {
    matches!(status, 0 | 409 | 429 | 500..)
}
