//! The lines of a note, for the formats that are not HTML.

use super::tags::{Role, role};
use super::tokens::{Token, tokens};

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The enclosing list items, outermost first.
    pub(super) items: Vec<Item>,
    /// The line is the first of a paragraph or another block, and does not follow a line break.
    pub(super) begins_block: bool,
    pub(super) runs: Vec<Run>,
}

/// An item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) marker: Marker,
    /// The number of its list in the note, by which two lists in succession are told apart.
    pub(super) list: usize,
    /// The line is the first of the item.
    pub(super) begins: bool,
}

/// The marker of a list item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// An item of a list without numbers.
    Bullet,
    /// An item of a numbered list.
    Number(usize),
}

/// A text whose marks are the same throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) text: String,
    pub(super) marks: Marks,
    /// The address of a link.
    pub(super) href: Option<String>,
}

/// The marks of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) underlined: bool,
    pub(super) struck: bool,
}

impl Marker {
    /// Returns the marker with the space after it, as text and Markdown have it.
    pub(super) fn text(self) -> String {
        match self {
            Self::Bullet => "- ".to_owned(),
            Self::Number(number) => format!("{number}. "),
        }
    }
}

/// Returns the lines of a fragment that has only the tags of a note.
pub(super) fn lines(html: &str) -> Vec<Line> {
    let mut reader = Reader::default();
    for token in tokens(html) {
        match token {
            Token::Text(text) => reader.text(&text),
            Token::Start { name, attributes } => reader.start(role(&name), attributes.get("href")),
            Token::End(name) => reader.end(role(&name)),
        }
    }
    reader.end_block();
    reader.lines
}

/// Returns the lines as text.
pub(super) fn text(lines: &[Line]) -> String {
    let lines = lines.iter().map(|line| {
        let mut text = line.indentation();
        for run in &line.runs {
            text.push_str(&run.text);
            if let Some(href) =
                run.href.as_ref().filter(|href| href.strip_prefix("mailto:").unwrap_or(href) != run.text)
            {
                text.push_str(&format!(" ({href})"));
            }
        }
        text
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Line {
    /// Returns the markers of the items that begin on the line, and spaces of the width of the others.
    pub(super) fn indentation(&self) -> String {
        let width = |item: &Item| " ".repeat(item.marker.text().len());
        self.items.iter().map(|item| if item.begins { item.marker.text() } else { width(item) }).collect()
    }

    /// Returns the outermost item that begins on the line.
    pub(super) fn first_item(&self) -> Option<&Item> {
        self.items.iter().find(|item| item.begins)
    }

    /// Returns the indentation of the line's list, if that follows another list of the line before, of which Markdown would make
    /// one.
    pub(super) fn begins_next_list(&self, before: &Self) -> Option<String> {
        let place = self.items.iter().zip(&before.items).position(|(one, other)| one.list != other.list)?;
        let outer = self.items.get(..place).unwrap_or_default();
        Some(outer.iter().map(|item| " ".repeat(item.marker.text().len())).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.iter().all(|run| run.text.trim().is_empty())
    }
}

/// An open list.
struct List {
    number: usize,
    /// The number of items so far; `None` for a list without numbers.
    items: Option<usize>,
}

#[derive(Default)]
struct Reader {
    lines: Vec<Line>,
    line: Line,
    /// The open lists.
    lists: Vec<List>,
    /// The number of lists so far.
    list_count: usize,
    items: Vec<Item>,
    /// A block began that has no line yet.
    begins_block: bool,
    marks: Vec<Role>,
    href: Option<String>,
}

impl Reader {
    fn text(&mut self, text: &str) {
        if text.is_empty() || (self.line.runs.is_empty() && text.trim_matches([' ', '\t']).is_empty()) {
            return;
        }
        let is_marked =
            |names: [&str; 2]| self.marks.iter().any(|mark| matches!(mark, Role::Inline(name) if names.contains(name)));
        let marks = Marks {
            bold: is_marked(["b", "strong"]),
            italic: is_marked(["i", "em"]),
            underlined: is_marked(["u", "u"]),
            struck: is_marked(["s", "s"]),
        };
        self.line.runs.push(Run { text: text.to_owned(), marks, href: self.href.clone() });
    }

    fn start(&mut self, role: Role, href: Option<&str>) {
        match role {
            Role::Inline(_) => self.marks.push(role),
            Role::Link => self.href = href.map(str::to_owned),
            Role::Break => self.end_line(),
            Role::Block(tag) => {
                self.end_block();
                match tag {
                    "ul" => self.start_list(None),
                    "ol" => self.start_list(Some(0)),
                    "li" => self.start_item(),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn start_list(&mut self, items: Option<usize>) {
        self.list_count += 1;
        self.lists.push(List { number: self.list_count, items });
    }

    fn start_item(&mut self) {
        let marker = match self.lists.last_mut().and_then(|list| list.items.as_mut()) {
            Some(items) => {
                *items += 1;
                Marker::Number(*items)
            }
            None => Marker::Bullet,
        };
        self.items.push(Item { marker, list: self.lists.last().map_or(0, |list| list.number), begins: true });
    }

    fn end(&mut self, role: Role) {
        match role {
            Role::Inline(_) => drop(self.marks.pop()),
            Role::Link => self.href = None,
            Role::Block(tag) => {
                self.end_block();
                match tag {
                    "ul" | "ol" => drop(self.lists.pop()),
                    "li" => drop(self.items.pop()),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Ends a line that has text, and the block that it belongs to.
    fn end_block(&mut self) {
        if !self.line.runs.is_empty() {
            self.end_line();
        }
        self.begins_block = true;
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        line.items = self.items.clone();
        for item in &mut self.items {
            item.begins = false;
        }
        line.begins_block = std::mem::take(&mut self.begins_block);
        self.lines.push(line);
    }
}
