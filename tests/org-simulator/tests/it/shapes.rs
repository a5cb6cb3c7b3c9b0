//! The simulator's responses beside recorded ones: whatever a recording has, the response has, with the same JSON type.
//!
//! Each module covers one folder of recordings. Its table names every file of the folder, and the request or the test that the
//! file is compared by.

mod bulk;
mod notes;
mod oauth;
mod rest;
mod ui_api;

use serde_json::{Value, json};

use crate::support::{Answer, Scene, recorded};

/// The response that a recording is compared with.
enum Comparison {
    /// The response to a GET of this path below the API version. The keys named may be missing from it.
    Get(&'static str, &'static [&'static str]),
    /// The response to a query for the fields of the recorded rows, followed by this text. The fields named do not exist in the
    /// simulated org.
    Rows(&'static str, &'static [&'static str]),
    /// The response to this query. Its rows have the recorded keys and no others.
    Query(&'static str),
    /// The responses in the test with this name.
    ByTest(&'static str),
}
use Comparison::{ByTest, Get, Query, Rows};

/// A folder of recordings.
struct Folder {
    /// Its path below the folder of all recordings.
    path: &'static str,
    /// The table of its module.
    recordings: &'static [(&'static str, Comparison)],
    /// The text of its module.
    source: &'static str,
}

const FOLDERS: [Folder; 12] = [
    Folder { path: "bulk", recordings: bulk::RECORDINGS, source: include_str!("shapes/bulk.rs") },
    Folder { path: "notes", recordings: notes::RECORDINGS, source: include_str!("shapes/notes.rs") },
    Folder { path: "oauth", recordings: oauth::RECORDINGS, source: include_str!("shapes/oauth.rs") },
    Folder { path: "rest", recordings: rest::RECORDINGS, source: include_str!("shapes/rest.rs") },
    Folder {
        path: "rest/collections",
        recordings: rest::collections::RECORDINGS,
        source: include_str!("shapes/rest/collections.rs"),
    },
    Folder {
        path: "rest/composite",
        recordings: rest::composite::RECORDINGS,
        source: include_str!("shapes/rest/composite.rs"),
    },
    Folder {
        path: "rest/describe",
        recordings: rest::describe::RECORDINGS,
        source: include_str!("shapes/rest/describe.rs"),
    },
    Folder { path: "rest/errors", recordings: rest::errors::RECORDINGS, source: include_str!("shapes/rest/errors.rs") },
    Folder {
        path: "rest/package-install",
        recordings: rest::package_install::RECORDINGS,
        source: include_str!("shapes/rest/package_install.rs"),
    },
    Folder { path: "rest/query", recordings: rest::query::RECORDINGS, source: include_str!("shapes/rest/query.rs") },
    Folder {
        path: "rest/records",
        recordings: rest::records::RECORDINGS,
        source: include_str!("shapes/rest/records.rs"),
    },
    Folder { path: "ui-api", recordings: ui_api::RECORDINGS, source: include_str!("shapes/ui_api.rs") },
];

/// The module whose tests compare the recordings of Bulk API 1.0.
const BULK_V1: &str = include_str!("bulk_v1.rs");

fn recordings() -> impl Iterator<Item = &'static (&'static str, Comparison)> {
    FOLDERS.iter().flat_map(|folder| folder.recordings)
}

#[test]
fn every_recording_is_in_the_table_of_its_folder() {
    for folder in &FOLDERS {
        for (file, _) in folder.recordings {
            let parent = file.rsplit_once('/').map(|(parent, _)| parent);
            assert_eq!(parent, Some(folder.path), "{file}");
        }
    }
    let Some(root) = recorded("SOURCES.md") else { return };
    let root = root.parent().unwrap().to_owned();
    let mut found = Vec::new();
    let mut folders: Vec<_> = ["rest", "bulk", "ui-api", "oauth", "notes"].map(|name| root.join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    let mut listed: Vec<&str> = recordings().map(|(file, _)| *file).collect();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn the_tests_that_the_tables_name_are_there() {
    let sources = || FOLDERS.iter().map(|folder| folder.source).chain([BULK_V1]);
    for (file, compared) in recordings() {
        if let ByTest(test) = compared {
            let head = format!("async fn {test}(");
            assert!(sources().any(|source| source.contains(&head)), "{file}: no test {test}");
        }
    }
}

/// Keys that the authors of some recordings added to them.
const ADDED: [&str; 2] = ["debug", "query"];

#[tokio::test]
async fn responses_have_the_recorded_keys_and_types() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    for (file, compared) in recordings() {
        let path = match compared {
            Get(path, _) => (*path).to_owned(),
            Query(soql) => query_path(soql),
            Rows(rest, absent) => query_path(&query_of(&read(file).unwrap(), rest, absent)),
            _ => continue,
        };
        let response = scene.get(&path).await;
        assert_eq!(response.status, 200, "{file}: {}", response.body);
        let mut theirs = read(file).unwrap();
        if let Value::Object(map) = &mut theirs {
            map.retain(|key, _| !ADDED.contains(&key.as_str()));
        }
        let missing: &[&str] = match compared {
            Get(_, missing) | Rows(_, missing) => missing,
            _ => &[],
        };
        assert_shape(&response.body, &theirs, file, missing);
        if !matches!(compared, Get(..)) {
            assert_rows(&response.body["records"], &theirs["records"], file);
        }
    }
}

/// Reads a recording: its response body, where it has both request and response.
fn read(path: &str) -> Option<Value> {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(recorded(path)?).unwrap()).unwrap();
    Some(json.pointer("/response/body").cloned().unwrap_or(json))
}

fn query_path(soql: &str) -> String {
    let form = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect::<String>();
    format!("query?q={form}")
}

/// Returns a query for the fields of the first recorded row.
fn query_of(recording: &Value, rest: &str, absent: &[&str]) -> String {
    let row = recording["records"][0].as_object().unwrap();
    let fields: Vec<&str> =
        row.keys().map(String::as_str).filter(|key| *key != "attributes" && !absent.contains(key)).collect();
    format!("SELECT {} {rest}", fields.join(", "))
}

/// Checks that `ours` has every key of `theirs` but the optional ones, with the same JSON type. Only the first elements of lists
/// are compared, and null matches every type.
fn assert_shape(ours: &Value, theirs: &Value, at: &str, optional: &[&str]) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs.iter().filter(|(key, _)| !optional.contains(&key.as_str())) {
                let mine = ours.get(key).unwrap_or_else(|| panic!("{at}.{key} is missing"));
                assert_shape(mine, value, &format!("{at}.{key}"), optional);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                assert_shape(ours, theirs, &format!("{at}[0]"), optional);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (ours, theirs) => {
            assert_eq!(std::mem::discriminant(ours), std::mem::discriminant(theirs), "{at}: {ours} {theirs}")
        }
    }
}

/// Checks that the first of our rows has no key that the first recorded row does not have.
fn assert_rows(ours: &Value, theirs: &Value, at: &str) {
    let (Some(ours), Some(theirs)) = (ours[0].as_object(), theirs[0].as_object()) else { return };
    let more: Vec<&String> = ours.keys().filter(|key| !theirs.contains_key(*key)).collect();
    assert!(more.is_empty(), "{at}: {more:?}");
}

/// Sends the recorded request, with `body` in place of its own if there is one, and compares the response with the recorded one.
async fn assert_replayed(scene: &Scene, file: &str, path: &str, body: Option<Value>) -> Answer {
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(recorded(file).unwrap()).unwrap()).unwrap();
    let method = whole["request"]["method"].as_str().unwrap().parse().unwrap();
    let body = body.or_else(|| whole["request"].get("body").cloned());
    let response = scene.call(method, path, body).await;
    assert_eq!(json!(response.status), whole["response"]["status"], "{file}: {}", response.body);
    if response.status != 204 {
        assert_shape(&response.body, &whole["response"]["body"], file, &[]);
        assert_rows(&json!([response.body]), &json!([whole["response"]["body"]]), file);
    }
    response
}
