//! The Streaming API over HTTP, at `/cometd/{version}`. Some clients append the kind of the message to the path.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, Uri};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};

use crate::api::streaming::{self, Answer, Caller, Waiting};
use crate::identity::realm::Shared;
use crate::wire::{ClientAddress, bearer, json_response};

const PATH: &str = "/cometd";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, post(serve)).route("/cometd/", post(serve)).route("/cometd/{*path}", post(serve))
}

/// Answers the messages of a request; a `/meta/connect` among them waits for events.
async fn serve(
    State(shared): State<Shared>,
    ClientAddress(from): ClientAddress,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(messages) = streaming::messages(&body) else {
        return json_response(400, &serde_json::json!([{"error": "400::Bad request", "successful": false}]));
    };
    if let Err(error) = streaming::check_version(uri.path().strip_prefix(PATH).unwrap_or_default()) {
        let refused = messages.iter().map(|message| streaming::refused(message, &error));
        return json_response(400, &Json::Array(refused.collect()));
    }
    let caller = Caller { token: bearer(&headers), from };
    let (mut answers, mut waiting) = (Vec::new(), Vec::new());
    for message in &messages {
        match streaming::answer(&mut shared.org(), caller, message) {
            Answer::Now(answer) => answers.push(answer),
            Answer::Wait(one) => waiting.push(one),
        }
    }
    for one in waiting {
        answers.extend(wait(&shared, caller, &one).await);
    }
    json_response(200, &Json::Array(answers))
}

/// Waits until there are events for the client, the time is over, or the org stops.
async fn wait(shared: &Shared, caller: Caller<'_>, waiting: &Waiting) -> Vec<Json> {
    let deadline = Instant::now() + waiting.timeout;
    let mut changes = shared.org().streams.watch();
    let mut is_over = waiting.timeout.is_zero();
    loop {
        if let Some(answer) = streaming::look(&mut shared.org(), caller, waiting, is_over) {
            return answer;
        }
        is_over = !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(())));
    }
}
