//! Checks of the Markdown documents: their links resolve, the tests that they name exist, and the map stays short.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The largest size of ARCHITECTURE.md, in bytes: a reader should take in the map at once.
const MAX_MAP_BYTES: u64 = 10_240;

#[test]
fn links_of_documents_resolve() {
    let mut broken = Vec::new();
    let mut links = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links_of(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            let has_anchor = || anchors_of(&fs::read_to_string(&target).unwrap_or_default()).contains(anchor);
            if !target.exists() || (!anchor.is_empty() && !has_anchor()) {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(links > 20, "only {links} links were found: the check reads no documents");
    assert!(broken.is_empty(), "repair these links:\n{}", broken.join("\n"));
}

#[test]
fn tests_that_documents_name_exist() {
    let functions: BTreeSet<String> = sources().iter().flat_map(|source| functions_of(source)).collect();
    let mut missing = Vec::new();
    let mut named = 0;
    // Other pages have codes of the same form, but name no tests; and some members of events have it.
    let excluded = ["CHANGELOG.md", "docs/problems.md", "tests/org-simulator/README.md"].map(|page| root().join(page));
    let members = ["connect_url_expires_at"];
    for document in documents().into_iter().filter(|document| !excluded.contains(document)) {
        let text = fs::read_to_string(&document).unwrap();
        for name in test_names_of(&text) {
            named += 1;
            if !functions.contains(&name) && !members.contains(&name.as_str()) {
                missing.push(format!("{}: {name}", document.display()));
            }
        }
    }
    assert!(named > 40, "only {named} names of tests were found: the check reads no documents");
    assert!(missing.is_empty(), "no test has these names:\n{}", missing.join("\n"));
}

#[test]
fn each_page_is_in_the_list_of_pages() {
    let list = fs::read_to_string(root().join("docs/README.md")).unwrap();
    let listed: BTreeSet<String> = links_of(&list).collect();
    let pages = documents().into_iter().filter(|page| page.parent() == Some(&root().join("docs")));
    let names = pages.map(|page| page.file_name().unwrap().to_string_lossy().into_owned());
    let unlisted: Vec<String> = names.filter(|name| name != "README.md" && !listed.contains(name)).collect();
    assert!(unlisted.is_empty(), "list these pages in docs/README.md: {unlisted:?}");
}

#[test]
fn the_map_is_short() {
    let bytes = fs::metadata(root().join("ARCHITECTURE.md")).unwrap().len();
    assert!(bytes < MAX_MAP_BYTES, "ARCHITECTURE.md has {bytes} bytes: move details to docs/");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// Returns the repository's Markdown documents.
fn documents() -> Vec<PathBuf> {
    files("md")
}

/// Returns the texts of all Rust files.
fn sources() -> Vec<String> {
    files("rs").iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}

/// Returns the targets of `[text](target)`, outside of code blocks.
fn links_of(text: &str) -> impl Iterator<Item = String> {
    let prose: String = text.split("```").step_by(2).collect();
    let targets = prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()));
    targets.collect::<Vec<_>>().into_iter()
}

/// Returns the anchors of a document's headings, by GitHub's rule.
fn anchors_of(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let anchor = heading.to_lowercase().replace(' ', "-");
            anchor.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
        })
        .collect()
}

/// Returns the names in backticks that have the form of a test's name: four or more words joined by `_`.
fn test_names_of(text: &str) -> impl Iterator<Item = String> {
    let is_name = |name: &&str| {
        name.matches('_').count() >= 3
            && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    };
    let names: Vec<String> = text.split('`').skip(1).step_by(2).filter(is_name).map(str::to_owned).collect();
    names.into_iter()
}

fn functions_of(source: &str) -> impl Iterator<Item = String> {
    source.split("fn ").skip(1).filter_map(|rest| Some(rest.split_once('(')?.0.split('<').next()?.trim().to_owned()))
}
