//! The calls to AWS that the code of a function reaches.
//!
//! The calls are found in the sources. A method call is followed if its receiver's name is declared somewhere with a type of
//! ours: a field, a parameter, or a function that returns it. A call on a name `client` in `store` is a call to AWS. The
//! resource is that of the store's type through which it is reached, by the function's environment variable.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{FnArg, ImplItemFn, ItemFn, ItemImpl, ItemUse, Pat, ReturnType, Signature, Type};

use super::syntax::{Body, Call, TypeNames};
use crate::Names;
use crate::source::{imports, production};

/// The IAM actions of the SDK's methods. Those that Lambda calls for a function are among [`of_triggers`].
const ACTIONS: [(&str, &str); 27] = [
    ("batch_get_item", "dynamodb:BatchGetItem"),
    ("batch_write_item", "dynamodb:BatchWriteItem"),
    ("change_message_visibility_batch", "sqs:ChangeMessageVisibility"),
    ("create_secret", "secretsmanager:CreateSecret"),
    ("delete_item", "dynamodb:DeleteItem"),
    ("delete_message_batch", "sqs:DeleteMessage"),
    ("delete_object", "s3:DeleteObject"),
    ("delete_objects", "s3:DeleteObject"),
    ("delete_secret", "secretsmanager:DeleteSecret"),
    ("get_item", "dynamodb:GetItem"),
    ("get_object", "s3:GetObject"),
    ("get_queue_attributes", "sqs:GetQueueAttributes"),
    ("get_queue_url", "sqs:GetQueueUrl"),
    ("get_secret_value", "secretsmanager:GetSecretValue"),
    ("list_objects_v2", "s3:ListBucket"),
    ("put_events", "events:PutEvents"),
    ("put_item", "dynamodb:PutItem"),
    ("put_object", "s3:PutObject"),
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

/// The types of the store that are clients of a resource. The tables of `OrgData` are those that hold an org's data.
const CLIENTS: [&str; 26] = [
    "Apps",
    "Audits",
    "Authorizations",
    "Budgets",
    "ClientKeys",
    "Connections",
    "Cursors",
    "DeadLetters",
    "Deliveries",
    "Erasures",
    "EventBus",
    "EventDeliveries",
    "EventEndpoints",
    "Freshness",
    "OrgData",
    "OrgSettingsTable",
    "Orgs",
    "Origins",
    "Pipelines",
    "Queue",
    "Records",
    "StagedFiles",
    "TokenVault",
    "UserMappings",
    "WriteOrder",
    "Writes",
];

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
pub(super) struct Code {
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
    pub(super) fn read() -> Self {
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

    pub(super) fn functions_of(&self, folder: &str) -> Vec<usize> {
        (0..self.functions.len()).filter(|index| self.functions[*index].folder == folder).collect()
    }

    /// Returns the functions that handle these operations, separated by commas.
    pub(super) fn handlers(&self, folder: &str, operations: &str) -> Vec<usize> {
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
    pub(super) fn calls_from(&self, starts: Vec<usize>) -> BTreeMap<(String, String), String> {
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
