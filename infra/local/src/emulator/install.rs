//! Installs an emulator into a Python virtual environment, once for each workspace. Safe to run concurrently and to interrupt.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::Program;
use crate::workspace::Workspace;

const PYTHON: &str = "python3";
/// Exits with 0 on a supported Python version.
const SUPPORTED_PYTHON: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// The packages of an emulator.
#[derive(Clone, Copy)]
struct Packages {
    /// The folder's name, with the version in `requirements`.
    name: &'static str,
    requirements: &'static str,
}

impl Packages {
    fn of(program: Program) -> Self {
        match program {
            Program::Ministack => Self { name: "ministack-1.5.33", requirements: include_str!("requirements.txt") },
            Program::Moto => Self { name: "moto-5.2.5", requirements: include_str!("requirements-moto.txt") },
        }
    }
}

/// Creates the virtual environment if it does not exist, and returns the path of its Python.
///
/// # Errors
/// If Python is missing or older than 3.11, or a package cannot be downloaded. The message is one line that says what to do.
pub async fn install(workspace: &Workspace, program: Program) -> Result<PathBuf> {
    let Packages { name, requirements } = Packages::of(program);
    let cache = workspace.cache();
    let home = cache.join(name);
    let python = home.join("bin/python");
    if is_complete(&home, requirements) {
        return Ok(python);
    }
    fs::create_dir_all(&cache).with_context(|| format!("could not create {}", cache.display()))?;
    let _lock = lock(&cache.join(format!("{name}.lock"))).await?;
    if !is_complete(&home, requirements) {
        // Renamed when complete, so that an interrupted installation is not used.
        let partial = cache.join(format!("{name}.partial"));
        remove_leftovers(&[&home, &partial])?;
        build(PYTHON, &partial, requirements).await?;
        fs::rename(&partial, &home).context("could not rename the new virtual environment")?;
    }
    Ok(python)
}

/// Returns true if the environment was built from these requirements.
fn is_complete(home: &Path, requirements: &str) -> bool {
    fs::read_to_string(marker(home)).is_ok_and(|built_from| built_from == requirements)
}

/// Returns the path of the file that is written last, with the requirements that the environment was built from.
fn marker(home: &Path) -> PathBuf {
    home.join("requirements.txt")
}

async fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("could not create {}", path.display()))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // Polled, because a blocking lock could not be cancelled.
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(error)) => {
                return Err(error).context("could not lock the virtual environment");
            }
        }
    }
}

fn remove_leftovers(leftovers: &[&Path]) -> Result<()> {
    for stale in leftovers {
        match fs::remove_dir_all(stale) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("could not remove {}", stale.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn build(python: &str, home: &Path, wanted: &str) -> Result<()> {
    tracing::info!("installing the AWS emulator into {}", home.display());
    let version = Command::new(python).args(["-c", SUPPORTED_PYTHON]).status().await;
    if !version.map_err(python_error)?.success() {
        bail!("could not install the AWS emulator: python3 is too old; install Python 3.11 or newer");
    }
    run(Command::new(python).args(["-m", "venv"]).arg(home), "create the virtual environment").await?;
    let requirements = marker(home).with_extension("wanted");
    fs::write(&requirements, wanted)?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"]);
    run(pip.arg(&requirements), "install the AWS emulator with pip").await?;
    fs::rename(&requirements, marker(home)).context("could not complete the virtual environment")
}

fn python_error(error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => {
            anyhow::anyhow!(
                "could not install the AWS emulator: python3 is not on the PATH; install Python 3.11 or newer"
            )
        }
        _ => anyhow::Error::new(error).context("could not run python3"),
    }
}

/// Runs a command. An error has the last line that the command printed.
///
/// `operation` is an infinitive that reads after "could not": "create the virtual environment".
async fn run(command: &mut Command, operation: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(python_error)?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let last_line = printed.iter().flat_map(|text| text.lines().rev()).find(|line| !line.trim().is_empty());
    bail!("could not {operation}: {}", last_line.unwrap_or("the command printed no error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_for_a_missing_python_says_what_to_install() {
        let folder = tempfile::tempdir().unwrap();

        let error = build("no-such-python", &folder.path().join("home"), "").await.unwrap_err();

        let expected = "could not install the AWS emulator: python3 is not on the PATH; install Python 3.11 or newer";
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn the_error_for_an_old_python_says_what_to_install() {
        let folder = tempfile::tempdir().unwrap();

        let error = build("false", &folder.path().join("home"), "").await.unwrap_err();

        let expected = "could not install the AWS emulator: python3 is too old; install Python 3.11 or newer";
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn a_failed_command_reports_its_last_line() {
        let error = run(Command::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 1"]), "install a").await;

        assert_eq!(error.unwrap_err().to_string(), "could not install a: last");
    }

    #[test]
    fn an_interrupted_installation_is_not_complete() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        assert!(!is_complete(folder.path(), "the set"));

        fs::write(marker(folder.path()), "an older set").unwrap();
        assert!(!is_complete(folder.path(), "the set"));

        fs::write(marker(folder.path()), "the set").unwrap();
        assert!(is_complete(folder.path(), "the set"));
    }
}
