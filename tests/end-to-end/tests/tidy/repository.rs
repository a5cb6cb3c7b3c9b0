//! The text files of the repository.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// A text file.
pub(crate) struct File {
    /// The path from the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All text files that people write, sorted by path.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the repository") {
            let entry = entry.expect("an entry of the folder").path();
            let path = entry.strip_prefix(&root).expect("is below the root").to_string_lossy().into_owned();
            let name = path.rsplit('/').next().unwrap_or_default();
            let hidden = name.starts_with('.') && ![".ci", ".cargo"].contains(&name);
            if hidden || ["target", "node_modules", "Cargo.lock"].contains(&name) {
                continue;
            }
            match fs::read_to_string(&entry) {
                Ok(text) => files.push(File { path, text }),
                Err(_) if entry.is_dir() => folders.push(entry),
                Err(_) => {} // Not text.
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
});

/// Returns the file at the path.
pub(crate) fn file(path: &str) -> &'static File {
    FILES.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} does not exist"))
}

/// Returns the files below a folder, or all files for an empty one, whose names have the ending.
pub(crate) fn files(folder: &str, ending: &str) -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(move |file| file.path.starts_with(folder) && file.path.ends_with(ending))
}

impl File {
    /// Returns the lines with one of the marks, as places.
    pub(crate) fn places_of(&self, marks: &[impl AsRef<str>]) -> Vec<String> {
        let lines =
            self.text.lines().enumerate().filter(|(_, line)| marks.iter().any(|mark| line.contains(mark.as_ref())));
        lines.map(|(at, _)| self.place(at + 1)).collect()
    }

    /// Returns the place of a line, for a failure's text.
    pub(crate) fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// Returns the first folder of the path.
    pub(crate) fn top_folder(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }
}
