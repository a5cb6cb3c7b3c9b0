//! Rules about Rust files.

use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, Meta, MetaList, Token};

use crate::check;
use crate::repository::{File, files};
use crate::source::{Attribute, Source, attributes, production};

/// The folders whose code is deployed.
const PRODUCTION: [&str; 2] = ["functions/", "shared/"];

#[test]
fn files_are_short_enough_to_read() {
    let too_long = |file: &'static File| {
        let limit = match (file.top_folder(), file.path.ends_with("/main.rs")) {
            ("functions", true) => 25,
            (_, true) => 40,
            (_, false) => 400,
        };
        let lines = Source::parse(file).without_tests().lines;
        let too_long = lines > limit;
        too_long
            .then(|| format!("{}:{lines}: the limit is {limit} lines without tests", file.path))
            .into_iter()
            .collect()
    };
    let sources = files("", ".rs").filter(|file| file.path.contains("/src/"));
    check("split the file by what it is about; main.rs only wires", sources, too_long);
}

#[test]
fn modules_are_named_after_their_file() {
    let old_style = |file: &File| if file.path.ends_with("/mod.rs") { vec![file.path.clone()] } else { Vec::new() };
    check("rename foo/mod.rs to foo.rs", files("", ".rs"), old_style);
}

#[test]
fn spans_name_their_fields() {
    let remedy = "write #[instrument(skip_all, fields(..))]: arguments hold tokens";
    check(remedy, all_attributes(), |found| found.places_if(records_arguments));
}

#[test]
fn nothing_runs_after_a_handler_has_returned() {
    let remedy = "await the work: an execution environment is frozen between invocations";
    check(remedy, production(&PRODUCTION), |source| spawns(&source));
}

#[test]
fn one_file_each_names_reqwest_for_salesforce_and_for_endpoints() {
    let mut named: Vec<_> =
        production(&PRODUCTION).filter_map(|source| source.places_of(&["reqwest"]).into_iter().next()).collect();
    named.sort();
    let files = ["functions/event-delivery/src/sender.rs:", "shared/salesforce/src/transport.rs:"];
    assert!(
        named.len() == files.len() && named.iter().zip(files).all(|(place, file)| place.starts_with(file)),
        "call through shared/salesforce, where one file names reqwest:\n{}\n",
        named.join("\n")
    );
}

#[test]
fn one_file_of_the_contract_names_reqwest() {
    let sources = files("tests/contract/src/", ".rs").map(|file| Source::parse(file).without_tests());
    let named: Vec<_> = sources.filter_map(|source| source.places_of(&["reqwest"]).into_iter().next()).collect();
    assert!(
        named.len() == 1 && named.iter().all(|place| place.starts_with("tests/contract/src/http.rs")),
        "send requests through http.rs, so that every answer is read and masked alike:\n{}\n",
        named.join("\n")
    );
}

#[test]
fn one_file_makes_aws_clients() {
    let makes_one = |source: Source<'_>| {
        let is_of_aws = source.file.text.contains("aws_sdk_");
        if is_of_aws { source.places_of(&["Client::new", "Client::from_conf"]) } else { Vec::new() }
    };
    let made: Vec<_> =
        production(&["functions/", "shared/", "infra/ferry/"]).filter_map(|source| makes_one(source).pop()).collect();
    // The operator's tool sets the limits of two more services in its configuration of the SDK.
    let has_limits = |place: &String| {
        ["shared/runtime/src/aws.rs", "infra/ferry/src/stack.rs"].iter().any(|file| place.starts_with(file))
    };
    assert!(
        made.len() == 2 && made.iter().all(has_limits),
        "take the client from runtime::Aws, so that its calls have time limits:\n{}\n",
        made.join("\n")
    );
}

#[test]
fn no_test_is_ignored() {
    check("repair the test or delete it", all_attributes(), |found| found.places_if(ignores_a_test));
}

#[test]
fn rules_about_rust_do_not_depend_on_formatting() {
    let file = File {
        path: "shared/sample/src/lib.rs".to_owned(),
        text: r#"
            #[ instrument ] fn a() {}
            #[tracing :: instrument(
                level = "debug", ret)] fn b() {}
            #[cfg_attr(unix, instrument(skip(token)))] fn c() {}
            #[instrument(level = "debug",
                skip_all, fields(org = %org))] fn right() {}
            proptest! { #[ ignore ] #[test] fn d() {} }
            /// ```rust, ignore
            /// ```
            fn e() { tokio :: spawn(async {}); select! { _ = task::
                spawn(f()) => {} } }
            use tokio::{sync, task::{self, spawn_local}};
            // tokio::spawn, #[ignore]
            const TEXT: &str = "tokio::spawn #[ignore] #[instrument]";
            #[cfg(test)]
            mod tests { fn f() { tokio::spawn(g()); } }
        "#
        .to_owned(),
    };
    let lines = |places: Vec<String>| -> Vec<_> {
        places.iter().filter_map(|place| place.rsplit(':').next()?.parse::<usize>().ok()).collect()
    };
    let source = Source::parse(&file).without_tests();
    let attributes = |rule: fn(&Meta) -> bool| attributes(&file).flat_map(|found| found.places_if(rule)).collect();
    assert_eq!(lines(attributes(records_arguments)), [2, 3, 5]);
    assert_eq!(lines(attributes(ignores_a_test)), [8, 9]);
    assert_eq!(lines(spawns(&source)), [11, 13]);
    assert_eq!(source.lines, file.text.lines().count() - 2, "the module of tests has two lines");
}

fn all_attributes() -> impl Iterator<Item = Attribute<'static>> {
    files("", ".rs").flat_map(attributes)
}

/// Returns whether the attribute is an `#[instrument]` that records arguments of the function.
fn records_arguments(meta: &Meta) -> bool {
    let skips_all = |list: &MetaList| {
        let arguments = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        arguments.into_iter().flatten().any(|argument| argument.path().is_ident("skip_all"))
    };
    is_named(meta, "instrument") && !meta.require_list().is_ok_and(skips_all)
}

fn spawns(source: &Source<'_>) -> Vec<String> {
    source.places_of(&["tokio::spawn", "task::spawn", "spawn_local"])
}

/// Returns whether the attribute is an `#[ignore]`, or a doc comment with the start of an example that is not compiled.
fn ignores_a_test(meta: &Meta) -> bool {
    is_named(meta, "ignore") || begins_ignored_example(meta)
}

fn begins_ignored_example(meta: &Meta) -> bool {
    let Meta::NameValue(doc) = meta else { return false };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &doc.value else { return false };
    let text = text.value();
    let mut fences = text.lines().filter_map(|line| line.trim().strip_prefix("```"));
    doc.path.is_ident("doc") && fences.any(|words| words.split([',', ' ']).any(|word| word.starts_with("ignore")))
}

fn is_named(meta: &Meta, name: &str) -> bool {
    meta.path().segments.last().is_some_and(|segment| segment.ident == name)
}
