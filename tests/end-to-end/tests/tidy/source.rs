//! Parsed Rust.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{ImplItem, Item, ItemUse, Meta, Token, UseTree};

use crate::repository::{File, files};

/// A parsed Rust file.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a File,
    pub(crate) syntax: syn::File,
    /// The number of lines, without those that [`Source::without_tests`] removed.
    pub(crate) lines: usize,
}

/// Returns the code below the folders that runs in production, without its tests.
pub(crate) fn production<'a>(folders: &'a [&'a str]) -> impl Iterator<Item = Source<'static>> + 'a {
    let ours = folders.iter().flat_map(|folder| files(folder, ".rs"));
    ours.filter(|file| file.path.contains("/src/")).map(|file| Source::parse(file).without_tests())
}

impl<'a> Source<'a> {
    pub(crate) fn parse(file: &'a File) -> Self {
        let syntax = syn::parse_file(&file.text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.place(error.span().start().line)));
        Self { file, syntax, lines: file.text.lines().count() }
    }

    /// Removes the items that are compiled only for tests.
    pub(crate) fn without_tests(mut self) -> Self {
        let (_, module) = self.file.path.split_once("/src/").unwrap_or_default();
        if module.ends_with("tests.rs") || module.contains("tests/") {
            self.syntax.items.clear();
            self.lines = 0;
        } else {
            let mut tests = RemoveTests::default();
            tests.visit_file_mut(&mut self.syntax);
            self.lines -= tests.lines;
        }
        self
    }

    /// Returns the places of the paths, also inside macros and among imports; not in comments or literals.
    pub(crate) fn places_of(&self, paths: &[&str]) -> Vec<String> {
        let code = tokens(self.syntax.to_token_stream());
        let mut imports = Imports::default();
        imports.visit_file(&self.syntax);
        let mut lines = BTreeSet::new();
        for path in paths {
            let wanted: Vec<_> = tokens(path.parse().expect("a path")).into_iter().map(|(text, _)| text).collect();
            let used = code.windows(wanted.len()).filter(|tokens| tokens.iter().map(|(text, _)| text).eq(&wanted));
            lines.extend(used.map(|tokens| tokens[0].1));
            let imported = imports.0.iter().filter(|(import, _)| import.ends_with(&format!("::{path}")));
            lines.extend(imported.map(|(_, line)| *line));
        }
        lines.into_iter().map(|line| self.file.place(line)).collect()
    }
}

/// An attribute and its place.
pub(crate) struct Attribute<'a> {
    file: &'a File,
    line: usize,
    meta: Meta,
}

impl Attribute<'_> {
    /// Returns the place of the attribute if it breaks the rule.
    pub(crate) fn places_if(&self, breaks_rule: impl Fn(&Meta) -> bool) -> Vec<String> {
        if breaks_rule(&self.meta) { vec![self.file.place(self.line)] } else { Vec::new() }
    }
}

/// Returns all attributes of a file, doc comments included; also those inside macros and `cfg_attr`.
pub(crate) fn attributes(file: &File) -> impl Iterator<Item = Attribute<'_>> {
    let tokens = file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
    let mut found = Vec::new();
    collect_attributes(tokens, &mut found);
    found.into_iter().map(move |(meta, line)| Attribute { file, line, meta })
}

/// Returns every name that is imported, with its path and line, for example `tokio::spawn`.
pub(crate) fn imports(tree: &UseTree) -> Vec<(String, usize)> {
    let name = match tree {
        UseTree::Path(path) => {
            let below = imports(&path.tree).into_iter();
            return below.map(|(name, line)| (format!("{}::{name}", path.ident), line)).collect();
        }
        UseTree::Group(group) => return group.items.iter().flat_map(imports).collect(),
        UseTree::Name(name) => name.ident.to_string(),
        UseTree::Rename(name) => name.ident.to_string(),
        _ => "*".to_owned(),
    };
    vec![(name, tree.span().start().line)]
}

#[derive(Default)]
struct Imports(Vec<(String, usize)>);

impl Visit<'_> for Imports {
    fn visit_item_use(&mut self, item: &ItemUse) {
        self.0.extend(imports(&item.tree));
    }
}

/// Returns the tokens with their lines, in order. A group is flattened: its delimiters are not returned.
fn tokens(stream: TokenStream) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut streams = vec![stream.into_iter()];
    while let Some(stream) = streams.last_mut() {
        match stream.next() {
            Some(TokenTree::Group(group)) => streams.push(group.stream().into_iter()),
            Some(token) => found.push((token.to_string(), token.span().start().line)),
            None => _ = streams.pop(),
        }
    }
    found
}

fn collect_attributes(stream: TokenStream, found: &mut Vec<(Meta, usize)>) {
    let mut after_hash = false;
    for token in stream {
        match token {
            TokenTree::Group(group) => {
                let line = group.span().start().line;
                match syn::parse2::<Meta>(group.stream()) {
                    Ok(meta) if after_hash && group.delimiter() == Delimiter::Bracket => {
                        add_attribute(meta, line, found)
                    }
                    _ => collect_attributes(group.stream(), found),
                }
                after_hash = false;
            }
            // `#[...]` or `#![...]`
            TokenTree::Punct(punct) => after_hash = punct.as_char() == '#' || after_hash && punct.as_char() == '!',
            _ => after_hash = false,
        }
    }
}

fn add_attribute(meta: Meta, line: usize, found: &mut Vec<(Meta, usize)>) {
    let conditional = meta.require_list().ok().filter(|list| list.path.is_ident("cfg_attr"));
    let attributes =
        conditional.and_then(|list| list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok());
    for attribute in attributes.into_iter().flatten().skip(1) {
        add_attribute(attribute, line, found);
    }
    found.push((meta, line));
}

/// Removes what is compiled only for tests.
#[derive(Default)]
struct RemoveTests {
    /// The number of lines that were removed.
    lines: usize,
}

impl RemoveTests {
    fn is_kept(&mut self, item: &impl syn::spanned::Spanned, attributes: &[syn::Attribute]) -> bool {
        let test = attributes.iter().any(is_for_tests);
        if test {
            let span = item.span();
            self.lines += span.end().line - span.start().line + 1;
        }
        !test
    }
}

impl VisitMut for RemoveTests {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| self.is_kept(item, attributes_of(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| self.is_kept(item, attributes_of(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| match item {
            ImplItem::Fn(function) => self.is_kept(function, &function.attrs),
            ImplItem::Const(constant) => self.is_kept(constant, &constant.attrs),
            _ => true,
        });
        visit_mut::visit_item_impl_mut(self, block);
    }
}

/// Returns whether the attribute is `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn is_for_tests(attribute: &syn::Attribute) -> bool {
    let requires_test = |condition: &Meta| {
        let all = condition.require_list().ok().filter(|list| list.path.is_ident("all"));
        let all = all.and_then(|list| list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok());
        condition.path().is_ident("test")
            || all.into_iter().flatten().any(|condition| condition.path().is_ident("test"))
    };
    attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(|condition| requires_test(&condition))
}

fn attributes_of(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(syn::ItemConst { attrs, .. })
        | Item::Enum(syn::ItemEnum { attrs, .. })
        | Item::Fn(syn::ItemFn { attrs, .. })
        | Item::Impl(syn::ItemImpl { attrs, .. })
        | Item::Macro(syn::ItemMacro { attrs, .. })
        | Item::Mod(syn::ItemMod { attrs, .. })
        | Item::Static(syn::ItemStatic { attrs, .. })
        | Item::Struct(syn::ItemStruct { attrs, .. })
        | Item::Trait(syn::ItemTrait { attrs, .. })
        | Item::Type(syn::ItemType { attrs, .. })
        | Item::Use(ItemUse { attrs, .. }) => attrs,
        _ => &[],
    }
}
