//! Rules about `infra/template.yaml`.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode as _, YamlOwned};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Expr, ExprCall, ExprLit, ExprMethodCall, ExprPath, ImplItemFn, ItemFn, ItemImpl, ItemUse, Lit, Macro, Token, Type,
};

use crate::repository::{file, files};
use crate::source::{imports, production};
use crate::{Names, check};

const TEMPLATE: &str = "infra/template.yaml";

#[test]
fn functions_get_the_variables_that_they_read() {
    let given = template_variables();
    let crates: Names =
        files("functions/", "/Cargo.toml").filter_map(|file| Some(file.path.split('/').nth(1)?.to_owned())).collect();
    let deployed: Names = given.values().map(|(folder, _)| folder.clone()).collect();
    assert_eq!(deployed, crates, "every crate in functions/ is deployed, and no other");

    let readers = shared_readers();
    let wrong = |(function, (folder, given)): (String, (String, Names))| {
        let folder = format!("functions/{folder}/");
        let mut code = Code::default();
        for source in production(&[&folder]) {
            code.visit_file(&source.syntax);
        }
        while let Some(reader) = readers.iter().find(|reader| reader.adds_to(&code)) {
            code.add(&reader.code);
        }
        assert!(!code.read.is_empty(), "no variable that {function} reads was found: correct the rule");
        let missing = code.required.difference(&given).map(|name| format!("{TEMPLATE}: {function} lacks {name}"));
        let unused = given.difference(&code.read).map(|name| format!("{TEMPLATE}: {function} does not read {name}"));
        missing.chain(unused).collect()
    };
    check("set in the template what Config::from_env reads, and nothing else", given, wrong);
}

#[test]
fn every_spelling_of_a_variable_is_read() {
    let syntax = syn::parse_str(
        r#"
        use writes::{Config as Ledger, Deps};
        fn read(env: &Env) {
            env
                . required ( "A" )?;
            let b = env.parsed_or::<u8>("B", 1);
            let c = login_host(& env, "C", "https://login.salesforce.com");
            let d = join!(env.optional("D"), Config::from_env(env));
            // env.required("E")
            log("F", "env.required(\"F\")");
        }
        "#,
    );
    let mut code = Code::default();
    code.visit_file(&syntax.expect("Rust"));
    assert_eq!(Vec::from_iter(&code.read), ["A", "B", "C", "D"]);
    assert_eq!(Vec::from_iter(&code.required), ["A"]);
    assert!(code.calls.contains("Config::from_env") && code.calls.contains("login_host"), "{:?}", code.calls);
    assert!(code.crates.contains("writes"), "{:?}", code.crates);
}

/// Returns the folder of the code and the environment variables of each function, those of `Globals` included.
fn template_variables() -> BTreeMap<String, (String, Names)> {
    let documents = YamlOwned::load_from_str(&file(TEMPLATE).text).expect("the template is YAML");
    let [template] = &documents[..] else { panic!("the template is not one document") };
    let of_all = variables(&template["Globals"]["Function"]);
    let resources = template["Resources"].as_mapping().expect("the template has resources");
    let functions =
        resources.iter().filter(|(_, resource)| resource["Type"].as_str() == Some("AWS::Serverless::Function"));
    let properties = functions.map(|(_, function)| &function["Properties"]);
    let of_one = |properties| (folder(properties), &variables(properties) | &of_all);
    properties.map(|properties| (function_name(properties), of_one(properties))).collect()
}

/// Returns the last part of `CodeUri`. Several functions can have the code of one crate.
fn folder(properties: &YamlOwned) -> String {
    let uri = properties["CodeUri"].as_str().expect("a function has a CodeUri").trim_end_matches('/');
    uri.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Returns the name of the function without the stack's: `FunctionName` is `!Sub ${AWS::StackName}-name`.
fn function_name(properties: &YamlOwned) -> String {
    let name = properties["FunctionName"].get_tagged_node().and_then(YamlOwned::as_str);
    name.and_then(|name| name.strip_prefix("${AWS::StackName}-"))
        .expect("a function's name begins with the stack's")
        .to_owned()
}

fn variables(properties: &YamlOwned) -> Names {
    let variables = properties["Environment"]["Variables"].as_mapping().expect("a function has variables");
    variables.keys().map(|name| name.as_str().expect("a variable's name is a string").to_owned()).collect()
}

/// The parts of a piece of code that show which environment variables it needs.
#[derive(Default)]
struct Code {
    /// The variables requested from `runtime::Env`, or from a function that is given it.
    read: Names,
    /// The variables without which the function does not start.
    required: Names,
    /// The functions that are called: their names, and those of associated functions with their type too.
    calls: Names,
    /// The first names of all paths, among which are the crates.
    crates: Names,
}

impl Code {
    fn add(&mut self, other: &Self) {
        self.read.extend(other.read.iter().cloned());
        self.required.extend(other.required.iter().cloned());
        self.calls.extend(other.calls.iter().cloned());
        self.crates.extend(other.crates.iter().cloned());
    }
}

impl<'a> Visit<'a> for Code {
    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        let method = call.method.to_string();
        if let Some(name) = call.args.first().and_then(literal) {
            if ["required", "optional", "parsed_or", "list_or"].contains(&method.as_str()) {
                self.read.insert(name.clone());
            }
            if method == "required" {
                self.required.insert(name);
            }
        }
        self.calls.insert(method);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'a ExprCall) {
        if let (Some(environment), Some(name)) = (call.args.first(), call.args.get(1).and_then(literal))
            && is_environment(environment)
        {
            self.read.insert(name);
        }
        if let Expr::Path(ExprPath { path, .. }) = &*call.func {
            let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.calls.extend(names.last().cloned());
            self.calls.extend(names.last_chunk::<2>().map(|names| names.join("::")));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.crates.extend(path.segments.first().map(|segment| segment.ident.to_string()));
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let names = imports(&item.tree).into_iter();
        self.crates.extend(names.filter_map(|(name, _)| Some(name.split("::").next()?.to_owned())));
    }

    fn visit_macro(&mut self, call: &'a Macro) {
        let arguments = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        for argument in arguments.into_iter().flatten() {
            // A visitor of its own, because the argument lives shorter than what this one visits.
            let mut code = Self::default();
            code.visit_expr(&argument);
            self.add(&code);
        }
    }
}

/// Returns the text of a string literal.
fn literal(expression: &Expr) -> Option<String> {
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = expression else { return None };
    Some(text.value())
}

/// Returns whether the expression is `env` or `&env`.
fn is_environment(expression: &Expr) -> bool {
    match expression {
        Expr::Reference(reference) => is_environment(&reference.expr),
        Expr::Path(path) => path.path.is_ident("env"),
        _ => false,
    }
}

/// A function of a shared crate that reads the environment for its callers.
struct Reader {
    /// The crate, as paths name it.
    crate_name: String,
    /// The name that callers use; `from_env` has that of its type too.
    call: String,
    code: Code,
}

impl Reader {
    /// Returns whether the code calls the reader and lacks what it reads.
    fn adds_to(&self, code: &Code) -> bool {
        code.calls.contains(&self.call)
            && code.crates.contains(&self.crate_name)
            && !self.code.read.is_subset(&code.read)
    }
}

fn shared_readers() -> Vec<Reader> {
    let mut readers = Vec::new();
    for source in production(&["shared/"]) {
        let mut functions = Functions::default();
        functions.visit_file(&source.syntax);
        let reading = functions.found.into_iter().filter(|(_, code)| !code.read.is_empty());
        let crate_name = source.file.path.split('/').nth(1).unwrap_or_default().replace('-', "_");
        readers.extend(reading.map(|(call, code)| Reader { crate_name: crate_name.clone(), call, code }));
    }
    assert!(!readers.is_empty(), "no function of a shared crate that reads a variable was found: correct the rule");
    readers
}

/// Collects the functions of a file, under the names that callers use.
#[derive(Default)]
struct Functions {
    owner: String,
    found: Vec<(String, Code)>,
}

impl<'a> Visit<'a> for Functions {
    fn visit_item_impl(&mut self, block: &'a ItemImpl) {
        let Type::Path(owner) = &*block.self_ty else { return };
        self.owner = owner.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        visit::visit_item_impl(self, block);
    }

    fn visit_impl_item_fn(&mut self, function: &'a ImplItemFn) {
        let name = function.sig.ident.to_string();
        let call = if name == "from_env" { format!("{}::{name}", self.owner) } else { name };
        let mut code = Code::default();
        code.visit_impl_item_fn(function);
        self.found.push((call, code));
    }

    fn visit_item_fn(&mut self, function: &'a ItemFn) {
        let mut code = Code::default();
        code.visit_item_fn(function);
        self.found.push((function.sig.ident.to_string(), code));
    }
}
