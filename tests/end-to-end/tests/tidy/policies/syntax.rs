//! The calls and the types in a piece of syntax.

use syn::visit::{self, Visit};
use syn::{Expr, Pat};

use crate::Names;

/// A call in the body of a function.
#[derive(Clone)]
pub(super) enum Call {
    /// The last name of the receiver, and the method.
    Method(String, String),
    /// The segments of a path, which may be that of a function.
    Path(Vec<String>),
}

/// The names in a type: those of its paths, parameters of generics included.
#[derive(Default)]
pub(super) struct TypeNames(pub(super) Names);

impl<'a> Visit<'a> for TypeNames {
    fn visit_path_segment(&mut self, segment: &'a syn::PathSegment) {
        self.0.insert(segment.ident.to_string());
        visit::visit_path_segment(self, segment);
    }
}

#[derive(Default)]
pub(super) struct Body {
    pub(super) calls: Vec<Call>,
    pub(super) arms: Vec<(String, Vec<Call>)>,
    /// The variables that are set to a new value of a type.
    pub(super) variables: Vec<(String, String)>,
    /// The name of an index among the literals. It begins with `by_`.
    pub(super) index: Option<String>,
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
