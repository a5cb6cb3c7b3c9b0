//! Builds the functions' binaries with cargo and packages them for Lambda.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use uuid::Uuid;
use zip::write::SimpleFileOptions;

use crate::progress::Progress;
use crate::workspace::Workspace;

/// Builds the workspace and returns the paths of its binaries by name.
///
/// Builds the whole workspace, as `cargo test --workspace` does, so that the two commands share one build of the dependencies.
///
/// # Errors
/// If cargo is missing or the build fails. The message has the compiler's first error.
pub async fn build(workspace: &Workspace, progress: &Progress) -> Result<BTreeMap<String, PathBuf>> {
    progress.stage("building the functions");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args(["build", "--workspace", "--message-format=json-render-diagnostics"])
        .current_dir(workspace.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("could not run cargo")?;
    let (messages, diagnostics) = (child.stdout.take(), child.stderr.take());
    let (binaries, error) = tokio::try_join!(binaries(messages), first_error(diagnostics, progress))?;
    if !child.wait().await?.success() {
        let error = error.unwrap_or_else(|| "cargo printed no error".to_owned());
        bail!("could not build the functions: {error}; run `cargo build --workspace` to see all errors");
    }
    Ok(binaries)
}

/// Writes a function's deployment package (a zip file with the binary as `bootstrap`) and returns its path.
///
/// Keeps a package that is newer than the binary.
///
/// # Errors
/// If the binary cannot be read or the package cannot be written.
pub fn package(workspace: &Workspace, name: &str, binary: &Path) -> Result<PathBuf> {
    let folder = workspace.cache().join("functions");
    fs::create_dir_all(&folder)?;
    let package = folder.join(format!("{name}.zip"));
    if !is_newer(&package, binary) {
        // Renamed when complete, so that an interrupted run never leaves a partial package under this name.
        let partial = folder.join(format!("{name}.{}.partial", Uuid::new_v4()));
        write_package(binary, &partial).with_context(|| format!("could not package the function {name}"))?;
        fs::rename(&partial, &package)?;
    }
    Ok(package)
}

async fn binaries(messages: Option<impl AsyncRead + Unpin>) -> Result<BTreeMap<String, PathBuf>> {
    let mut lines = BufReader::new(messages.context("could not read the output of cargo: it is not piped")?).lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next_line().await? {
        found.extend(binary(&line));
    }
    Ok(found)
}

/// Reads a binary's name and path from a line of cargo's JSON messages.
fn binary(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let executable = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), PathBuf::from(executable)))
}

/// Shows what cargo compiles, and returns the first line of the first error.
async fn first_error(diagnostics: Option<impl AsyncRead + Unpin>, progress: &Progress) -> Result<Option<String>> {
    let mut lines = BufReader::new(diagnostics.context("could not read the output of cargo: it is not piped")?).lines();
    let mut first = None;
    while let Some(line) = lines.next_line().await? {
        match line.trim_start().split_once(' ') {
            Some(("Compiling", package)) => progress.detail("building the functions", package),
            Some(("Blocking", _)) => progress.stage("waiting for another cargo process"),
            _ if first.is_none() && line.starts_with("error") => first = Some(line),
            _ => {}
        }
    }
    Ok(first)
}

fn is_newer(package: &Path, binary: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    matches!((modified(package), modified(binary)), (Ok(package), Ok(binary)) if package > binary)
}

fn write_package(binary: &Path, package: &Path) -> Result<()> {
    let stripped = package.with_extension("stripped");
    // Symbols are half of a debug binary. Without the `strip` command they stay in.
    let strip = std::process::Command::new("strip").arg("-o").arg(&stripped).arg(binary).stderr(Stdio::null()).status();
    let source = if strip.is_ok_and(|status| status.success()) { stripped.as_path() } else { binary };
    let mut archive = zip::ZipWriter::new(File::create(package)?);
    // Not compressed, because the package is unpacked on the same machine.
    let options =
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).unix_permissions(0o755);
    archive.start_file("bootstrap", options)?;
    io::copy(&mut File::open(source)?, &mut archive)?;
    archive.finish()?;
    if stripped.exists() {
        fs::remove_file(&stripped)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_read_from_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"onboarding"},"executable":"/t/onboarding"}"#;

        assert_eq!(binary(line), Some(("onboarding".to_owned(), PathBuf::from("/t/onboarding"))));
        assert_eq!(binary(r#"{"reason":"compiler-artifact","target":{"name":"store"},"executable":null}"#), None);
        assert_eq!(binary("not JSON"), None);
    }

    #[tokio::test]
    async fn a_failed_build_reports_its_first_error() {
        let diagnostics =
            b"   Compiling a\nwarning: unused\nerror[E0425]: no `x`\n --> a.rs\nerror: could not compile `a`\n";

        let error = first_error(Some(&diagnostics[..]), &Progress::Silent).await.unwrap();

        assert_eq!(error.as_deref(), Some("error[E0425]: no `x`"));
    }

    #[test]
    fn a_package_contains_the_executable_bootstrap() {
        let folder = tempfile::tempdir().unwrap();
        let (script, package) = (folder.path().join("f"), folder.path().join("f.zip"));
        fs::write(&script, "#!/bin/sh\n").unwrap();

        write_package(&script, &package).unwrap();

        let mut archive = zip::ZipArchive::new(File::open(&package).unwrap()).unwrap();
        let bootstrap = archive.by_name("bootstrap").unwrap();
        assert_eq!(bootstrap.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        assert_eq!(bootstrap.size(), 10);
    }
}
