//! The emulator's process: starts it on loopback, waits until it is healthy, and ends it with this program.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::Instant;

use crate::gateway::listen_error;

/// The Python program that runs ministack: the supervisor, the additions to its SQS, API Gateway and IAM, and ministack itself.
const MINISTACK: &str = concat!(
    include_str!("supervise.py"),
    include_str!("sqs.py"),
    include_str!("jwt.py"),
    include_str!("iam.py"),
    include_str!("run.py")
);
/// The Python program that runs moto.
const MOTO: &str = concat!(include_str!("supervise.py"), include_str!("moto.py"));
/// The time limit for the emulator to become healthy.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(60);
/// Attempts to start on a free port, in case another program takes the port first.
const MAX_STARTS: usize = 5;

/// The region of the emulated account.
pub const REGION: &str = "us-east-1";

/// An emulator of AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Program {
    /// ministack: the local stack and the tests.
    #[default]
    Ministack,
    /// moto: a second opinion on what the store expects of DynamoDB, Secrets Manager, SQS and EventBridge. It runs no functions.
    Moto,
}

/// The options for starting an emulator.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The emulator.
    pub program: Program,
    /// The port to listen on. `None` selects a free port.
    pub port: Option<u16>,
    /// The path of the log. `None` puts it among the emulator's temporary files, which are deleted with it.
    pub log: Option<PathBuf>,
    /// Enforce the IAM policies of every function's role, as AWS does. Otherwise every call is allowed.
    pub enforce_policies: bool,
}

/// The running process. It ends when this value is dropped, or when this program ends for any reason, because the supervisor
/// watches its standard input.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    endpoint: String,
    /// The folder of everything that the emulator writes to disk, including the functions' code.
    temporary: PathBuf,
}

enum Start {
    Healthy,
    /// The process ended, most likely because another program took the port first.
    Exited,
}

impl Process {
    pub(super) async fn start(python: &Path, options: Options) -> Result<Self> {
        if let Some(port) = options.port {
            let free = TcpListener::bind(("127.0.0.1", port));
            free.map_err(|error| listen_error(error, port, "the AWS emulator", "--emulator-port"))?;
        }
        let starts = if options.port.is_some() { 1 } else { MAX_STARTS };
        let mut reason = String::new();
        for _ in 0..starts {
            let port = match options.port {
                Some(port) => port,
                None => free_port()?,
            };
            let temporary = tempfile::Builder::new().prefix("ferry-emulator-").tempdir()?.keep();
            let log = options.log.clone().unwrap_or_else(|| temporary.join("emulator.log"));
            let marker = format!("ferry-{}", uuid::Uuid::new_v4().simple());
            let environment = environment(port, &temporary, &marker, options.enforce_policies);
            let child = spawn(python, options.program, &log, &environment)?;
            let endpoint = format!("http://127.0.0.1:{port}");
            let mut process = Self { child, endpoint, temporary };
            match process.wait_until_healthy(options.program, &marker).await? {
                Start::Healthy => return Ok(process),
                Start::Exited => reason = last_line(&log),
            }
        }
        bail!("could not start the AWS emulator: {reason}")
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Waits for a health response. That of ministack contains the marker, which tells this emulator from another one on the same
    /// port.
    async fn wait_until_healthy(&mut self, program: Program, marker: &str) -> Result<Start> {
        let (path, marker) = match program {
            Program::Ministack => ("/_ministack/health", marker),
            Program::Moto => ("/moto-api/", "Moto"),
        };
        let health = format!("{}{path}", self.endpoint);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let deadline = Instant::now() + HEALTH_TIMEOUT;
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(Start::Exited);
            }
            let body = match http.get(&health).send().await {
                Ok(response) => response.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if body.contains(marker) {
                return Ok(Start::Healthy);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("could not start the AWS emulator: it was not healthy within {} s", HEALTH_TIMEOUT.as_secs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The closed pipe makes the supervisor kill its process group; this only reaps the child.
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("could not find a free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

fn environment(port: u16, temporary: &Path, marker: &str, enforce_policies: bool) -> Vec<(&'static str, String)> {
    vec![
        ("GATEWAY_PORT", port.to_string()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        // The functions inherit the emulator's environment and send their AWS calls to this URL.
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AUTH", enforce_policies.to_string()),
        ("TMPDIR", temporary.display().to_string()),
        // The health response contains the version.
        ("MINISTACK_VERSION", marker.to_owned()),
        // Ferry does not use these servers, and their fixed ports would conflict between two emulators.
        ("SFTP_ENABLED", "0".to_owned()),
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("PERSIST_STATE", "0".to_owned()),
    ]
}

fn spawn(python: &Path, program: Program, log: &Path, environment: &[(&str, String)]) -> Result<Child> {
    let log_file = File::create(log).with_context(|| format!("could not write {}", log.display()))?;
    let mut command = Command::new(python);
    // Other variables, such as PYTHONPATH or AWS_PROFILE, could change how the emulator runs.
    let inherited =
        std::env::vars().filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "LANG" | "RUST_BACKTRACE"));
    command
        .args(["-c", if program == Program::Moto { MOTO } else { MINISTACK }])
        .env_clear()
        .envs(inherited)
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
    last.unwrap_or("its log is empty").to_owned()
}
