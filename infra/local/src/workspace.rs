//! Where things are in the source tree.

use std::path::{Path, PathBuf};

/// The workspace this crate was built from.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace of this very source file.
    #[must_use]
    pub fn here() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).unwrap_or(manifest);
        Self { root: root.to_path_buf() }
    }

    /// The folder that holds the workspace's `Cargo.toml`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The production template.
    #[must_use]
    pub fn template(&self) -> PathBuf {
        self.root.join("infra/template.yaml")
    }

    /// What the local stack keeps between runs; ignored by git and safe to delete.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join(".ferry")
    }
}
