//! Markdown in both directions.

use pulldown_cmark::{Event, Options, Parser};

use super::escape;
use super::lines::{Item, Line, Marker, Marks, Run};

/// Returns the HTML of CommonMark with tables, strikethrough and task lists. It may have any tags: it is mapped afterwards.
pub(super) fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(markdown, options).map(|event| match event {
        // A renderer writes a line break of the source after it, which would begin the next line with a space.
        Event::HardBreak => Event::InlineHtml("<br>".into()),
        event => event,
    });
    let mut html = String::with_capacity(markdown.len() * 2);
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

/// Returns the lines as CommonMark.
pub(super) fn from_lines(lines: &[Line]) -> String {
    let mut markdown = String::new();
    let mut before: Option<&Line> = None;
    let mut is_block_due = true;
    for line in lines {
        if line.is_empty() {
            is_block_due = true;
            continue;
        }
        let begins_block = line.begins_block || is_block_due || line.first_item().is_some();
        if let Some(before) = before {
            if let Some(indentation) = line.begins_next_list(before) {
                markdown.push_str(&format!("\n\n{indentation}<!-- -->"));
                is_block_due = true;
            }
            let is_tight = !is_block_due && line.first_item().is_some_and(|item| may_follow(item, before));
            markdown.push_str(match (begins_block, is_tight) {
                (false, _) => "\\\n",
                (true, true) => "\n",
                (true, false) => "\n\n",
            });
        }
        markdown.push_str(&line.indentation());
        markdown.push_str(&inline(&line.runs));
        (before, is_block_due) = (Some(line), false);
    }
    markdown
}

/// Returns whether an item can be on the line after another one, without an empty line between. A list that begins with another
/// number than 1 does not end a paragraph.
fn may_follow(item: &Item, before: &Line) -> bool {
    let is_of_same_list = before.items.iter().any(|other| other.list == item.list);
    !before.items.is_empty() && (is_of_same_list || matches!(item.marker, Marker::Bullet | Marker::Number(1)))
}

/// Returns the runs of a line.
fn inline(runs: &[Run]) -> String {
    let mut text = String::new();
    for (number, run) in runs.iter().enumerate() {
        let next = runs.get(number + 1).map_or("", |next| &next.text);
        let (begin, core, end) = with_edges(&run.text);
        text.push_str(begin);
        if !core.is_empty() {
            let is_alone = text.chars().last().is_none_or(char::is_whitespace)
                && end.chars().chain(next.chars()).next().is_none_or(ends_marked_text);
            text.push_str(&marked(core, run, is_alone));
        }
        text.push_str(end);
    }
    with_safe_beginning(text.trim())
}

/// Returns whether marks such as `**` end before this character.
fn ends_marked_text(character: char) -> bool {
    character.is_whitespace() || matches!(character, '.' | ',' | ';' | ':' | '!' | '?')
}

/// Splits the white space at both ends off: a mark does not stand beside it.
fn with_edges(text: &str) -> (&str, &str, &str) {
    let core = text.trim();
    if core.is_empty() {
        return (text, "", "");
    }
    let begin = text.len() - text.trim_start().len();
    let (begin, rest) = text.split_at(begin);
    let (core, end) = rest.split_at(core.len());
    (begin, core, end)
}

/// Writes a text with its marks. Where `**` would not be read as a mark, beside a letter or a punctuation mark, it is HTML.
fn marked(text: &str, run: &Run, is_alone: bool) -> String {
    let Marks { bold, italic, underlined, struck } = run.marks;
    let edges = [text.chars().next(), text.chars().last()];
    let is_plain = is_alone && edges.iter().flatten().all(|edge| edge.is_alphanumeric());
    let mut marked = escape_markdown(text);
    if let Some(href) = &run.href {
        marked = format!("[{marked}]({})", address(href));
    }
    let marks = [(struck, "~~", "s"), (italic, "*", "i"), (bold, "**", "b")];
    let count = marks.iter().filter(|(is_set, ..)| *is_set).count();
    for (_, mark, tag) in marks.iter().filter(|(is_set, ..)| *is_set) {
        marked = if is_plain && count == 1 && run.href.is_none() && !underlined {
            format!("{mark}{marked}{mark}")
        } else {
            format!("<{tag}>{marked}</{tag}>")
        };
    }
    if underlined { format!("<u>{marked}</u>") } else { marked }
}

/// Escapes what has a meaning within a line.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // An exclamation mark before a link makes it an image.
        let is_before_link = character == '!' && characters.peek().is_none();
        if is_before_link || matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' | '|') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Escapes what has a meaning at the beginning of a line: a heading, a list, a rule, an underline.
fn with_safe_beginning(line: &str) -> String {
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    let (number, rest) = line.split_at(digits);
    match rest.chars().next() {
        Some('.' | ')') if !number.is_empty() => format!("{number}\\{rest}"),
        Some('#' | '+' | '-' | '=' | ':') if number.is_empty() => format!("\\{rest}"),
        _ => line.to_owned(),
    }
}

/// Writes the address of a link so that it ends nowhere else.
fn address(href: &str) -> String {
    let mut address = String::with_capacity(href.len());
    for character in escape(href).0.replace("&#39;", "'").chars() {
        match character {
            ' ' | '\t' => address.push_str("%20"),
            '(' | ')' | '\\' | '*' | '_' | '[' | ']' | '~' | '`' | '|' => address.extend(['\\', character]),
            character if character.is_whitespace() => {}
            character => address.push(character),
        }
    }
    address
}
