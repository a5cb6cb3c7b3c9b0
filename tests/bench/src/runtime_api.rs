//! A function's process, and the Lambda Runtime API that it polls.

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
pub use process::{cpu_time, peak_bytes};
use server::{Invocation, Server};

/// The time after which an invocation is stopped by killing the process, as Lambda does, if the caller names none.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running function binary with its own Runtime API on loopback.
///
/// The process is killed when this value is dropped. If the harness itself is killed, the function's next request for an event
/// fails, which ends the function.
pub struct RuntimeApi {
    server: Arc<Server>,
    events: mpsc::UnboundedSender<Invocation>,
    process: Process,
    started: Instant,
    /// Aborted on drop, which kills the process too.
    _tasks: JoinSet<()>,
}

/// The outcome and the times of one invocation.
#[derive(Debug)]
pub struct InvocationResult {
    /// The function's response, or the reason why it has none.
    pub outcome: Outcome,
    /// The time from sending the event to the response.
    pub latency: Duration,
    /// The time from starting the process to the response: for the first event, the cold start.
    pub since_start: Duration,
}

/// The end of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The handler's response.
    Response(Value),
    /// The handler failed, or panicked: `{"errorType", "errorMessage"}`.
    Error(Value),
    /// The process ended first, with this exit status or signal.
    Exited(String),
    /// The function did not respond within its timeout, and the process was killed.
    TimedOut,
}

impl RuntimeApi {
    /// Starts the binary with these environment variables and those that Lambda sets. It inherits none.
    ///
    /// Does not wait until the function is ready: the first [`invoke`](Self::invoke) includes the whole cold start.
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Loopback has no free port, or the binary cannot be started.
    pub fn start(binary: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("loopback has no free port")?;
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

    /// Sends one event and waits for its outcome. Events are handled one at a time, in the order of their arrival.
    ///
    /// # Errors
    ///
    /// The harness itself fails. A failure of the function is an [`Outcome`].
    pub async fn invoke(&self, event: &Value) -> Result<InvocationResult> {
        self.invoke_within(event, TIMEOUT).await
    }

    /// Sends one event as [`invoke`](Self::invoke) does, to a function with this timeout.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    pub async fn invoke_within(&self, event: &Value, timeout: Duration) -> Result<InvocationResult> {
        let (sender, outcome) = oneshot::channel();
        let sent = now();
        self.events
            .send(Invocation { event: serde_json::to_vec(event)?, timeout, outcome: sender })
            .ok()
            .context("the Runtime API has stopped")?;
        let outcome = tokio::select! {
            biased;
            outcome = outcome => outcome.context("the Runtime API has stopped")?,
            how = self.process.exited() => Outcome::Exited(how),
            () = tokio::time::sleep(timeout) => {
                self.kill().await;
                Outcome::TimedOut
            }
        };
        let ended = now();
        Ok(InvocationResult { outcome, latency: ended - sent, since_start: ended - self.started })
    }

    /// Kills the process with `SIGKILL` and waits until it has ended. A current invocation ends as [`Outcome::Exited`].
    pub async fn kill(&self) {
        self.process.kill().await;
    }

    /// Returns the time from starting the process to its first request for an event, once it has made one.
    #[must_use]
    pub fn ready_after(&self) -> Option<Duration> {
        self.server.ready_after()
    }

    /// Returns the process's id, also after its end.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// Returns the latest lines that the function wrote to standard output and standard error.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.process.logs()
    }

    /// Returns the current resident memory of the process. `None` on systems without `/proc`, and when the process has ended.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        self.process.resident_bytes()
    }

    /// Returns the highest resident memory since the process began. `None` as in [`Self::resident_bytes`].
    #[must_use]
    pub fn peak_bytes(&self) -> Option<u64> {
        self.process.peak_bytes()
    }

    /// Returns the CPU time that the threads of the process have used so far, in user mode and in the kernel. A thread that has
    /// ended is not counted. `None` on systems without `/proc`, and when the process has ended.
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        self.process.cpu_time()
    }
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: measuring real time is what this crate is for")]
fn now() -> Instant {
    Instant::now()
}
