//! The file in which a realm is saved: JSON, which is replaced as a whole or not at all.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SavedRealm;
use crate::Error;

const FORMAT: &str = "org-simulator state";
/// The version of the format, raised when older files can no longer be read.
const VERSION: u32 = 1;

/// The beginning of the file, which identifies its format.
#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    head: Head,
    realm: &'a SavedRealm,
}

#[derive(Deserialize)]
struct Read {
    realm: SavedRealm,
}

fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::State { path: path.display().to_string(), reason: reason.into() }
}

/// Writes the state to a temporary file, which replaces the target when it is complete.
pub(crate) fn write(path: &Path, realm: &SavedRealm) -> Result<(), Error> {
    let part = beside(path);
    let written = write_to(&part, realm).and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        // A temporary file that cannot be removed after a failed attempt does no harm.
        let _ = fs::remove_file(&part);
        refused(path, error.to_string())
    })
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

fn write_to(path: &Path, realm: &SavedRealm) -> std::io::Result<()> {
    let mut file = BufWriter::new(private(path)?);
    let head = Head { format: FORMAT.to_owned(), version: VERSION };
    serde_json::to_writer(&mut file, &Written { head, realm })?;
    file.flush()?;
    file.into_inner()?.sync_all()
}

/// Creates a file that only its owner can read, because it holds tokens and secrets.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads a file; `None` when it does not exist. A file that cannot be parsed is not changed.
pub(crate) fn read(path: &Path) -> Result<Option<SavedRealm>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(path, error.to_string())),
    };
    let head: Head =
        serde_json::from_str(&text).map_err(|_| refused(path, "it is not a saved state, or is damaged"))?;
    if head.format != FORMAT {
        return Err(refused(path, "it is not a saved state"));
    }
    if head.version != VERSION {
        return Err(refused(
            path,
            format!("it has version {}, and this program reads version {VERSION}", head.version),
        ));
    }
    let read: Read = serde_json::from_str(&text).map_err(|error| refused(path, format!("it is damaged: {error}")))?;
    if read.realm.orgs.is_empty() {
        return Err(refused(path, "it has no org"));
    }
    Ok(Some(read.realm))
}
