//! The functions' binaries: built by cargo, packaged as Lambda takes them.

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

/// Builds the workspace and returns its binaries by name.
///
/// All of the workspace is built, as `cargo test --workspace` does, so that neither rebuilds the other's dependencies.
///
/// # Errors
/// When cargo is missing or the build fails; the message has the compiler's first error.
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
        .context("cargo could not be run")?;
    let (messages, diagnostics) = (child.stdout.take(), child.stderr.take());
    let (binaries, error) = tokio::try_join!(binaries(messages), first_error(diagnostics, progress))?;
    if !child.wait().await?.success() {
        let error = error.unwrap_or_else(|| "cargo gave no reason".to_owned());
        bail!("the functions did not build ({error}); `cargo build --workspace` shows all of it");
    }
    Ok(binaries)
}

/// The path of the package with the function's binary, made anew only when the binary is newer.
///
/// # Errors
/// When the binary cannot be read or the package cannot be written.
pub fn package(workspace: &Workspace, name: &str, binary: &Path) -> Result<PathBuf> {
    let folder = workspace.cache().join("functions");
    fs::create_dir_all(&folder)?;
    let package = folder.join(format!("{name}.zip"));
    if !is_newer(&package, binary) {
        // Written under another name, so that a killed start leaves no half package.
        let partial = folder.join(format!("{name}.{}.partial", Uuid::new_v4()));
        write_package(binary, &partial).with_context(|| format!("could not package {name}"))?;
        fs::rename(&partial, &package)?;
    }
    Ok(package)
}

async fn binaries(messages: Option<impl AsyncRead + Unpin>) -> Result<BTreeMap<String, PathBuf>> {
    let mut lines = BufReader::new(messages.context("cargo has no output")?).lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next_line().await? {
        found.extend(binary(&line));
    }
    Ok(found)
}

fn binary(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let executable = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), PathBuf::from(executable)))
}

async fn first_error(diagnostics: Option<impl AsyncRead + Unpin>, progress: &Progress) -> Result<Option<String>> {
    let mut lines = BufReader::new(diagnostics.context("cargo has no output")?).lines();
    let mut first = None;
    while let Some(line) = lines.next_line().await? {
        match line.trim_start().split_once(' ') {
            Some(("Compiling", package)) => progress.detail("building the functions", package),
            Some(("Blocking", _)) => progress.stage("waiting for another cargo to finish"),
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
    // Symbols make up half of a debug binary; where there is no `strip`, they are kept.
    let strip = std::process::Command::new("strip").arg("-o").arg(&stripped).arg(binary).stderr(Stdio::null()).status();
    let source = if strip.is_ok_and(|status| status.success()) { stripped.as_path() } else { binary };
    let mut archive = zip::ZipWriter::new(File::create(package)?);
    // Not compressed: it goes to the same machine.
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
        assert_eq!(binary("no json"), None);
    }

    #[tokio::test]
    async fn a_failed_build_is_told_by_its_first_error() {
        let diagnostics =
            b"   Compiling a\nwarning: unused\nerror[E0425]: no `x`\n --> a.rs\nerror: could not compile `a`\n";

        let error = first_error(Some(&diagnostics[..]), &Progress::Silent).await.unwrap();

        assert_eq!(error.as_deref(), Some("error[E0425]: no `x`"));
    }

    #[test]
    fn a_package_holds_the_executable_bootstrap() {
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
