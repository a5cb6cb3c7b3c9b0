//! Paths in the source tree.

use std::path::{Path, PathBuf};

/// The Cargo workspace that this crate was built from.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Returns the workspace that contains this source file.
    #[must_use]
    pub fn here() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).unwrap_or(manifest);
        Self { root: root.to_path_buf() }
    }

    /// Returns the folder of the workspace's `Cargo.toml`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of `infra/template.yaml`, the production template.
    #[must_use]
    pub fn template(&self) -> PathBuf {
        self.root.join("infra/template.yaml")
    }

    /// Returns the path of `.ferry`: the emulator's installation, packages and logs. Git ignores it, and it is safe to delete.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join(".ferry")
    }
}
