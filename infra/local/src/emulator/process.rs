//! The emulator's process: started on loopback, waited for, and ended with its owner.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::Instant;

use crate::gateway::taken;

/// What Python runs: a watch over this program, what the emulator's queues lack, and the emulator.
const PROGRAM: &str = concat!(include_str!("supervise.py"), include_str!("sqs.py"), include_str!("run.py"));
const HEALTHY_WITHIN: Duration = Duration::from_secs(60);
const STARTS: usize = 5;

/// How an emulator is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port to listen on; a free one when `None`.
    pub port: Option<u16>,
    /// Where to keep the log; beside the emulator's scratch files, gone with it, when `None`.
    pub log: Option<PathBuf>,
    /// Hold every function to its role's policies, as AWS does; otherwise everything is allowed.
    pub enforce_policies: bool,
}

/// Ends when dropped, or when this program ends for any reason: the supervisor watches its standard input.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    endpoint: String,
    /// Everything the emulator writes to disk, functions' code included.
    scratch: PathBuf,
}

enum Start {
    Healthy,
    /// Another program was faster in taking the port.
    Died,
}

impl Process {
    pub(super) async fn start(python: &Path, options: Options) -> Result<Self> {
        if let Some(port) = options.port {
            let free = TcpListener::bind(("127.0.0.1", port));
            free.map_err(|error| taken(error, port, "the AWS emulator", "--emulator-port"))?;
        }
        let starts = if options.port.is_some() { 1 } else { STARTS };
        let mut log_tail = String::new();
        for _ in 0..starts {
            let port = match options.port {
                Some(port) => port,
                None => free_port()?,
            };
            let scratch = tempfile::Builder::new().prefix("ferry-emulator-").tempdir()?.keep();
            let log = options.log.clone().unwrap_or_else(|| scratch.join("emulator.log"));
            let marker = format!("ferry-{}", uuid::Uuid::new_v4().simple());
            let child = spawn(python, &log, &environment(port, &scratch, &marker, options.enforce_policies))?;
            let endpoint = format!("http://127.0.0.1:{port}");
            let mut process = Self { child, endpoint, scratch };
            match process.until_healthy(&marker).await? {
                Start::Healthy => return Ok(process),
                Start::Died => log_tail = last_line(&log),
            }
        }
        bail!("the AWS emulator did not start: {log_tail}")
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    async fn until_healthy(&mut self, marker: &str) -> Result<Start> {
        let health = format!("{}/_ministack/health", self.endpoint);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let deadline = Instant::now() + HEALTHY_WITHIN;
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(Start::Died);
            }
            let answer = match http.get(&health).send().await {
                Ok(response) => response.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            // The marker tells our emulator from another one that took the port first.
            if answer.contains(marker) {
                return Ok(Start::Healthy);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the AWS emulator was not healthy within {} s", HEALTHY_WITHIN.as_secs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The supervisor kills its whole group at once; this only collects it.
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

fn environment(port: u16, scratch: &Path, marker: &str, enforce_policies: bool) -> Vec<(&'static str, String)> {
    vec![
        ("GATEWAY_PORT", port.to_string()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        // Functions get the emulator's environment; this is how they find it.
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_DEFAULT_REGION", super::REGION.to_owned()),
        ("AWS_REGION", super::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AUTH", enforce_policies.to_string()),
        ("TMPDIR", scratch.display().to_string()),
        ("MINISTACK_VERSION", marker.to_owned()),
        // Listeners on fixed ports that Ferry does not use and that two emulators would fight over.
        ("SFTP_ENABLED", "0".to_owned()),
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("PERSIST_STATE", "0".to_owned()),
    ]
}

fn spawn(python: &Path, log: &Path, environment: &[(&str, String)]) -> Result<Child> {
    let log_file = File::create(log).with_context(|| format!("could not write {}", log.display()))?;
    let mut command = Command::new(python);
    // A PYTHONPATH or AWS_PROFILE of the user's would change what runs; PATH and HOME are all it needs.
    let kept =
        std::env::vars().filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "LANG" | "RUST_BACKTRACE"));
    command
        .args(["-c", PROGRAM])
        .env_clear()
        .envs(kept)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log_file.try_clone()?)
        .stderr(log_file);
    command.spawn().with_context(|| format!("could not run {}", python.display()))
}

fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it gave no reason").to_owned()
}
