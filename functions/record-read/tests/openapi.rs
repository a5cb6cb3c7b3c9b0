//! `infra/openapi.yaml` says what `infra/template.yaml` routes and what the functions' routers take: no more, no less.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use local::template::Template;
use local::workspace::Workspace;
use runtime::ProblemCode;
use serde_json::{Map, Value};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A route: its path, and its methods in capitals.
type Routes = BTreeMap<String, BTreeSet<String>>;

fn openapi() -> Value {
    let path = Workspace::here().root().join("infra/openapi.yaml");
    serde_json::from_str(&Template::load(&path).unwrap().to_json()).unwrap()
}

fn template() -> Template {
    Template::load(&Workspace::here().template()).unwrap()
}

fn operations(openapi: &Value) -> Vec<(&str, &str, &Map<String, Value>)> {
    let paths = openapi["paths"].as_object().unwrap();
    let of_path = |(path, item)| {
        let item: &Value = item;
        METHODS.into_iter().filter_map(move |method| Some((method, path, item.get(method)?.as_object()?)))
    };
    paths.iter().flat_map(|(path, item)| of_path((path.as_str(), item))).collect()
}

fn described() -> Routes {
    let mut routes = Routes::new();
    for (method, path, _) in operations(&openapi()) {
        routes.entry(path.to_owned()).or_default().insert(method.to_uppercase());
    }
    routes
}

/// The template's routes; those that take any method stand for what is described.
fn deployed() -> Routes {
    let described = described();
    let mut routes = Routes::new();
    for (_, route) in template().resources("AWS::ApiGatewayV2::Route") {
        let (method, path) = route["RouteKey"].as_str().unwrap().split_once(' ').unwrap();
        let methods = match method {
            "ANY" => described.get(path).cloned().unwrap_or_default(),
            method => BTreeSet::from([method.to_owned()]),
        };
        routes.entry(path.to_owned()).or_default().extend(methods);
    }
    routes
}

/// What the functions' sources give their routers: `.route("/path", get(..).post(..))`.
fn taken() -> Routes {
    let mut routes = Routes::new();
    for function in fs::read_dir(Workspace::here().root().join("functions")).unwrap() {
        for source in sources(&function.unwrap().path().join("src")) {
            for call in source.split(".route(\"").skip(1) {
                let (path, rest) = call.split_once('"').unwrap();
                let arguments = arguments(rest);
                let methods = METHODS.into_iter().filter(|method| arguments.contains(&format!("{method}(")));
                // What receives outbound messages takes a POST and nothing else.
                let methods = methods.chain(arguments.contains("receiver(").then_some("post"));
                routes.entry(path.to_owned()).or_default().extend(methods.map(str::to_uppercase));
            }
        }
    }
    routes
}

/// The rest of a call, up to the parenthesis that closes it.
fn arguments(rest: &str) -> &str {
    let mut depth = 1;
    let end = rest.find(|character| {
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    &rest[..end.unwrap()]
}

fn sources(folder: &Path) -> Vec<String> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
    sources
}

#[test]
fn every_deployed_route_is_described_and_every_described_route_is_deployed() {
    assert_eq!(deployed(), described());
}

#[test]
fn every_route_that_a_function_takes_is_described_and_every_described_route_is_taken() {
    assert_eq!(taken(), described());
}

#[test]
fn exactly_the_routes_of_the_platform_are_authorized_by_the_gateway() {
    let authorized: BTreeSet<String> = template()
        .resources("AWS::ApiGatewayV2::Route")
        .filter(|(_, route)| !route["AuthorizationType"].is_null())
        .map(|(_, route)| route["RouteKey"].as_str().unwrap().to_owned())
        .collect();
    let openapi = openapi();
    let secured: BTreeSet<String> = operations(&openapi)
        .into_iter()
        .filter(|(_, _, operation)| !operation.contains_key("security"))
        .map(|(method, path, _)| format!("{} {path}", method.to_uppercase()))
        .collect();
    assert_eq!(authorized, secured);
    assert!(secured.iter().all(|route| route.contains(" /v1/")), "{secured:?}");
}

#[test]
fn every_reference_leads_somewhere() {
    let openapi = openapi();
    let mut references = Vec::new();
    collect_references(&openapi, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(openapi.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_references(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_its_path_s_parameters() {
    let openapi = openapi();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&openapi) {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path}");
        let given = [&openapi["paths"][path]["parameters"], operation.get("parameters").unwrap_or(&Value::Null)];
        let given: BTreeSet<&str> = given
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(|one| {
                let one = one["$ref"].as_str().and_then(|reference| openapi.pointer(&reference[1..])).unwrap_or(one);
                (one["in"] == "path").then(|| one["name"].as_str()).flatten()
            })
            .collect();
        let wanted: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(given, wanted, "{method} {path}");
    }
}

/// A failure prints the table for `docs/problems.md`.
#[test]
fn problem_codes_are_the_same_in_code_contract_and_docs() {
    let openapi = openapi();
    let contract = openapi.pointer("/components/schemas/Problem/properties/type/enum").unwrap().as_array().unwrap();
    let contract: Vec<&str> = contract.iter().map(|kind| kind.as_str().unwrap()).collect();
    let kinds: Vec<String> =
        ProblemCode::ALL.iter().map(|code| format!("urn:ferry:problem:{}", code.as_str())).collect();
    assert_eq!(contract, kinds, "list these types in infra/openapi.yaml");

    let row = |code: &ProblemCode| {
        format!("| `{}` | {} | {} | {} |", code.as_str(), code.status().as_u16(), code.title(), code.next())
    };
    let rows: Vec<String> = ProblemCode::ALL.iter().map(row).collect();
    let page = fs::read_to_string(Workspace::here().root().join("docs/problems.md")).unwrap();
    let documented: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(documented == rows, "replace the rows of docs/problems.md by:\n{}\n", rows.join("\n"));
}
