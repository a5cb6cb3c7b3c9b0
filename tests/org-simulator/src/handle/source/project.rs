//! The files of an SFDX project.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;
use crate::api::soap::xml::Element;
use crate::data::crm_data::load::sorted_entries;
use crate::model::faults::fits;

/// The end of the name of a metadata file.
const METADATA: &str = "-meta.xml";

/// `sfdx-project.json`, without the members that have no influence here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    package_directories: Vec<PackageDirectory>,
    #[serde(default)]
    replacements: Vec<Replacement>,
}

#[derive(Deserialize)]
struct PackageDirectory {
    path: PathBuf,
}

/// A string that is replaced before a deployment (Salesforce DX Developer Guide, Replace Strings in Code Before
/// Deploying or Packaging).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    #[serde(alias = "filename")]
    glob: String,
    string_to_replace: Option<String>,
    replace_with_env: Option<String>,
}

/// A metadata file.
#[derive(Debug)]
pub(super) struct MetadataFile {
    /// The path in the project.
    pub(super) path: String,
    /// The kind of metadata, as in the name of the file: `field` for `Region__c.field-meta.xml`.
    pub(super) kind: String,
    /// The name before the kind.
    pub(super) name: String,
    /// The folder's names, from the project's own.
    pub(super) folders: Vec<String>,
    pub(super) root: Element,
}

/// The metadata of an SFDX project, in the order of the paths.
#[derive(Debug)]
pub(crate) struct Project {
    pub(super) files: Vec<MetadataFile>,
    /// Paths of files that are no metadata, and replacements that were not made.
    pub(super) skipped: Vec<String>,
}

impl Project {
    /// Reads the project in a folder; `variable` returns environment variables, for its replacements.
    pub(crate) fn read(dir: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let path = dir.join("sfdx-project.json");
        let manifest: Manifest = serde_json::from_str(&read(&path)?).map_err(|error| invalid(&path, error))?;
        let mut project = Self { files: Vec::new(), skipped: Vec::new() };
        let mut replaced = Vec::new();
        for Replacement { glob, string_to_replace, replace_with_env } in manifest.replacements {
            let (Some(old), Some(name)) = (string_to_replace, replace_with_env) else {
                project.skipped.push(format!(
                    "sfdx-project.json: a replacement in {glob}: only stringToReplace with replaceWithEnv is supported"
                ));
                continue;
            };
            match variable(&name) {
                Some(new) => replaced.push((glob, old, new)),
                None => project.skipped.push(format!("sfdx-project.json: the replacement of {old}: {name} is not set")),
            }
        }
        for directory in &manifest.package_directories {
            for file in files_below(&dir.join(&directory.path))? {
                project.add(dir, &file, &replaced)?;
            }
        }
        Ok(project)
    }

    fn add(&mut self, dir: &Path, file: &Path, replaced: &[(String, String, String)]) -> Result<(), Error> {
        let relative = file.strip_prefix(dir).unwrap_or(file);
        let path = relative.to_string_lossy().replace('\\', "/");
        let Some(stem) = path.strip_suffix(METADATA) else {
            let described = PathBuf::from(format!("{}{METADATA}", file.display()));
            if !described.exists() {
                self.skipped.push(format!("{path}: it is not a metadata file"));
            }
            return Ok(());
        };
        let mut folders: Vec<String> = stem.split('/').map(str::to_owned).collect();
        let last = folders.pop().unwrap_or_default();
        let (name, kind) = last.rsplit_once('.').unwrap_or((&last, ""));
        let mut text = read(file)?;
        for (glob, old, new) in replaced {
            if fits(glob.as_bytes(), path.as_bytes()) {
                text = text.replace(old, new);
            }
        }
        let root = Element::parse(&text).ok_or_else(|| invalid(file, "it is not well-formed XML"))?;
        self.files.push(MetadataFile { kind: kind.to_owned(), name: name.to_owned(), folders, root, path });
        Ok(())
    }
}

fn files_below(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in sorted_entries(dir)? {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        match path.is_dir() {
            _ if hidden => {}
            true => files.extend(files_below(&path)?),
            false => files.push(path),
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read { path: path.display().to_string(), source })
}

fn invalid(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Invalid { what: "SFDX project", reason: format!("{}: {reason}", path.display()) }
}
