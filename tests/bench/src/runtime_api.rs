//! One function process and the Lambda Runtime API that it talks to.

mod process;
mod server;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use process::Process;
use server::{Invocation, Server};

/// How long one invocation may take before the process is killed, as Lambda would.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running function binary with a Runtime API of its own on loopback.
///
/// The process dies when this value is dropped. Should the harness itself be killed, the function's next request
/// for an event fails, and its runtime ends it.
pub struct RuntimeApi {
    server: Arc<Server>,
    events: mpsc::UnboundedSender<Invocation>,
    process: Process,
    started: Instant,
    /// Aborted on drop, which also kills the process.
    _tasks: JoinSet<()>,
}

/// What one invocation came to, and how long it took.
#[derive(Debug)]
pub struct Answer {
    /// What the function said, or why it said nothing.
    pub outcome: Outcome,
    /// From handing over the event to the answer.
    pub latency: Duration,
    /// From starting the process to the answer: for the first event, the cold start.
    pub since_start: Duration,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The handler's answer.
    Response(Value),
    /// The handler failed, or panicked: `{"errorType", "errorMessage"}`.
    Error(Value),
    /// The process ended first; says how.
    Exited(String),
    /// Nothing came within a minute, and the process was killed.
    TimedOut,
}

impl RuntimeApi {
    /// Starts the binary with these variables, and with those that Lambda sets itself; nothing is inherited.
    ///
    /// Does not wait for the function to be ready: the first [`invoke`](Self::invoke) sees the whole cold start.
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// No free port on loopback, or the binary cannot be started.
    pub fn start(binary: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free port on loopback")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (events, receiver) = mpsc::unbounded_channel();

        let mut tasks = JoinSet::new();
        let started = now();
        let server = Arc::new(Server::new(started, receiver));
        tasks.spawn(server::serve(tokio::net::TcpListener::from_std(listener)?, Arc::clone(&server)));
        let process = Process::start(binary, &address.to_string(), environment, &mut tasks)?;
        Ok(Self { server, events, process, started, _tasks: tasks })
    }

    /// Hands over one event and waits for what becomes of it. Events are served first in, first out, one at a time.
    ///
    /// # Errors
    ///
    /// Only when the harness itself fails; a failed function is an [`Outcome`].
    pub async fn invoke(&self, event: &Value) -> Result<Answer> {
        let (answer, outcome) = oneshot::channel();
        let handed_over = now();
        self.events
            .send(Invocation { event: serde_json::to_vec(event)?, answer })
            .ok()
            .context("the runtime API has stopped")?;
        let outcome = tokio::select! {
            biased;
            outcome = outcome => outcome.context("the runtime API has stopped")?,
            how = self.process.exited() => Outcome::Exited(how),
            () = tokio::time::sleep(TIMEOUT) => {
                self.kill().await;
                Outcome::TimedOut
            }
        };
        let answered = now();
        Ok(Answer { outcome, latency: answered - handed_over, since_start: answered - self.started })
    }

    /// Kills the process (`SIGKILL`) and waits until it is gone. An invocation under way ends as [`Outcome::Exited`].
    pub async fn kill(&self) {
        self.process.kill().await;
    }

    /// From starting the process to its first request for an event, once it has made one.
    #[must_use]
    pub fn ready_after(&self) -> Option<Duration> {
        self.server.ready_after()
    }

    /// The process's id while it runs, and after.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// The latest lines that the function wrote, standard output and standard error together.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.process.logs()
    }

    /// The process's resident memory now; `None` where there is no `/proc`, or no process any more.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        self.process.resident_bytes()
    }

    /// The CPU time that the process's threads have used so far, in user mode and in the kernel. A thread that has ended is
    /// not counted. `None` where there is no `/proc`, or the process has ended.
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        self.process.cpu_time()
    }
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: measuring real time is what this crate is for")]
fn now() -> Instant {
    Instant::now()
}
