//! `infra/openapi.yaml`, `infra/template.yaml` and the functions' routers have the same routes, and the contract
//! and `docs/problems.md` the same problem codes as `runtime`.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use local::template::Template;
use local::workspace::Workspace;
use runtime::ProblemCode;
use runtime::caller::required_scope;
use serde_json::{Map, Value};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The methods of each path, in capitals.
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

/// Returns the template's routes. A route for `ANY` method counts as the described methods of its path.
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

/// Returns the routes in the functions' sources: `.route("/path", get(..).post(..))`.
fn routed() -> Routes {
    let mut routes = Routes::new();
    for function in fs::read_dir(Workspace::here().root().join("functions")).unwrap() {
        for source in sources(&function.unwrap().path().join("src")) {
            let calls = source.split(".route(").skip(1).filter_map(|call| call.trim_start().strip_prefix('"'));
            for call in calls {
                let (path, rest) = call.split_once('"').unwrap();
                let arguments = arguments(rest);
                let methods = METHODS.into_iter().filter(|method| arguments.contains(&format!("{method}(")));
                // The receivers of outbound messages are for POST only.
                let methods = methods.chain(arguments.contains("receiver(").then_some("post"));
                routes.entry(path.to_owned()).or_default().extend(methods.map(str::to_uppercase));
            }
        }
    }
    routes
}

/// Returns the arguments of a call: `rest` up to the parenthesis that closes the call.
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
fn the_template_has_exactly_the_described_routes() {
    assert_eq!(deployed(), described());
}

#[test]
fn the_routers_have_exactly_the_described_routes() {
    assert_eq!(routed(), described());
}

/// The scope of each of the platform's routes, as the contract says.
fn scopes() -> BTreeMap<String, String> {
    let openapi = openapi();
    let scope = |operation: &Map<String, Value>| {
        let security = operation["security"].as_array().unwrap();
        let [jwt, iam] = security.as_slice() else {
            assert!(security.is_empty(), "{security:?}");
            return None;
        };
        assert_eq!(iam["iam"], serde_json::json!([]));
        let [scope] = jwt["jwt"].as_array().unwrap().as_slice() else { panic!("{jwt}") };
        Some(scope.as_str().unwrap().to_owned())
    };
    let operations = operations(&openapi).into_iter();
    operations
        .filter_map(|(method, path, operation)| Some((format!("{} {path}", method.to_uppercase()), scope(operation)?)))
        .collect()
}

#[test]
fn the_contract_secures_exactly_the_platforms_routes() {
    let secured: BTreeSet<String> = scopes().into_keys().collect();
    let platforms = |(path, methods): (String, BTreeSet<String>)| {
        let methods = if path.starts_with("/v1/") { methods } else { BTreeSet::new() };
        methods.into_iter().map(move |method| format!("{method} {path}"))
    };
    assert_eq!(secured, described().into_iter().flat_map(platforms).collect());
}

#[test]
fn the_gateway_requires_the_scopes_of_the_contract() {
    let authorized: BTreeMap<String, String> = template()
        .resources("AWS::ApiGatewayV2::Route")
        .filter(|(_, route)| !route["AuthorizationType"].is_null())
        .map(|(name, route)| {
            let scopes = &route["AuthorizationScopes"]["Fn::If"];
            assert_eq!(scopes[0], "JwtAuthorizesPlatform", "{name}");
            assert_eq!(scopes[1].as_array().unwrap().len(), 1, "{name}");
            let scope = scopes[1][0]["Fn::Sub"].as_str().unwrap().replace("${JwtScopePrefix}", "ferry/");
            (route["RouteKey"].as_str().unwrap().to_owned(), scope)
        })
        .collect();
    assert_eq!(authorized, scopes());
}

#[test]
fn the_functions_require_the_scopes_of_the_contract() {
    for (route, scope) in scopes() {
        let (method, path) = route.split_once(' ').unwrap();
        let required = required_scope(&method.parse().unwrap(), path);
        assert_eq!(format!("ferry/{}", required.as_str()), scope, "{route}");
    }
}

#[test]
fn every_platform_route_takes_the_tenants_header() {
    let openapi = openapi();
    for path in scopes().keys().map(|route| route.split_once(' ').unwrap().1) {
        let parameters = openapi["paths"][path]["parameters"].as_array().unwrap();
        let header = "#/components/parameters/FerryTenant";
        assert!(parameters.iter().any(|parameter| parameter["$ref"] == header), "{path}");
    }
}

/// The gateway's answers are those of every route: no caller, no scope, too many requests, a function that failed or was late.
#[test]
fn every_platform_route_describes_the_failures_of_all_routes() {
    let openapi = openapi();
    for route in scopes().keys() {
        let (method, path) = route.split_once(' ').unwrap();
        let responses = openapi["paths"][path][method.to_lowercase()]["responses"].as_object().unwrap();
        for status in ["400", "401", "403", "429", "500", "503"] {
            assert!(responses.contains_key(status), "{route} does not describe {status}");
        }
    }
}

#[test]
fn every_read_has_an_example_of_its_response() {
    let openapi = openapi();
    for route in scopes().keys().filter(|route| route.starts_with("GET ")) {
        let response = &openapi["paths"][&route[4..]]["get"]["responses"]["200"];
        let reference = response["$ref"].as_str().and_then(|reference| openapi.pointer(&reference[1..]));
        let content = &reference.unwrap_or(response)["content"]["application/json"];
        assert!(content.get("example").or(content.get("examples")).is_some(), "{route}");
    }
}

#[test]
fn every_reference_resolves() {
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
fn operations_have_unique_ids_and_their_path_parameters() {
    let openapi = openapi();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&openapi) {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path}");
        let documented = [&openapi["paths"][path]["parameters"], operation.get("parameters").unwrap_or(&Value::Null)];
        let documented: BTreeSet<&str> = documented
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(|parameter| {
                let reference = parameter["$ref"].as_str();
                let parameter = reference.and_then(|reference| openapi.pointer(&reference[1..])).unwrap_or(parameter);
                (parameter["in"] == "path").then(|| parameter["name"].as_str()).flatten()
            })
            .collect();
        let expected: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(documented, expected, "{method} {path}");
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
    // Codes of defects have no status.
    let has_status = |line: &&str| line.split('|').nth(2).is_some_and(|status| status.trim().parse::<u16>().is_ok());
    let documented: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).filter(has_status).collect();
    assert!(documented == rows, "replace the rows of docs/problems.md by:\n{}\n", rows.join("\n"));
}
