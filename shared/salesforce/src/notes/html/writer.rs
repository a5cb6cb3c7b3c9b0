//! The mapping of HTML to the tags that a note keeps, in one pass over the tokens.
//!
//! A boundary between blocks is only remembered when it is seen, and written before the next text: so there are no empty lines
//! at the edges, and an inline tag around nothing is not written at all.

mod boundaries;

use boundaries::Pending;

use super::changes::{ChangeKind, Changes};
use super::tables::data_tables;
use super::tags::{Role, role};
use super::tokens::{Attributes, Token};
use super::{escape, is_link};

/// The number of elements inside one another. Deeper ones are removed, and their text stays.
pub(super) const MAX_DEPTH: usize = 64;

/// Returns the note of these tokens, and the differences.
pub(super) fn write(tokens: &[Token]) -> (String, Changes) {
    let mut writer = Writer { tables: data_tables(tokens), ..Writer::default() };
    for token in tokens {
        writer.token(token);
    }
    writer.close(0);
    (writer.html, writer.changes)
}

/// An open element.
struct Element {
    /// The name by which its end tag finds it. All headings have one, and all cells.
    name: &'static str,
    /// The tag, if it is or may be written.
    tag: Option<&'static str>,
    /// The address of a link.
    href: Option<String>,
    is_written: bool,
}

impl Element {
    fn new(name: &'static str, tag: Option<&'static str>) -> Self {
        Self { name, tag, href: None, is_written: false }
    }
}

/// Writes a balanced fragment.
#[derive(Default)]
struct Writer {
    html: String,
    /// The open elements, outermost first.
    open: Vec<Element>,
    /// The element that is being removed, until its end tag.
    removing: Option<String>,
    /// For each table that is still to come, last first, whether its rows are written as lines of cells.
    tables: Vec<bool>,
    /// The number of cells of the current row.
    cells: usize,
    /// Inside a cell of a row that is written as a line: blocks do not begin lines.
    in_line_of_cells: bool,
    /// The text of the current cell has begun.
    has_cell_text: bool,
    /// The boundaries before the next text.
    pending: Pending,
    changes: Changes,
}

impl Writer {
    fn token(&mut self, token: &Token) {
        match (&self.removing, token) {
            (Some(removed), Token::End(name)) if name == removed => self.removing = None,
            (Some(_), Token::Start { name, .. }) if role(name) == Role::Table => drop(self.tables.pop()),
            (Some(_), _) => {}
            (None, Token::Text(text)) => self.text(text),
            (None, Token::Start { name, attributes }) => self.start(name, attributes),
            (None, Token::End(name)) => self.end(role(name)),
        }
    }

    fn text(&mut self, text: &str) {
        let begins = std::mem::take(&mut self.pending.preformatted);
        if !self.is_open("pre") {
            return self.words(&text.replace(['\r', '\n'], " "));
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.strip_prefix('\n').filter(|_| begins).unwrap_or(&text);
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.break_line();
            }
            self.words(&with_fixed_spaces(line));
        }
    }

    /// Writes text without line breaks.
    fn words(&mut self, text: &str) {
        let (escaped, removed) = escape(text);
        for _ in 0..removed {
            self.changes.add(ChangeKind::CharacterRemoved);
        }
        if escaped.chars().all(|character| character.is_ascii_whitespace()) {
            if !self.pending.is_boundary() && !self.is_between_cells() {
                self.html.push_str(&escaped);
            }
            return;
        }
        let begins = self.write_boundary();
        if std::mem::take(&mut self.pending.space) && !begins && !self.ends_word() && !escaped.starts_with(' ') {
            self.html.push(' ');
        }
        self.write_inline();
        let escaped = if begins { escaped.trim_start_matches([' ', '\t']) } else { &escaped };
        self.html.push_str(escaped);
        self.has_cell_text = true;
    }

    fn start(&mut self, name: &str, attributes: &Attributes) {
        let role = role(name);
        let kept: &[&str] = match role {
            Role::Link => &["href"],
            Role::Image | Role::Media => &["src", "alt", "title", "width", "height"],
            Role::Input => &["type", "checked"],
            _ => &[],
        };
        if !matches!(role, Role::Removed | Role::Transparent) && attributes.has_others(kept) {
            self.changes.add(ChangeKind::AttributesRemoved);
        }
        match role {
            Role::Inline(tag) => self.push(Element::new(tag, Some(tag))),
            Role::Link => self.start_link(attributes.get("href")),
            Role::Break => self.break_line(),
            Role::Block(tag) => self.start_block(tag),
            Role::Line => {
                self.changes.add(ChangeKind::BlockToLine);
                self.separate_block();
            }
            Role::Heading => self.start_heading(),
            Role::Preformatted => {
                self.changes.add(ChangeKind::PreformattedToLines);
                self.separate_block();
                self.push(Element::new("pre", None));
                self.pending.preformatted = true;
            }
            Role::Table => self.start_table(),
            Role::TableHead => {
                self.end_within_table("thead");
                self.separate_block();
                self.push(Element::new("thead", None));
            }
            Role::Row => self.start_row(),
            Role::Cell | Role::HeaderCell => self.start_cell(role == Role::HeaderCell),
            Role::Image => self.image(attributes),
            Role::Media => self.media(name, attributes),
            Role::Input => self.input(attributes),
            Role::Removed => {
                self.changes.add(ChangeKind::ContentRemoved);
                self.removing = Some(name.to_owned());
            }
            Role::Transparent => self.changes.add(ChangeKind::TagRemoved),
        }
    }

    fn start_link(&mut self, href: Option<&str>) {
        // A link ends an open one.
        if let Some(open) = self.position("a") {
            self.close(open);
        }
        match href.map(str::trim) {
            Some(href) if is_link(href) => {
                self.push(Element { href: Some(href.to_owned()), ..Element::new("a", Some("a")) });
            }
            Some(href) if !href.is_empty() => self.changes.add(ChangeKind::LinkToText),
            _ => {}
        }
    }

    /// Begins a paragraph, a list or an item. An item ends the one before it in the same list.
    fn start_block(&mut self, tag: &'static str) {
        if self.in_line_of_cells {
            self.changes.add(ChangeKind::BlockToLine);
            return self.separate_block();
        }
        if tag == "li" {
            let innermost = self.open.iter().rposition(|open| matches!(open.name, "li" | "ul" | "ol"));
            if let Some(item) = innermost.filter(|at| self.open.get(*at).is_some_and(|open| open.name == "li")) {
                self.close(item);
            }
        }
        self.separate_block();
        if self.open.len() >= MAX_DEPTH {
            return self.changes.add(ChangeKind::NestingCut);
        }
        self.pending = Pending::default();
        self.write_inline();
        self.html.push_str(&format!("<{tag}>"));
        self.open.push(Element { is_written: true, ..Element::new(tag, Some(tag)) });
    }

    fn start_heading(&mut self) {
        self.changes.add(ChangeKind::HeadingToBold);
        if let Some(open) = self.position("heading") {
            self.close(open);
        }
        self.separate_block();
        self.push(Element::new("heading", self.bold()));
    }

    fn start_table(&mut self) {
        let is_line_of_cells = self.tables.pop().unwrap_or_default();
        self.changes.add(ChangeKind::TableToLines);
        self.separate_block();
        self.push(Element::new(if is_line_of_cells { "data table" } else { "table" }, None));
    }

    fn start_row(&mut self) {
        self.end_within_table("tr");
        self.separate_block();
        (self.cells, self.pending.cells) = (0, 0);
        self.push(Element::new("tr", None));
    }

    fn start_cell(&mut self, is_header: bool) {
        self.end_within_table("cell");
        let tag = if is_header || self.is_open("thead") { self.bold() } else { None };
        let is_line_of_cells = self.table().is_some_and(|table| table.name == "data table");
        if !is_line_of_cells || self.open.len() >= MAX_DEPTH {
            self.separate_block();
            return self.push(Element::new("cell", tag));
        }
        self.pending.cells += usize::from(self.cells > 0);
        self.cells += 1;
        (self.in_line_of_cells, self.has_cell_text, self.pending.block_in_cell) = (true, false, false);
        self.push(Element::new("cell", tag));
    }

    fn image(&mut self, attributes: &Attributes) {
        let text = |name| attributes.get(name).map(str::trim).filter(|text| !text.is_empty());
        let is_pixel = ["width", "height"].iter().any(|name| matches!(text(name), Some("0" | "1")));
        let href = text("src").filter(|src| is_link(src) && !is_pixel);
        let alt = text("alt").or_else(|| text("title")).or(href.map(|_| "image"));
        self.changes.add(match (alt, href) {
            (Some(_), Some(_)) => ChangeKind::ImageToLink,
            (Some(_), None) => ChangeKind::ImageToText,
            (None, _) => ChangeKind::ImageRemoved,
        });
        if let Some(alt) = alt {
            self.label(alt, href);
        }
    }

    fn media(&mut self, name: &str, attributes: &Attributes) {
        let text = |name| attributes.get(name).map(str::trim).filter(|text| !text.is_empty());
        let href = text("src").filter(|src| is_link(src));
        self.changes.add(if href.is_some() { ChangeKind::MediaToLink } else { ChangeKind::MediaRemoved });
        if let Some(label) = text("title").or(href) {
            self.label(label, href);
        }
        if name == "iframe" {
            // Its content is for programs that do not know the tag.
            self.removing = Some(name.to_owned());
        }
    }

    fn input(&mut self, attributes: &Attributes) {
        if attributes.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("checkbox")) {
            self.changes.add(ChangeKind::CheckboxToText);
            self.label(if attributes.get("checked").is_some() { "[x]" } else { "[ ]" }, None);
        } else {
            self.changes.add(ChangeKind::TagRemoved);
        }
    }

    /// Writes a text that no tag encloses, as words of their own; as a link, unless it is inside one.
    fn label(&mut self, text: &str, href: Option<&str>) {
        let at = self.open.len();
        if let Some(href) = href.filter(|_| !self.is_open("a")) {
            self.push(Element { href: Some(href.to_owned()), ..Element::new("a", Some("a")) });
        }
        self.pending.space = true;
        self.words(&text.replace(['\r', '\n'], " "));
        self.close(at);
        self.pending.space = true;
    }

    fn end(&mut self, role: Role) {
        match role {
            Role::Inline(tag) => self.end_inline(tag),
            Role::Link => self.end_inline("a"),
            Role::Block(tag) => match self.position_in_cell(tag) {
                Some(at) => self.close(at),
                None => self.separate(),
            },
            Role::Heading => self.end_line("heading"),
            Role::Preformatted => self.end_line("pre"),
            Role::Break | Role::Line => self.separate(),
            Role::Table => {
                if let Some(at) = self.table_position() {
                    self.close(at);
                }
                self.separate();
            }
            Role::TableHead => self.end_within_table("thead"),
            Role::Row => self.end_within_table("tr"),
            Role::Cell | Role::HeaderCell => self.end_within_table("cell"),
            Role::Image | Role::Media | Role::Input | Role::Removed | Role::Transparent => {}
        }
    }

    fn end_inline(&mut self, name: &str) {
        if let Some(at) = self.position_in_cell(name) {
            self.close(at);
        }
    }

    fn end_line(&mut self, name: &str) {
        self.end_inline(name);
        self.separate();
    }

    /// Ends the innermost part of that name of the innermost table.
    fn end_within_table(&mut self, name: &str) {
        let table = self.table_position();
        if let Some(at) = self.position(name).filter(|at| table.is_some_and(|table| *at > table)) {
            self.close(at);
        } else if table.is_none() {
            self.separate();
        }
    }
}

/// Keeps the spaces of a line: all but the last of several, and those at its beginning, become no-break spaces, a tab four.
fn with_fixed_spaces(line: &str) -> String {
    let line = line.replace('\t', "    ");
    let mut fixed = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    let mut is_beginning = true;
    while let Some(character) = characters.next() {
        is_beginning &= character == ' ';
        let is_fixed = character == ' ' && (is_beginning || characters.peek() == Some(&' '));
        fixed.push(if is_fixed { '\u{a0}' } else { character });
    }
    fixed
}
