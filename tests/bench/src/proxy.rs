//! A proxy on loopback between a function and a service: it counts the requests by name, and holds one on demand. Proxies
//! for several services of one function can count together.

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

/// A request that will be held, unless this value is dropped before the request arrives.
pub struct Hold {
    reached: oneshot::Receiver<()>,
}

/// Changes the body of a request, given its name.
type Edit = Box<dyn Fn(&str, Bytes) -> Bytes + Send + Sync>;

struct Shared {
    target: String,
    client: reqwest::Client,
    state: Arc<Mutex<Counts>>,
    edit: Option<Edit>,
}

#[derive(Default)]
struct Counts {
    by_name: BTreeMap<String, usize>,
    trap: Option<Trap>,
}

struct Trap {
    /// `None` for a request of any name.
    name: Option<String>,
    /// The number of such requests that still pass.
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
        Self::start_with(target, Arc::default(), None).await
    }

    /// Starts a proxy that changes the bodies of the requests: `edit` gets the name that [`Proxy::take_counts`] counts by, and the
    /// body, and returns the body to forward.
    ///
    /// # Errors
    /// Loopback has no free port.
    pub async fn start_editing(
        target: &str,
        edit: impl Fn(&str, Bytes) -> Bytes + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::start_with(target, Arc::default(), Some(Box::new(edit))).await
    }

    /// Starts a proxy for another service of the same function. Both count together, and a hold applies to both.
    ///
    /// # Errors
    /// Loopback has no free port.
    pub async fn start_beside(&self, target: &str) -> Result<Self> {
        Self::start_with(target, Arc::clone(&self.shared.state), None).await
    }

    async fn start_with(target: &str, state: Arc<Mutex<Counts>>, edit: Option<Edit>) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("loopback has no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let shared = Arc::new(Shared { target: target.to_owned(), client, state, edit });
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
        self.set_trap(Some(name.to_owned()), passes, side)
    }

    /// Holds the next request of any name, after `passes` others.
    #[must_use]
    pub fn hold_any(&self, passes: usize, side: Side) -> Hold {
        self.set_trap(None, passes, side)
    }

    fn set_trap(&self, name: Option<String>, passes: usize, side: Side) -> Hold {
        let (sender, reached) = oneshot::channel();
        self.shared.state().trap = Some(Trap { name, passes, side, reached: sender });
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
        let trap = state.trap.as_mut()?;
        if trap.reached.is_closed() || trap.name.as_ref().is_some_and(|held| held != name) {
            return None;
        }
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
    let name = name(&head.method, head.uri.path(), &head.headers);
    let trap = shared.count(&name);
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let body = match &shared.edit {
        Some(edit) => edit(&name, body),
        None => body,
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
