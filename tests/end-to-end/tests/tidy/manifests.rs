//! Rules about the packages' manifests.

use std::sync::LazyLock;

use toml::{Table, Value};

use crate::repository::{File, file, files};
use crate::{Names, check};

/// Dependencies of the package itself, and those that only its tests have.
const NORMAL: [&str; 2] = ["dependencies", "build-dependencies"];
const DEVELOPMENT: [&str; 1] = ["dev-dependencies"];

#[test]
fn packages_are_named_after_their_folder() {
    let renamed = |manifest: &Manifest<'_>| {
        let named = manifest.table["package"]["name"].as_str() == Some(manifest.package());
        if named { Vec::new() } else { vec![manifest.file.path.clone()] }
    };
    check("give the package its folder's name", MANIFESTS.iter(), renamed);
}

/// Only the scenarios (`tests/end-to-end`) may use every crate.
#[test]
fn dependencies_run_one_way() {
    let ours: Names = MANIFESTS.iter().map(|manifest| manifest.package().to_owned()).collect();
    let shared: Vec<_> = MANIFESTS.iter().filter(|manifest| manifest.is_in("shared")).map(Manifest::package).collect();
    let edges = MANIFESTS.iter().filter(|manifest| manifest.package() != "end-to-end").flat_map(|manifest| {
        let sections = [(false, manifest.dependencies(&NORMAL)), (true, manifest.dependencies(&DEVELOPMENT))];
        let edges =
            sections.into_iter().flat_map(|(in_tests, used)| used.into_iter().map(move |used| (in_tests, used)));
        edges.map(move |(in_tests, used)| (manifest, in_tests, used))
    });
    let wrong = |(manifest, in_tests, used): (&Manifest<'_>, bool, String)| {
        let (may_use, and_in_tests): (&[&str], &[&str]) = match (manifest.file.top_folder(), manifest.package()) {
            ("functions", _) => (&shared, &["bench", "local", "org-simulator", "secret-scan", "harness"]),
            (_, "runtime") => (&["salesforce", "store"], &["local", "org-simulator"]),
            (_, "store") => (&["salesforce"], &["local"]),
            (_, "salesforce") => (&[], &["org-simulator"]),
            // A flow that several functions share. It uses no other flow.
            ("shared", _) => (&["runtime", "salesforce", "store"], &[]),
            (_, "ferry") => (&["connecting", "local", "runtime", "salesforce", "store"], &["org-simulator", "harness"]),
            (_, "harness") => {
                (&["bench", "local", "org-simulator", "runtime", "salesforce", "secret-scan", "store", "writes"], &[])
            }
            (_, "local") => (&["org-simulator", "salesforce", "store"], &[]),
            (_, "bench") => (&["local", "org-simulator", "salesforce"], &[]),
            // Only its tests may start the simulator: the checks are requests to any org.
            (_, "contract") => (&[], &["org-simulator"]),
            _ => (&[], &[]),
        };
        let anywhere_in_tests = ["error-texts", "fixtures"];
        let used_name = used.as_str();
        let allowed = may_use.contains(&used_name)
            || in_tests && (and_in_tests.contains(&used_name) || anywhere_in_tests.contains(&used_name));
        if allowed { Vec::new() } else { vec![format!("{}: {used}", manifest.file.path)] }
    };
    check(
        "functions -> flows -> runtime -> store -> salesforce; no function uses another function, no flow another flow; the \
         simulator uses none of ours",
        edges.filter(|(_, _, used)| ours.contains(used)),
        wrong,
    );
}

#[test]
fn functions_and_shared_crates_have_errors_of_their_own() {
    let anyhow = |manifest: &Manifest<'_>| {
        let used =
            manifest.dependencies(&NORMAL).union(&manifest.dependencies(&DEVELOPMENT)).any(|used| used == "anyhow");
        if used { vec![manifest.file.path.clone()] } else { Vec::new() }
    };
    check(
        "use the crate's own error instead of anyhow: callers must be able to choose",
        MANIFESTS.iter().filter(|manifest| manifest.is_in("functions") || manifest.is_in("shared")),
        anyhow,
    );
}

#[test]
fn every_spelling_of_a_dependency_is_read() {
    let manifest = File {
        path: "shared/sample/Cargo.toml".to_owned(),
        text: r#"
            dependencies.a.workspace = true
            dependencies . "b" = { version = "1" }
            [dependencies.c]
            version = "1"
            [dependencies.renamed]
            package = "d"
            version = "1"
            [target.'cfg(unix)'.build-dependencies]
            e = "1"
            [dev-dependencies]
            f = "1"
        "#
        .to_owned(),
    };
    let manifest = Manifest::parse(&manifest);
    assert_eq!(manifest.dependencies(&NORMAL).into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    assert_eq!(manifest.dependencies(&DEVELOPMENT).into_iter().collect::<Vec<_>>(), ["f"]);
}

/// A parsed `Cargo.toml` of a package.
struct Manifest<'a> {
    file: &'a File,
    table: Table,
}

static MANIFESTS: LazyLock<Vec<Manifest<'static>>> =
    LazyLock::new(|| files("", "/Cargo.toml").map(Manifest::parse).collect());

impl<'a> Manifest<'a> {
    fn parse(file: &'a File) -> Self {
        let table = file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
        Self { file, table }
    }

    /// Returns the name of the folder that the manifest is in.
    fn package(&self) -> &str {
        self.file.path.rsplit('/').nth(1).unwrap_or_default()
    }

    fn is_in(&self, top_folder: &str) -> bool {
        self.file.top_folder() == top_folder
    }

    /// Returns the packages in these sections, for every target, under their own names.
    fn dependencies(&self, sections: &[&str]) -> Names {
        let targets = self.table.get("target").and_then(Value::as_table).into_iter().flatten();
        let tables = targets.filter_map(|(_, target)| target.as_table()).chain([&self.table]);
        let sections = tables.flat_map(|table| sections.iter().filter_map(|section| table.get(*section)?.as_table()));
        sections.flatten().map(|(key, value)| package_of(key, value)).collect()
    }
}

/// Returns the package that a dependency names: another than its key if `package` renames it, here or in the workspace.
fn package_of(key: &str, value: &Value) -> String {
    let inherited = value.get("workspace").is_some().then(|| WORKSPACE.get(key)).flatten();
    let package = inherited.unwrap_or(value).get("package").and_then(Value::as_str);
    package.unwrap_or(key).to_owned()
}

/// The dependencies of the workspace, which packages inherit.
static WORKSPACE: LazyLock<Value> = LazyLock::new(|| {
    let manifest: Table = file("Cargo.toml").text.parse().expect("Cargo.toml is TOML");
    manifest["workspace"]["dependencies"].clone()
});
