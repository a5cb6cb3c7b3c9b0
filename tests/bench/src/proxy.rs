//! A proxy on loopback between a function and a service: it counts the requests by name, and holds one on demand.

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

/// More than the largest request or response of a function.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Forwards requests to one base URL until it is dropped.
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// The side of the forwarding on which a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The request is not forwarded.
    Before,
    /// The request is forwarded, and its response is not returned.
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
    /// The number of requests of this name that still pass.
    passes: usize,
    side: Side,
    reached: oneshot::Sender<()>,
}

impl Proxy {
    /// Starts a proxy for `target`, a base URL without a trailing slash. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// Loopback has no free port.
    pub async fn start(target: &str) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("loopback has no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let shared = Arc::new(Shared { target: target.to_owned(), client, state: Mutex::default() });
        let routes = Router::new().fallback(pass).layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
        let routes = routes.with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // `serve` never returns: it retries when `accept` fails.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, shared, _tasks: tasks })
    }

    /// Returns the proxy's base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the number of requests since the last call: by the operation of AWS, or else by method and path.
    #[must_use]
    pub fn take_counts(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.shared.state().by_name)
    }

    /// Holds the next request of this name, after `passes` others of the same name. Its sender waits until it is killed or times
    /// out.
    #[must_use]
    pub fn hold(&self, name: &str, passes: usize, side: Side) -> Hold {
        let (sender, reached) = oneshot::channel();
        self.shared.state().trap = Some(Trap { name: name.to_owned(), passes, side, reached: sender });
        Hold { reached }
    }
}

impl Hold {
    /// Waits until the request has arrived.
    ///
    /// # Errors
    /// Another hold replaced this one, or the proxy was dropped.
    pub async fn reached(self) -> Result<()> {
        self.reached.await.context("the request to hold did not arrive")
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Counts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the request. Returns the trap if it is to be held.
    fn count(&self, name: &str) -> Option<Trap> {
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
        let response = request.send().await?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        for hop in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(hop);
        }
        Ok((status, headers, response.bytes().await?).into_response())
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let trap = shared.count(&name(&head.method, head.uri.path(), &head.headers));
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if let Some(trap) = trap {
        if trap.side == Side::After {
            // The response is dropped, so errors do not matter.
            let _ = shared.forward(head, body).await;
        }
        // The test may have dropped its `Hold`.
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
