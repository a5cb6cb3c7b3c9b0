//! The policies of the functions in `infra/template.yaml`, compared with the calls that their code makes.
//!
//! The calls are found in the sources. A method call is followed if its receiver's name is declared somewhere with a type of
//! ours: a field, a parameter, or a function that returns it. A call on a name `client` in `store` is a call to AWS. The
//! resource is that of the store's type through which it is reached, by the function's environment variable.

use std::collections::{BTreeMap, BTreeSet};

use local::template::Template;
use local::workspace::Workspace;
use serde_json::Value;
use syn::visit::{self, Visit};
use syn::{Expr, FnArg, ImplItemFn, ItemFn, ItemImpl, ItemUse, Pat, ReturnType, Signature, Type};

use crate::Names;
use crate::source::{imports, production};

/// The IAM actions of the SDK's methods. Those that Lambda calls for a function are among [`of_triggers`].
const ACTIONS: [(&str, &str); 22] = [
    ("batch_get_item", "dynamodb:BatchGetItem"),
    ("batch_write_item", "dynamodb:BatchWriteItem"),
    ("change_message_visibility_batch", "sqs:ChangeMessageVisibility"),
    ("create_secret", "secretsmanager:CreateSecret"),
    ("delete_item", "dynamodb:DeleteItem"),
    ("delete_message_batch", "sqs:DeleteMessage"),
    ("delete_secret", "secretsmanager:DeleteSecret"),
    ("get_item", "dynamodb:GetItem"),
    ("get_queue_attributes", "sqs:GetQueueAttributes"),
    ("get_queue_url", "sqs:GetQueueUrl"),
    ("get_secret_value", "secretsmanager:GetSecretValue"),
    ("put_events", "events:PutEvents"),
    ("put_item", "dynamodb:PutItem"),
    ("put_resource_policy", "secretsmanager:PutResourcePolicy"),
    ("put_secret_value", "secretsmanager:PutSecretValue"),
    ("query", "dynamodb:Query"),
    ("receive_message", "sqs:ReceiveMessage"),
    ("scan", "dynamodb:Scan"),
    ("send_message", "sqs:SendMessage"),
    ("send_message_batch", "sqs:SendMessage"),
    ("update_item", "dynamodb:UpdateItem"),
    ("update_secret", "secretsmanager:UpdateSecret"),
];
/// The actions of `SecretsManager` and SQS that encrypt, so that they need a data key.
const ENCRYPTING: [&str; 4] =
    ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret", "sqs:SendMessage"];

/// The types of the store that are clients of a resource. The tables of `OrgData` are those that hold an org's data.
const CLIENTS: [&str; 18] = [
    "Apps",
    "Authorizations",
    "Budgets",
    "Connections",
    "Cursors",
    "DeadLetters",
    "Deliveries",
    "Erasures",
    "EventBus",
    "OrgData",
    "Orgs",
    "Origins",
    "Pipelines",
    "Queue",
    "Records",
    "TokenVault",
    "WriteOrder",
    "Writes",
];
/// The variables of the tables of `OrgData`.
const ORG_DATA: [&str; 9] = [
    "AUTHORIZATIONS_TABLE",
    "BUDGETS_TABLE",
    "CURSORS_TABLE",
    "DELIVERIES_TABLE",
    "ORIGINS_TABLE",
    "PIPELINES_TABLE",
    "RECORDS_TABLE",
    "WRITES_TABLE",
    "WRITE_ORDER_TABLE",
];
/// The actions with which `OrgData` finds rows: each table needs one of them, by the form of its key.
const FINDING: [&str; 2] = ["dynamodb:Query", "dynamodb:Scan"];

/// Actions by resource: a logical id, or another name that [`resource`] returns.
type Permissions = BTreeSet<(String, String)>;

#[test]
fn functions_may_do_what_their_code_does_and_no_more() {
    let template = template();
    let code = Code::read();
    let mut wrong = Vec::new();
    let mut examined = 0;
    for (id, function) in functions(&template) {
        let needed = needed(&code, &template, id, function);
        let allowed = allowed(function);
        assert!(needed.len() > 2, "the calls of {id} were not found: correct the rule");
        for (action, resource) in needed.keys().filter(|permission| !allowed.contains(*permission)) {
            let way = &needed[&(action.clone(), resource.clone())];
            wrong.push(format!("{id} lacks {action} on {resource}, which it calls: {way}"));
        }
        for (action, resource) in allowed.iter().filter(|permission| !needed.contains_key(*permission)) {
            wrong.push(format!("{id} may {action} on {resource}, and no code of it does: remove the action"));
        }
        examined += 1;
    }
    assert!(examined > 10);
    assert!(
        wrong.is_empty(),
        "correct the statements in infra/template.yaml. If a call was not found, declare the type of its receiver in a field, a \
         parameter or a return type:\n{}\n",
        wrong.join("\n")
    );
}

#[test]
fn calls_to_aws_are_found_through_every_layer() {
    let code = Code::read();
    let calls = code.calls_from(code.functions_of("record-events"));
    let created = calls.keys().find(|(action, owner)| action == "dynamodb:PutItem" && owner == "Authorizations");
    assert!(created.is_some(), "a connect link is stored by `connecting`: {:?}", calls.keys());
    assert!(!calls.keys().any(|(action, _)| action == "dynamodb:DeleteItem"), "{:?}", calls.keys());
}

fn template() -> Value {
    let template = Template::load(&Workspace::here().template()).expect("the template");
    serde_json::from_str(&template.to_json()).expect("JSON")
}

fn functions(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let resources = template["Resources"].as_object().expect("resources").iter();
    let functions = resources.filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    functions.map(|(id, resource)| (id.as_str(), &resource["Properties"]))
}

/// Returns the permissions of a function's statements. Conditions are not compared.
fn allowed(function: &Value) -> Permissions {
    let mut found = Permissions::new();
    for statement in function["Policies"].as_array().into_iter().flatten().flat_map(|policy| list(&policy["Statement"]))
    {
        let statement = statement.get("Fn::If").map_or(statement, |branches| &branches[1]);
        if statement["Effect"] == "Allow" {
            for action in list(&statement["Action"]) {
                let resources = list(&statement["Resource"]).into_iter().map(resource);
                found.extend(resources.map(|resource| (action.as_str().unwrap_or_default().to_owned(), resource)));
            }
        }
    }
    found
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// Returns the name of a resource: its logical id, with what follows it in an ARN.
fn resource(value: &Value) -> String {
    if let (Some(id), attribute) = (value["Fn::GetAtt"][0].as_str(), &value["Fn::GetAtt"][1]) {
        return if attribute == "StreamArn" { format!("{id}.StreamArn") } else { id.to_owned() };
    }
    match (value["Ref"].as_str(), value["Fn::Sub"].as_str(), value.get("Fn::If")) {
        (Some(id), _, _) => id.to_owned(),
        (_, Some(text), _) if text.contains("/tokens") => "the token secrets".to_owned(),
        (_, Some(text), _) => text.replace("${", "").replace(".Arn}", ""),
        (_, _, Some(branches)) => resource(&branches[2]),
        _ => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// Returns the names of the resources of a variable.
fn resources(value: &Value) -> Vec<String> {
    match value["Fn::Join"][1].as_array() {
        Some(joined) => joined.iter().map(resource).collect(),
        None => vec![resource(value)],
    }
}

/// Returns the permissions that a function needs, with the way to the call of each.
fn needed(code: &Code, template: &Value, id: &str, function: &Value) -> BTreeMap<(String, String), String> {
    let variables = function["Environment"]["Variables"].as_object().expect("variables");
    let folder =
        function["CodeUri"].as_str().and_then(|uri| uri.trim_end_matches('/').rsplit('/').next()).expect("a folder");
    let starts = match variables.get("OPERATIONS") {
        Some(operations) => code.handlers(folder, operations.as_str().unwrap_or_default()),
        None => code.functions_of(folder),
    };
    let allowed = allowed(function);
    let mut needed = BTreeMap::new();
    for ((action, owner), way) in code.calls_from(starts) {
        let (owner, index) = owner.split_once('/').map_or((owner.as_str(), None), |(owner, rest)| (owner, Some(rest)));
        let values = variables.iter().filter(|(variable, _)| is_of(owner, variable)).map(|(_, value)| value);
        for resource in values.flat_map(resources) {
            let resource = index.map_or(resource.clone(), |index| format!("{resource}/{index}"));
            let may = |action: &str| allowed.contains(&(action.to_owned(), resource.clone()));
            let is_found_otherwise = owner == "OrgData"
                && FINDING.contains(&action.as_str())
                && !may(&action)
                && FINDING.into_iter().any(may);
            if !is_found_otherwise {
                needed.insert((action.clone(), resource), way.clone());
            }
        }
    }
    for (variable, value) in variables.iter().filter(|(variable, _)| variable.ends_with("_FUNCTION")) {
        needed.insert(("lambda:InvokeFunction".to_owned(), resource(value)), format!("it reads {variable}"));
    }
    needed.extend(of_triggers(template, id, function));
    let encrypts = needed.keys().any(|(action, _)| ENCRYPTING.contains(&action.as_str()));
    needed.insert(("kms:Decrypt".to_owned(), "KmsKey".to_owned()), "it reads encrypted data".to_owned());
    if encrypts {
        needed.insert(("kms:GenerateDataKey".to_owned(), "KmsKey".to_owned()), "it stores encrypted data".to_owned());
    }
    needed
}

/// Returns whether the variable names the resource of a type of the store.
fn is_of(owner: &str, variable: &str) -> bool {
    match owner {
        "Queue" => variable.ends_with("_QUEUE_URL"),
        "Apps" => variable == "APPS_SECRET_ARN",
        "TokenVault" => variable == "TOKEN_SECRET_PREFIX",
        "EventBus" => variable == "EVENT_BUS_NAME",
        "DeadLetters" => variable == "DEAD_LETTER_QUEUE_URLS",
        "OrgData" => ORG_DATA.contains(&variable),
        table => variable.strip_suffix("_TABLE").is_some_and(|noun| noun.replace('_', "") == table.to_uppercase()),
    }
}

/// Returns the permissions with which Lambda reads a function's sources and sends what failed.
fn of_triggers(template: &Value, id: &str, function: &Value) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    let mut add = |action: &str, resource: String| {
        found.insert((action.to_owned(), resource), "Lambda calls it for a trigger".to_owned());
    };
    let mut failures = vec![&function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]];
    let resources = template["Resources"].as_object().expect("resources").values();
    let mappings = resources.filter(|resource| resource["Type"] == "AWS::Lambda::EventSourceMapping");
    for mapping in mappings.map(|mapping| &mapping["Properties"]).filter(|mapping| mapping["FunctionName"]["Ref"] == id)
    {
        let source = resource(&mapping["EventSourceArn"]);
        let actions: &[&str] = if source.ends_with(".StreamArn") {
            add("dynamodb:ListStreams", "*".to_owned());
            &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        } else {
            &["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        };
        actions.iter().for_each(|action| add(action, source.clone()));
        failures.push(&mapping["DestinationConfig"]["OnFailure"]["Destination"]);
    }
    failures.into_iter().filter(|queue| !queue.is_null()).for_each(|queue| add("sqs:SendMessage", resource(queue)));
    found
}

/// A call in the body of a function.
#[derive(Clone)]
enum Call {
    /// The last name of the receiver, and the method.
    Method(String, String),
    /// The segments of a path, which may be that of a function.
    Path(Vec<String>),
}

struct Function {
    folder: String,
    file: String,
    owner: String,
    name: String,
    calls: Vec<Call>,
    /// The calls of each arm of a match on the request, by the operation's name.
    arms: Vec<(String, Vec<Call>)>,
    /// The index of the table that it reads.
    index: Option<String>,
}

/// The functions of `functions/` and `shared/`, and the names that have a type.
#[derive(Default)]
struct Code {
    functions: Vec<Function>,
    by_name: BTreeMap<String, Vec<usize>>,
    types: BTreeMap<String, Names>,
    /// The imported paths, by file and name.
    imports: BTreeMap<(String, String), Vec<String>>,
    folder: String,
    file: String,
    owner: String,
}

impl Code {
    fn read() -> Self {
        let mut code = Self::default();
        for source in production(&["functions/", "shared/"]) {
            let mut parts = source.file.path.split('/').skip(1);
            code.folder = parts.next().unwrap_or_default().to_owned();
            code.file.clone_from(&source.file.path);
            code.owner.clear();
            if code.folder != "salesforce" {
                code.visit_file(&source.syntax);
            }
        }
        for (index, function) in code.functions.iter().enumerate() {
            code.by_name.entry(function.name.clone()).or_default().push(index);
        }
        code
    }

    fn functions_of(&self, folder: &str) -> Vec<usize> {
        (0..self.functions.len()).filter(|index| self.functions[*index].folder == folder).collect()
    }

    /// Returns the functions that handle these operations, separated by commas.
    fn handlers(&self, folder: &str, operations: &str) -> Vec<usize> {
        let served: Names = operations.split(',').map(str::to_owned).collect();
        let mut found = Vec::new();
        for index in self.functions_of(folder) {
            let function = &self.functions[index];
            for (_, calls) in function.arms.iter().filter(|(operation, _)| served.contains(operation)) {
                found.extend(calls.iter().flat_map(|call| self.resolve(function, call)));
            }
        }
        found
    }

    /// Returns the calls to AWS that are reached, by action and type of the store, with the way to each.
    fn calls_from(&self, starts: Vec<usize>) -> BTreeMap<(String, String), String> {
        let mut found = BTreeMap::new();
        let mut pending: Vec<_> = starts.into_iter().map(|index| (index, String::new(), String::new())).collect();
        let mut seen = BTreeSet::new();
        while let Some((index, mut owner, way)) = pending.pop() {
            let function = &self.functions[index];
            if function.folder == "store" && CLIENTS.contains(&function.owner.as_str()) {
                owner.clone_from(&function.owner);
            }
            if let Some(index) = &function.index
                && !owner.contains('/')
            {
                owner.push_str(&format!("/index/{index}"));
            }
            if !seen.insert((index, owner.clone())) {
                continue;
            }
            let arrow = if way.is_empty() { "" } else { " > " };
            let owner_of = if function.owner.is_empty() { &function.folder } else { &function.owner };
            let way = format!("{way}{arrow}{owner_of}::{}", function.name);
            for call in &function.calls {
                if let Call::Method(receiver, name) = call
                    && receiver == "client"
                    && name != "clone"
                    && function.folder == "store"
                {
                    let action = ACTIONS.iter().find(|(method, _)| method == name);
                    let (_, action) = action.unwrap_or_else(|| panic!("add the action of client.{name}() to ACTIONS"));
                    found.insert(((*action).to_owned(), owner.clone()), way.clone());
                }
                pending.extend(self.resolve(function, call).into_iter().map(|next| (next, owner.clone(), way.clone())));
            }
        }
        found
    }

    /// Returns the functions that a call may be to.
    fn resolve(&self, from: &Function, call: &Call) -> Vec<usize> {
        // A function imports shared crates only, and `store` none of the others.
        let visible =
            |to: &Function| to.folder == from.folder || to.file.starts_with("shared/") && from.folder != "store";
        let all = |name: &str| self.by_name.get(name).into_iter().flatten().copied();
        let named = |name: &str| all(name).filter(|index| visible(&self.functions[*index]));
        match call {
            Call::Method(receiver, name) if receiver == "self" => {
                named(name).filter(|index| self.functions[*index].owner == from.owner).collect()
            }
            Call::Method(receiver, name) => {
                let Some(types) = self.types.get(receiver) else { return Vec::new() };
                named(name).filter(|index| types.contains(&self.functions[*index].owner)).collect()
            }
            Call::Path(path) => {
                let path = self.full(from, path);
                let Some((name, before)) = path.split_last() else { return Vec::new() };
                let module = before.last().map(String::as_str).unwrap_or_default();
                let owner = if module == "Self" { &from.owner } else { module };
                let folder = before.first().map(|first| first.replace('_', "-")).unwrap_or_default();
                let is_crate = self.functions.iter().any(|function| function.folder == folder);
                let is_meant = |to: &Function| match (owner.starts_with(char::is_uppercase), before.len()) {
                    (true, _) => to.owner == owner,
                    (false, 0) => to.owner.is_empty() && to.file == from.file,
                    (false, 1) if is_crate || module == "crate" => to.owner.is_empty(),
                    (false, _) => to.owner.is_empty() && to.file.contains(&format!("/{module}")),
                };
                let folder = if is_crate { &folder } else { &from.folder };
                let is_near = |to: &Function| to.folder == *folder || owner.starts_with(char::is_uppercase);
                named(name)
                    .filter(|index| is_near(&self.functions[*index]) && is_meant(&self.functions[*index]))
                    .collect()
            }
        }
    }

    /// Returns the path with its first name as the file imports it.
    fn full(&self, from: &Function, path: &[String]) -> Vec<String> {
        let imported = path.first().and_then(|first| self.imports.get(&(from.file.clone(), first.clone())));
        imported.map_or_else(|| path.to_vec(), |imported| imported.iter().chain(&path[1..]).cloned().collect())
    }

    fn add(&mut self, signature: &Signature, block: &syn::Block) {
        let mut body = Body::default();
        body.visit_block(block);
        let name = signature.ident.to_string();
        if let ReturnType::Type(_, returned) = &signature.output {
            self.declare(name.clone(), returned);
        }
        for input in &signature.inputs {
            if let FnArg::Typed(argument) = input
                && let Pat::Ident(argument_name) = &*argument.pat
            {
                self.declare(argument_name.ident.to_string(), &argument.ty);
            }
        }
        let (folder, file, owner) = (self.folder.clone(), self.file.clone(), self.owner.clone());
        for (name, constructed) in body.variables {
            self.types.entry(name).or_default().insert(constructed);
        }
        self.functions.push(Function {
            folder,
            file,
            owner,
            name,
            calls: body.calls,
            arms: body.arms,
            index: body.index,
        });
    }

    fn declare(&mut self, name: String, declared: &Type) {
        let mut names = TypeNames::default();
        names.visit_type(declared);
        let owner = self.owner.clone();
        let names = names.0.into_iter().map(|name| if name == "Self" { owner.clone() } else { name });
        self.types.entry(name).or_default().extend(names);
    }
}

impl<'a> Visit<'a> for Code {
    fn visit_item_impl(&mut self, block: &'a ItemImpl) {
        let Type::Path(owner) = &*block.self_ty else { return };
        self.owner = owner.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        visit::visit_item_impl(self, block);
        self.owner.clear();
    }

    fn visit_impl_item_fn(&mut self, function: &'a ImplItemFn) {
        self.add(&function.sig, &function.block);
    }

    fn visit_item_fn(&mut self, function: &'a ItemFn) {
        self.add(&function.sig, &function.block);
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        for (path, _) in imports(&item.tree) {
            let path: Vec<_> = path.split("::").map(str::to_owned).collect();
            let name = path.last().cloned().unwrap_or_default();
            self.imports.insert((self.file.clone(), name), path);
        }
    }

    fn visit_field(&mut self, field: &'a syn::Field) {
        if let Some(name) = &field.ident {
            self.declare(name.to_string(), &field.ty);
        }
    }
}

/// The names in a type: those of its paths, parameters of generics included.
#[derive(Default)]
struct TypeNames(Names);

impl<'a> Visit<'a> for TypeNames {
    fn visit_path_segment(&mut self, segment: &'a syn::PathSegment) {
        self.0.insert(segment.ident.to_string());
        visit::visit_path_segment(self, segment);
    }
}

#[derive(Default)]
struct Body {
    calls: Vec<Call>,
    arms: Vec<(String, Vec<Call>)>,
    /// The variables that are set to a new value of a type.
    variables: Vec<(String, String)>,
    /// The name of an index among the literals. It begins with `by_`.
    index: Option<String>,
}

impl<'a> Visit<'a> for Body {
    fn visit_local(&mut self, local: &'a syn::Local) {
        if let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init)
            && let Some(constructed) = constructed(&init.expr)
        {
            self.variables.push((name.ident.to_string(), constructed));
        }
        visit::visit_local(self, local);
    }

    fn visit_lit_str(&mut self, literal: &'a syn::LitStr) {
        self.index = Some(literal.value()).filter(|name| name.starts_with("by_")).or(self.index.take());
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.calls.push(Call::Method(last_name(&call.receiver), call.method.to_string()));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'a syn::ExprPath) {
        self.calls.push(Call::Path(path.path.segments.iter().map(|segment| segment.ident.to_string()).collect()));
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        let path = match &arm.pat {
            Pat::TupleStruct(pattern) => &pattern.path,
            Pat::Path(pattern) => &pattern.path,
            _ => return visit::visit_arm(self, arm),
        };
        let name = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let mut body = Self::default();
        body.visit_expr(&arm.body);
        self.arms.push((snake_case(&name), body.calls));
        visit::visit_arm(self, arm);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        let parse = syn::punctuated::Punctuated::<Expr, syn::Token![,]>::parse_terminated;
        for argument in call.parse_body_with(parse).into_iter().flatten() {
            let mut body = Self::default();
            body.visit_expr(&argument);
            self.calls.extend(body.calls);
            self.arms.extend(body.arms);
        }
    }
}

/// Returns the last name of an expression: of a variable, a field, a called function or method.
fn last_name(expression: &Expr) -> String {
    match expression {
        Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default(),
        Expr::Field(field) => match &field.member {
            syn::Member::Named(name) => name.to_string(),
            syn::Member::Unnamed(_) => String::new(),
        },
        Expr::MethodCall(call) => call.method.to_string(),
        Expr::Call(call) => last_name(&call.func),
        Expr::Await(inner) => last_name(&inner.base),
        Expr::Try(inner) => last_name(&inner.expr),
        Expr::Paren(inner) => last_name(&inner.expr),
        Expr::Reference(inner) => last_name(&inner.expr),
        _ => String::new(),
    }
}

/// Returns the type of a struct expression or of an associated function.
fn constructed(expression: &Expr) -> Option<String> {
    let (path, from_end) = match expression {
        Expr::Struct(made) => (&made.path, 1),
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => (&path.path, 2),
            _ => return None,
        },
        _ => return None,
    };
    let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    segments.len().checked_sub(from_end).map(|at| segments[at].clone())
}

fn snake_case(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_uppercase() { format!("_{}", c.to_lowercase()) } else { c.to_string() });
    letters.collect::<String>().trim_start_matches('_').to_owned()
}
