//! A proxy on loopback between a function and what it calls: it counts the requests by name, and holds one on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// More than any request or answer of a function has.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Forwards to one base URL until it is dropped.
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// On which side of the work a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The request never arrives.
    Before,
    /// The work is done, and its answer never arrives.
    After,
}

/// A request that will be held.
pub struct Hold {
    reached: oneshot::Receiver<()>,
}

struct Shared {
    target: String,
    client: reqwest::Client,
    state: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    by_name: BTreeMap<String, usize>,
    trap: Option<Trap>,
}

struct Trap {
    name: String,
    /// How many more requests of this name pass.
    passes: usize,
    side: Side,
    reached: oneshot::Sender<()>,
}

impl Proxy {
    /// Starts one in front of `target`, a base URL without a trailing slash. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// No free port on loopback.
    pub async fn start(target: &str) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("no free port on loopback")?;
        let url = format!("http://{}", listener.local_addr()?);
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let shared = Arc::new(Shared { target: target.to_owned(), client, state: Mutex::default() });
        let routes = Router::new().fallback(pass).layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
        let routes = routes.with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // `serve` never ends by itself: it retries whatever `accept` complains of.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, shared, _tasks: tasks })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The requests since the last time: by AWS's operation, or else by method and path.
    #[must_use]
    pub fn take_counts(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.shared.state().by_name)
    }

    /// Holds the next request of this name, after `passes` others of the same name. Whoever sent it waits until it is
    /// killed, or gives up.
    #[must_use]
    pub fn hold(&self, name: &str, passes: usize, side: Side) -> Hold {
        let (sender, reached) = oneshot::channel();
        self.shared.state().trap = Some(Trap { name: name.to_owned(), passes, side, reached: sender });
        Hold { reached }
    }
}

impl Hold {
    /// Waits until the request has come.
    ///
    /// # Errors
    /// It never will: another hold took its place, or the proxy is gone.
    pub async fn reached(self) -> Result<()> {
        self.reached.await.context("the request that was to be held never came")
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Counts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the request, and takes the trap that it walks into.
    fn note(&self, name: &str) -> Option<Trap> {
        let mut state = self.state();
        *state.by_name.entry(name.to_owned()).or_default() += 1;
        let trap = state.trap.as_mut().filter(|trap| trap.name == name)?;
        if trap.passes > 0 {
            trap.passes -= 1;
            return None;
        }
        state.trap.take()
    }

    async fn forward(&self, head: Parts, body: Bytes) -> Result<Response> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = head.headers;
        for hop in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(hop);
        }
        let request = self.client.request(head.method, format!("{}{path}", self.target)).headers(headers).body(body);
        let answer = request.send().await?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        for hop in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(hop);
        }
        Ok((status, headers, answer.bytes().await?).into_response())
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let trap = shared.note(&name(&head.method, head.uri.path(), &head.headers));
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if let Some(trap) = trap {
        if trap.side == Side::After {
            // Its answer goes nowhere, so it does not matter what it is.
            let _ = shared.forward(head, body).await;
        }
        // Nobody may be waiting to hear of it.
        let _ = trap.reached.send(());
        return std::future::pending().await;
    }
    shared.forward(head, body).await.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}

fn name(method: &Method, path: &str, headers: &HeaderMap) -> String {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next());
    operation.map_or_else(|| format!("{method} {path}"), str::to_owned)
}
