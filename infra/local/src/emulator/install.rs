//! The emulator's virtual environment: made once a workspace, safe against concurrent and killed installations.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::workspace::Workspace;

const NAME: &str = "ministack-1.5.33";
const PYTHON: &str = "python3";
const REQUIREMENTS: &str = include_str!("requirements.txt");
const SUPPORTED_PYTHON: &str = "import sys; sys.exit(sys.version_info < (3, 10))";

/// Makes the virtual environment unless it is there already, and returns its Python.
///
/// # Errors
/// One sentence that says what a person has to do: no Python, a Python that is too old, or a failed download.
pub async fn install(workspace: &Workspace) -> Result<PathBuf> {
    let cache = workspace.cache();
    let home = cache.join(NAME);
    let python = home.join("bin/python");
    if is_complete(&home) {
        return Ok(python);
    }
    fs::create_dir_all(&cache).with_context(|| format!("could not create {}", cache.display()))?;
    let _lock = lock(&cache.join(format!("{NAME}.lock"))).await?;
    if !is_complete(&home) {
        remove_leftovers(&cache)?;
        // Built under another name, so that a killed installation is never taken for a finished one.
        let partial = cache.join(format!("{NAME}.partial"));
        build(PYTHON, &partial).await?;
        fs::rename(&partial, &home).context("could not move the new virtual environment into place")?;
    }
    Ok(python)
}

fn is_complete(home: &Path) -> bool {
    fs::read_to_string(marker(home)).is_ok_and(|built_from| built_from == REQUIREMENTS)
}

fn marker(home: &Path) -> PathBuf {
    home.join("requirements.txt")
}

async fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("could not create {}", path.display()))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // Polled rather than waited for, so that the wait can be cancelled.
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(error)) => {
                return Err(error).context("could not lock the virtual environment");
            }
        }
    }
}

fn remove_leftovers(cache: &Path) -> Result<()> {
    for stale in [cache.join(NAME), cache.join(format!("{NAME}.partial"))] {
        match fs::remove_dir_all(&stale) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("could not remove {}", stale.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn build(python: &str, home: &Path) -> Result<()> {
    tracing::info!("installing the AWS emulator, once, into {}", home.display());
    let version = Command::new(python).args(["-c", SUPPORTED_PYTHON]).status().await;
    if !version.map_err(explain_missing)?.success() {
        bail!("the local stack needs Python 3.10 or newer, and python3 is older than that");
    }
    run(Command::new(python).args(["-m", "venv"]).arg(home), "python3 could not make a virtual environment").await?;
    let requirements = marker(home).with_extension("wanted");
    fs::write(&requirements, REQUIREMENTS)?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"]);
    run(pip.arg(&requirements), "pip could not install the AWS emulator").await?;
    fs::rename(&requirements, marker(home)).context("could not finish the virtual environment")
}

fn explain_missing(error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => {
            anyhow::anyhow!("python3 is not on the PATH; the local stack needs Python 3.10 or newer")
        }
        _ => anyhow::Error::new(error).context("could not run python3"),
    }
}

async fn run(command: &mut Command, failure: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(explain_missing)?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let last_line = told.iter().flat_map(|text| text.lines().rev()).find(|line| !line.trim().is_empty());
    bail!("{failure}: {}", last_line.unwrap_or("it gave no reason"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_python_is_one_clear_sentence() {
        let folder = tempfile::tempdir().unwrap();

        let error = build("no-such-python", &folder.path().join("home")).await.unwrap_err();

        assert_eq!(error.to_string(), "python3 is not on the PATH; the local stack needs Python 3.10 or newer");
    }

    #[tokio::test]
    async fn a_python_that_is_too_old_is_named() {
        let folder = tempfile::tempdir().unwrap();

        let error = build("false", &folder.path().join("home")).await.unwrap_err();

        assert_eq!(error.to_string(), "the local stack needs Python 3.10 or newer, and python3 is older than that");
    }

    #[tokio::test]
    async fn a_failed_installation_is_told_by_its_last_line() {
        let error = run(Command::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 1"]), "pip failed").await;

        assert_eq!(error.unwrap_err().to_string(), "pip failed: last");
    }

    #[test]
    fn a_killed_installation_is_not_taken_for_a_finished_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        assert!(!is_complete(folder.path()));

        fs::write(marker(folder.path()), "an older set").unwrap();
        assert!(!is_complete(folder.path()));

        fs::write(marker(folder.path()), REQUIREMENTS).unwrap();
        assert!(is_complete(folder.path()));
    }
}
