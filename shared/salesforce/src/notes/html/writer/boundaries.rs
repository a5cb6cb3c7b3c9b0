//! The open elements, and what separates a text from the one before it.

use super::super::changes::ChangeKind;
use super::super::escape;
use super::{Element, MAX_DEPTH, Writer};

/// Tags after which a line is empty.
const LINE_STARTS: [&str; 9] = ["<br>", "<p>", "</p>", "<li>", "</li>", "<ul>", "</ul>", "<ol>", "</ol>"];

/// The separator of two blocks in one cell.
const BLOCK_IN_CELL: &str = " / ";

/// The boundaries that were seen since the last text.
#[derive(Default)]
pub(super) struct Pending {
    /// A block began or ended.
    pub(super) line: bool,
    /// The number of cells that began.
    pub(super) cells: usize,
    /// A block began or ended within a cell.
    pub(super) block_in_cell: bool,
    /// Something that is a word of its own.
    pub(super) space: bool,
    /// A preformatted text began: a line break that follows at once does not count.
    pub(super) preformatted: bool,
}

impl Writer {
    /// Ends this element and all within it.
    pub(super) fn close(&mut self, at: usize) {
        while self.open.len() > at {
            let Some(element) = self.open.pop() else { return };
            match (element.name, element.tag) {
                (_, Some(tag)) if element.is_written => self.html.push_str(&format!("</{tag}>")),
                _ => {}
            }
            match element.name {
                "cell" if self.in_line_of_cells => {
                    (self.in_line_of_cells, self.pending.block_in_cell) = (false, false);
                }
                "cell" | "heading" | "pre" | "tr" | "thead" | "table" | "data table" => self.separate(),
                _ => {}
            }
        }
    }

    pub(super) fn push(&mut self, element: Element) {
        if self.open.len() >= MAX_DEPTH {
            self.changes.add(ChangeKind::NestingCut);
        } else {
            self.open.push(element);
        }
    }

    /// A block begins: it ends an open paragraph, and its text does not go on the line.
    pub(super) fn separate_block(&mut self) {
        if let Some(paragraph) = self.position("p") {
            self.close(paragraph);
        }
        self.separate();
    }

    /// Keeps the texts before and after a tag apart.
    pub(super) fn separate(&mut self) {
        if self.in_line_of_cells {
            self.pending.block_in_cell = true;
        } else {
            self.pending.line = true;
        }
    }

    /// Writes a line break that the HTML has.
    pub(super) fn break_line(&mut self) {
        if self.in_line_of_cells {
            self.pending.block_in_cell = true;
        } else {
            self.write_boundary();
            self.html.push_str("<br>");
        }
    }

    /// Writes what separates the next text from the last one. Returns whether there was anything.
    pub(super) fn write_boundary(&mut self) -> bool {
        if !self.pending.is_boundary() {
            return false;
        }
        let pending = std::mem::take(&mut self.pending);
        let length = self.html.trim_end_matches(' ').len();
        self.html.truncate(length);
        if pending.line && !self.is_line_empty() {
            self.html.push_str("<br>");
        }
        if pending.cells > 0 {
            if !self.is_line_empty() {
                self.html.push(' ');
            }
            self.html.push_str(&"| ".repeat(pending.cells));
        } else if pending.block_in_cell && self.has_cell_text {
            self.html.push_str(BLOCK_IN_CELL);
        }
        true
    }

    /// Writes the tags of the open inline elements.
    pub(super) fn write_inline(&mut self) {
        for element in self.open.iter_mut().filter(|element| !element.is_written) {
            match (element.tag, &element.href) {
                (Some(tag), Some(href)) => self.html.push_str(&format!("<{tag} href=\"{}\">", escape(href).0)),
                (Some(tag), None) => self.html.push_str(&format!("<{tag}>")),
                (None, _) => {}
            }
            element.is_written = true;
        }
    }

    /// Returns the tag for bold text, unless the text is bold already.
    pub(super) fn bold(&self) -> Option<&'static str> {
        let is_bold = self.open.iter().any(|open| matches!(open.tag, Some("b" | "strong")));
        (!is_bold).then_some("b")
    }

    pub(super) fn is_open(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.open.iter().rposition(|open| open.name == name)
    }

    /// Returns the innermost element of that name. An end tag ends nothing outside of its cell.
    pub(super) fn position_in_cell(&self, name: &str) -> Option<usize> {
        self.position(name).filter(|at| self.position("cell").is_none_or(|cell| *at > cell))
    }

    pub(super) fn table_position(&self) -> Option<usize> {
        self.open.iter().rposition(|open| matches!(open.name, "table" | "data table"))
    }

    pub(super) fn table(&self) -> Option<&Element> {
        self.open.get(self.table_position()?)
    }

    /// Returns whether white space here is only the layout of the HTML.
    pub(super) fn is_between_cells(&self) -> bool {
        let innermost =
            self.open.iter().rev().find(|open| !matches!(open.name, "b" | "strong" | "i" | "em" | "u" | "s" | "a"));
        innermost.is_some_and(|open| matches!(open.name, "table" | "data table" | "thead" | "tr"))
            || (self.in_line_of_cells && !self.has_cell_text)
    }

    pub(super) fn is_line_empty(&self) -> bool {
        self.html.is_empty() || LINE_STARTS.iter().any(|tag| self.html.ends_with(tag))
    }

    pub(super) fn ends_word(&self) -> bool {
        self.html.ends_with(' ') || self.is_line_empty()
    }
}

impl Pending {
    pub(super) fn is_boundary(&self) -> bool {
        self.line || self.cells > 0 || self.block_in_cell
    }
}
