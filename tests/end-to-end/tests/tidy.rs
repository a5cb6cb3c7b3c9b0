//! The rules of the house that neither the compiler nor clippy can hold. A failure names the place and what to do.

#![expect(clippy::expect_used, reason = "what helps a test may fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

type Names = BTreeSet<String>;

#[test]
fn files_are_short_enough_to_read() {
    let too_long = rust().filter(|file| file.path.contains("/src/")).filter_map(|file| {
        let limit = match (file.folder(), file.path.ends_with("/main.rs")) {
            ("functions", true) => 25,
            (_, true) => 40,
            (_, false) => 400,
        };
        let lines = file.code().count();
        (lines > limit).then(|| format!("{}:{lines}: the limit is {limit} lines without tests", file.path))
    });
    refuse("split the file by what it is about; main.rs only wires", too_long);
}

#[test]
fn modules_are_named_after_their_file() {
    let old_style = rust().filter(|file| file.path.ends_with("/mod.rs")).map(|file| file.path.clone());
    refuse("rename foo/mod.rs to foo.rs", old_style);
}

#[test]
fn spans_name_their_fields() {
    let plain = rust().flat_map(|file| {
        let attributes = ["#[instrument", "#[tracing::instrument"].map(|attribute| file.text.match_indices(attribute));
        let plain = attributes.into_iter().flatten().filter(|(at, attribute)| {
            let arguments = file.text[at + attribute.len()..].trim_start_matches('(').trim_start();
            !arguments.starts_with("skip_all") && !arguments.starts_with('"')
        });
        plain.map(|(at, _)| place(file, line_of(&file.text, at))).collect::<Vec<_>>()
    });
    refuse("write #[instrument(skip_all, fields(..))]: arguments hold tokens", plain);
}

#[test]
fn nothing_runs_after_a_handler_has_returned() {
    let spawns = production().flat_map(|file| file.places(&["tokio::spawn", "task::spawn(", "spawn_local("]));
    refuse("await the work: a sandbox is frozen between invocations", spawns);
}

#[test]
fn one_file_names_reqwest() {
    let named = production().filter_map(|file| file.places(&["reqwest"]).into_iter().next());
    let (client, others): (Vec<_>, Vec<_>) = named.partition(|place| place.starts_with("shared/salesforce/"));
    refuse(
        "call through shared/salesforce, where one file names reqwest",
        others.into_iter().chain(client.into_iter().skip(1)),
    );
}

#[test]
fn no_test_is_switched_off() {
    let ignored = rust().flat_map(|file| file.all_places(&[concat!("#[", "ignore"), concat!("```", "ignore")]));
    refuse("repair the test or delete it", ignored);
}

#[test]
fn nothing_is_left_for_later() {
    let kinds = [".rs", ".toml", ".yaml", ".html", ".cls", ".xml", "/run"];
    let sources = FILES.iter().filter(|file| kinds.iter().any(|kind| file.path.ends_with(kind)));
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!(")];
    refuse("do it now, or open an issue", sources.flat_map(|file| file.all_places(&marks)));
}

#[test]
fn no_file_knows_a_developers_machine() {
    let before = [" ", "\"", "'", "`", "(", "=", "file://"];
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let marks: Vec<_> = before.iter().flat_map(|before| homes.map(|home| format!("{before}{home}"))).collect();
    let marks: Vec<_> = marks.iter().map(String::as_str).collect();
    refuse("use a path relative to the workspace", FILES.iter().flat_map(|file| file.all_places(&marks)));
}

#[test]
fn packages_are_named_after_their_folder() {
    let renamed =
        manifests().filter(|manifest| !manifest.text.contains(&format!("name = \"{}\"\n", manifest.package())));
    refuse("give the package its folder's name", renamed.map(|manifest| place(manifest, 2)));
}

/// Only the tests of the whole (`tests/end-to-end`) may use every crate.
#[test]
fn dependencies_run_one_way() {
    let ours: Names = manifests().map(|manifest| manifest.package().to_owned()).collect();
    let shared: Vec<_> = manifests().filter(|manifest| manifest.folder() == "shared").map(File::package).collect();
    let wrong = manifests().filter(|manifest| manifest.package() != "end-to-end").flat_map(|manifest| {
        let (may_use, and_in_tests): (&[&str], &[&str]) = match (manifest.folder(), manifest.package()) {
            ("functions", _) => (&shared, &["bench", "local", "org-simulator", "secret-scan", "harness"]),
            (_, "runtime") => (&["salesforce", "store"], &["local", "org-simulator"]),
            (_, "store") => (&["salesforce"], &["local"]),
            (_, "salesforce") => (&[], &["org-simulator"]),
            // A flow that several functions share. It uses no other flow.
            ("shared", _) => (&["runtime", "salesforce", "store"], &[]),
            (_, "ferry") => (&["connecting", "local", "runtime", "salesforce", "store"], &["org-simulator", "harness"]),
            (_, "harness") => {
                (&["local", "org-simulator", "runtime", "salesforce", "secret-scan", "store", "writes"], &[])
            }
            (_, "local") => (&["org-simulator", "salesforce", "store"], &[]),
            (_, "bench") => (&["local", "org-simulator", "salesforce"], &[]),
            _ => (&[], &[]),
        };
        let used = manifest.dependencies("dependencies").into_iter().filter(|used| !may_use.contains(used));
        let in_tests = manifest.dependencies("dev-dependencies").into_iter();
        let anywhere = ["error-texts", "fixtures"];
        let used_in_tests =
            in_tests.filter(|used| !anywhere.contains(used) && !may_use.contains(used) && !and_in_tests.contains(used));
        let wrong = used.chain(used_in_tests).filter(|used| ours.contains(*used));
        wrong.map(|used| format!("{}: {used}", manifest.path)).collect::<Vec<_>>()
    });
    refuse(
        "functions -> flows -> runtime -> store -> salesforce; no function uses another function, no flow another flow; the \
         simulator uses none of ours",
        wrong,
    );
}

#[test]
fn functions_and_shared_crates_have_errors_of_their_own() {
    let ours = manifests().filter(|manifest| ["functions", "shared"].contains(&manifest.folder()));
    refuse(
        "use the crate's own error instead of anyhow: callers must be able to choose",
        ours.flat_map(|manifest| manifest.all_places(&["anyhow"])),
    );
}

#[test]
fn functions_get_the_variables_that_they_read() {
    let mut given_to = template_variables();
    let given_to_all = given_to.remove("").unwrap_or_default();
    let mut wrong = Vec::new();
    for (function, given) in given_to {
        let sources = production().filter(|file| file.path.starts_with(&format!("functions/{function}/")));
        let mut code: String = sources.map(File::squeezed).collect();
        let mut readers = shared_readers();
        while let Some(at) = readers.iter().position(|reader| reader.serves(&code)) {
            code.push_str(&readers.swap_remove(at).code);
        }
        let given: Names = given.union(&given_to_all).cloned().collect();
        wrong.extend(
            required(&code).difference(&given).map(|name| format!("infra/template.yaml: {function} lacks {name}")),
        );
        wrong.extend(
            given.difference(&read(&code)).map(|name| format!("infra/template.yaml: {function} does not read {name}")),
        );
    }
    refuse("set in the template what Config::from_env reads, and nothing else", wrong);
}

#[test]
fn the_salesforce_package_is_well_formed_and_knows_its_version() {
    let package = || FILES.iter().filter(|file| file.path.starts_with("infra/salesforce/"));
    let broken = package()
        .filter(|file| file.path.ends_with(".xml"))
        .filter_map(|file| Some(place(file, unbalanced(&file.text)?)));
    refuse("close the element", broken);

    let find = |name: &str| package().find(|file| file.path.ends_with(name)).map_or("", |file| &file.text);
    let (_, rest) =
        find("/sfdx-project.json").split_once("\"versionNumber\": \"").expect("sfdx-project.json has a versionNumber");
    let version = rest.split(".NEXT").next().unwrap_or_default();
    let knows = find("/Ferry_Setting.Default.md-meta.xml").contains(&format!(">{version}</value>"));
    assert!(knows, "put {version}, the version of sfdx-project.json, into Ferry_Setting.Default.md-meta.xml");
}

/// A text file of the repository.
struct File {
    /// From the root.
    path: String,
    text: String,
}

/// All that people write.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the repository") {
            let entry = entry.expect("an entry of the folder").path();
            let path = entry.strip_prefix(&root).expect("is below the root").to_string_lossy().into_owned();
            let name = path.rsplit('/').next().unwrap_or_default();
            let hidden = name.starts_with('.') && ![".ci", ".cargo"].contains(&name);
            if hidden || ["target", "node_modules", "Cargo.lock"].contains(&name) || path == THIS {
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

/// Names what it forbids.
const THIS: &str = "tests/end-to-end/tests/tidy.rs";

fn rust() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.path.ends_with(".rs"))
}

/// What runs in production: the functions and what they share.
fn production() -> impl Iterator<Item = &'static File> {
    rust().filter(|file| ["functions", "shared"].contains(&file.folder()) && file.path.contains("/src/"))
}

fn manifests() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.path.ends_with("/Cargo.toml"))
}

impl File {
    /// Numbered lines without tests; comments are empty lines.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let (_, module) = self.path.split_once("/src/").unwrap_or_default();
        let tests = module.ends_with("tests.rs") || module.contains("tests/");
        let text = if tests { "" } else { self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default() };
        let comment = |line: &str| line.trim_start().starts_with("//");
        text.lines().enumerate().map(move |(at, line)| (at + 1, if comment(line) { "" } else { line }))
    }

    /// Where the code says one of these.
    fn places(&self, marks: &[&str]) -> Vec<String> {
        let lines = self.code().filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
        lines.map(|(number, _)| place(self, number)).collect()
    }

    /// Where the code, a comment or a test says one of these.
    fn all_places(&self, marks: &[&str]) -> Vec<String> {
        let lines = self.text.lines().enumerate().filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
        lines.map(|(at, _)| place(self, at + 1)).collect()
    }

    fn folder(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Of a manifest: the folder that it is in.
    fn package(&self) -> &str {
        self.path.rsplit('/').nth(1).unwrap_or_default()
    }

    /// Of a manifest: the names in one section.
    fn dependencies(&self, section: &str) -> Vec<&str> {
        let header = format!("[{section}]");
        let lines =
            self.text.lines().skip_while(|line| *line != header).skip(1).take_while(|line| !line.starts_with('['));
        lines.filter_map(|line| line.split(['.', ' ', '=']).next()).collect()
    }

    /// The code on one line.
    fn squeezed(&self) -> String {
        self.code().map(|(_, line)| line.trim()).collect()
    }
}

/// A function of a shared crate that reads the environment for others.
struct Reader {
    /// The path that its user names: the crate of a flow, or a module of `runtime` that has a folder.
    path: Option<String>,
    call: String,
    code: String,
}

impl Reader {
    fn serves(&self, code: &str) -> bool {
        code.contains(&self.call) && self.path.as_ref().is_none_or(|path| code.contains(path))
    }
}

fn shared_readers() -> Vec<Reader> {
    let mut readers = Vec::new();
    for file in production() {
        let Some((shared, module)) = file.path.strip_prefix("shared/").and_then(|path| path.split_once("/src/")) else {
            continue;
        };
        let path = match (shared, module.split_once('/')) {
            ("runtime", module) => module.map(|(module, _)| format!("runtime::{module}")),
            (flow, _) => Some(format!("{}::", flow.replace('-', "_"))),
        };
        let code = file.squeezed();
        for (at, _) in code.match_indices("fn ") {
            let code_of_it = code[at + 3..].split("fn ").next().unwrap_or_default();
            let name = code_of_it.split(['(', '<']).next().unwrap_or_default();
            let owner =
                code[..at].rsplit("impl ").next().and_then(|text| text.split([' ', '<']).next()).unwrap_or_default();
            let call = if name == "from_env" { format!("{owner}::from_env(") } else { format!("{name}(") };
            if !read(code_of_it).is_empty() {
                readers.push(Reader { path: path.clone(), call, code: code_of_it.to_owned() });
            }
        }
    }
    readers
}

/// The variables asked of `runtime::Env`, or of a helper that is given it.
fn read(code: &str) -> Names {
    let calls = [".required(\"", ".optional(\"", ".parsed_or(\"", ".list_or(\"", "(env, \""];
    calls.iter().flat_map(|call| variables(code, call)).collect()
}

/// The variables without which the function does not start.
fn required(code: &str) -> Names {
    variables(code, ".required(\"").collect()
}

fn variables<'a>(code: &'a str, call: &'a str) -> impl Iterator<Item = String> + 'a {
    code.split(call).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
}

/// The variables of each function in the template; under the empty name those that all get.
fn template_variables() -> BTreeMap<String, Names> {
    let template = FILES.iter().find(|file| file.path == "infra/template.yaml").expect("infra/template.yaml");
    let (mut variables, mut function, mut inside) = (BTreeMap::<_, Names>::new(), "", usize::MAX);
    for line in template.text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let (indent, (key, value)) =
            (line.len() - line.trim_start().len(), line.trim().split_once(':').unwrap_or_default());
        if indent > inside {
            variables.entry(function.to_owned()).or_default().insert(key.to_owned());
            continue;
        }
        inside = if key == "Variables" { indent } else { usize::MAX };
        function = if key == "FunctionName" { value.rsplit("}-").next().unwrap_or_default() } else { function };
    }
    variables
}

/// The line on which an element ends that was not the last to begin; the last line if one never ends.
fn unbalanced(xml: &str) -> Option<usize> {
    let mut open = Vec::new();
    for (at, _) in xml.match_indices('<') {
        let tag = xml[at + 1..].split('>').next().unwrap_or_default();
        match tag.strip_prefix('/') {
            Some(name) if open.pop() != Some(name) => return Some(line_of(xml, at)),
            None if !tag.starts_with(['?', '!']) && !tag.ends_with('/') => open.extend(tag.split_whitespace().next()),
            _ => {}
        }
    }
    (!open.is_empty()).then(|| xml.lines().count())
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn place(file: &File, line: usize) -> String {
    format!("{}:{line}", file.path)
}

fn refuse(remedy: &str, places: impl IntoIterator<Item = String>) {
    let places: Vec<_> = places.into_iter().collect();
    assert!(places.is_empty(), "{remedy}:\n{}\n", places.join("\n"));
}
