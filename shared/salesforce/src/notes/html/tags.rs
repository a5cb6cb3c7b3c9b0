//! The meaning of each tag for a note.

/// The treatment of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Part of a line, written as this tag.
    Inline(&'static str),
    /// A link, or an anchor, which is none.
    Link,
    /// A line break.
    Break,
    /// A block that notes have, written as this tag.
    Block(&'static str),
    /// A block that notes do not have: a line of its own.
    Line,
    /// A bold line.
    Heading,
    /// A block in which line breaks and spaces count.
    Preformatted,
    /// A table.
    Table,
    /// The part of a table whose cells are headers.
    TableHead,
    /// A row of a table.
    Row,
    /// A cell of a table.
    Cell,
    /// A cell of a table, in bold.
    HeaderCell,
    /// An image: its alternative text, as a link to it.
    Image,
    /// An embedded document or recording: a link to it.
    Media,
    /// A form field, of which a checkbox is kept.
    Input,
    /// Removed with its content.
    Removed,
    /// Removed, while its content stays.
    Transparent,
}

use Role::*;

/// The roles of all tags that are not [`Role::Transparent`].
pub(super) const ROLES: &[(Role, &[&str])] = &[
    (Inline("b"), &["b"]),
    (Inline("strong"), &["strong"]),
    (Inline("i"), &["i"]),
    (Inline("em"), &["em"]),
    (Inline("u"), &["u", "ins"]),
    (Inline("s"), &["s", "strike", "del"]),
    (Link, &["a"]),
    (Break, &["br"]),
    (Block("p"), &["p"]),
    (Block("ul"), &["ul", "menu", "dir"]),
    (Block("ol"), &["ol"]),
    (Block("li"), &["li"]),
    (Heading, &["h1", "h2", "h3", "h4", "h5", "h6"]),
    (Table, &["table"]),
    (TableHead, &["thead"]),
    (Row, &["tr"]),
    (Cell, &["td"]),
    (HeaderCell, &["th"]),
    (Preformatted, &["pre", "listing", "textarea"]),
    (
        Line,
        &[
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "caption",
            "center",
            "dd",
            "details",
            "dialog",
            "div",
            "dl",
            "dt",
            "fieldset",
            "figcaption",
            "figure",
            "footer",
            "form",
            "head",
            "header",
            "hgroup",
            "hr",
            "html",
            "legend",
            "main",
            "nav",
            "optgroup",
            "option",
            "search",
            "section",
            "select",
            "summary",
            "tbody",
            "tfoot",
        ],
    ),
    (Image, &["img"]),
    (Media, &["audio", "embed", "iframe", "video"]),
    (Input, &["input"]),
    (Removed, &["script", "style", "template", "title"]),
];

/// Returns the role of a tag; its name is in lower case.
pub(super) fn role(name: &str) -> Role {
    let known = ROLES.iter().find(|(_, names)| names.contains(&name));
    known.map_or(Transparent, |(role, _)| *role)
}

impl Role {
    /// Returns what becomes of the tag, as the documentation says it.
    #[cfg(test)]
    pub(super) fn meaning(self) -> String {
        match self {
            Inline(tag) | Block(tag) => format!("`{tag}`"),
            Link => {
                "a link, if its address begins with `http://`, `https://` or `mailto:`; otherwise its text".to_owned()
            }
            Break => "a line break".to_owned(),
            Line => "a line of its own".to_owned(),
            Heading => "a bold line".to_owned(),
            Preformatted => "lines with their line breaks and spaces".to_owned(),
            Table => "its rows".to_owned(),
            TableHead => "rows with bold cells".to_owned(),
            Row => "a line".to_owned(),
            Cell => "its text, separated from the next cell by ` \\| `".to_owned(),
            HeaderCell => "the same in bold".to_owned(),
            Image => "its alternative text, as a link to the image".to_owned(),
            Media => "its title, as a link".to_owned(),
            Input => "`[x]` or `[ ]` for a checkbox; otherwise removed".to_owned(),
            Removed => "removed with its content".to_owned(),
            Transparent => "removed; its content stays".to_owned(),
        }
    }
}
