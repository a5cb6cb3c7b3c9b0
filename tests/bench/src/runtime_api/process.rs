//! The function's process: started without inherited variables, watched until it ends, killed on request.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// The variables that Lambda sets beside the function's own, and one that keeps the AWS SDK off the network.
const LAMBDA: [(&str, &str); 8] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("TZ", ":UTC"),
];

/// The number of latest log lines that are stored.
const MAX_LINES: usize = 10_000;

/// A child process that a task watches.
pub(super) struct Process {
    pid: Option<u32>,
    kill: Arc<Notify>,
    /// Its exit status or signal, once it has ended.
    exit: watch::Receiver<Option<String>>,
    logs: Arc<Logs>,
}

impl Process {
    /// Starts the binary, and adds the tasks that watch it to `tasks`. Aborting them kills the process.
    pub(super) fn start(
        binary: &Path,
        runtime_api: &str,
        environment: &[(&str, &str)],
        tasks: &mut JoinSet<()>,
    ) -> Result<Self> {
        let mut child = Command::new(binary)
            .env_clear()
            .envs(LAMBDA)
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {}", binary.display()))?;
        let logs = Arc::new(Logs::default());
        if let Some(output) = child.stdout.take() {
            tasks.spawn(collect(output, Arc::clone(&logs)));
        }
        if let Some(output) = child.stderr.take() {
            tasks.spawn(collect(output, Arc::clone(&logs)));
        }
        let pid = child.id();
        let kill = Arc::new(Notify::new());
        let (ended, exit) = watch::channel(None);
        tasks.spawn(watch_over(child, Arc::clone(&kill), ended));
        Ok(Self { pid, kill, exit, logs })
    }

    /// Waits for the end of the process. Returns its exit status or signal.
    pub(super) async fn exited(&self) -> String {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended.ok().and_then(|how| how.clone()).unwrap_or_else(|| "no longer watched".to_owned())
    }

    pub(super) async fn kill(&self) {
        self.kill.notify_one();
        self.exited().await;
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    pub(super) fn logs(&self) -> Vec<String> {
        self.logs.lines().iter().cloned().collect()
    }

    pub(super) fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        memory(&status, "VmRSS:")
    }

    pub(super) fn peak_bytes(&self) -> Option<u64> {
        peak_bytes(self.pid?)
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        cpu_time(self.pid?)
    }
}

/// Returns the highest resident memory of a process since it began. `None` on systems without `/proc`, and when it has ended.
#[must_use]
pub fn peak_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    memory(&status, "VmHWM:")
}

/// Returns the CPU time that the threads of a process have used so far, without those that have ended. `None` as in
/// [`peak_bytes`].
#[must_use]
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    // A thread may end between the listing and the reading.
    let times = threads.filter_map(|thread| {
        let schedstat = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        time_of_thread(&schedstat)
    });
    Some(times.sum())
}

#[derive(Default)]
struct Logs(Mutex<VecDeque<String>>);

impl Logs {
    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        let mut lines = self.lines();
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Owns the child, which is killed when this task is aborted.
async fn watch_over(mut child: Child, kill: Arc<Notify>, ended: watch::Sender<Option<String>>) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => match child.kill().await {
            Ok(()) => child.wait().await,
            Err(failure) => Err(failure),
        },
    };
    ended.send_replace(Some(status.map_or_else(|failure| failure.to_string(), |status| status.to_string())));
}

async fn collect(output: impl AsyncRead + Unpin, logs: Arc<Logs>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        logs.push(line);
    }
}

/// Reads an amount of memory, such as `VmRSS:`, from `/proc/PID/status`.
fn memory(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Reads the first number of `/proc/PID/task/TID/schedstat`: the nanoseconds that the thread ran, in user mode and in the kernel.
fn time_of_thread(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_in_nanoseconds() {
        assert_eq!(time_of_thread("188800980 17516475 390\n"), Some(Duration::from_nanos(188_800_980)));
        assert_eq!(time_of_thread(""), None);
    }

    #[test]
    fn resident_memory_is_read_in_kilobytes() {
        let status = "Name:\techo\nVmHWM:\t    5000 kB\nVmRSS:\t    4096 kB\nThreads:\t1\n";

        assert_eq!(memory(status, "VmRSS:"), Some(4096 * 1024));
        assert_eq!(memory("Name:\tzombie\n", "VmRSS:"), None);
    }

    #[test]
    fn only_the_latest_lines_are_stored() {
        let logs = Logs::default();

        for number in 0..=MAX_LINES {
            logs.push(number.to_string());
        }

        assert_eq!(logs.lines().len(), MAX_LINES);
        assert_eq!(logs.lines().front().map(String::as_str), Some("1"));
    }
}
