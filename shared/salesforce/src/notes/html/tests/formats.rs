//! Notes as text and as Markdown.

use super::*;

fn markdown(html: &str) -> String {
    NoteHtml::from_html(html).html.to_markdown()
}

fn from_markdown(markdown: &str) -> String {
    NoteHtml::from_markdown(markdown).html.0
}

#[test]
fn markdown_becomes_what_notes_have() {
    assert_eq!(
        from_markdown("# Call\n\nMet **R&D**\\\nnext: *offer*"),
        "<b>Call</b><p>Met <strong>R&amp;D</strong><br>next: <em>offer</em></p> "
    );
    assert_eq!(from_markdown("| a | b |\n|---|---|\n| 1 | 2 |"), "<b>a</b> | <b>b</b><br>1 | 2");
    assert_eq!(
        from_markdown("- [x] done\n- [ ] open\n  1. ~~old~~"),
        "<ul> <li>[x] done</li> <li>[ ] open <ol> <li><s>old</s></li> </ol> </li> </ul> "
    );
    assert_eq!(
        from_markdown("[x](https://x.example) <script>no</script>"),
        r#"<p><a href="https://x.example">x</a> </p> "#
    );
    assert_eq!(from_markdown("```\na  b\nc\n```"), "a\u{a0} b<br>c<br>");
}

#[test]
fn a_note_as_markdown() {
    assert_eq!(
        markdown("<h1>Call</h1><p>Met <b>Ann</b>, <i>Bob</i>.</p><p>a<br>b</p>"),
        "**Call**\n\nMet **Ann**, *Bob*.\n\na\\\nb"
    );
    assert_eq!(markdown("<ul><li>a<ol><li>b<li>c</ol><li>d</ul>e"), "- a\n  1. b\n  2. c\n- d\n\ne");
    assert_eq!(
        markdown("x<b>y</b>z <u>u</u> <a href='https://x.example/(1)'>l</a>"),
        "x<b>y</b>z <u>u</u> [l](https://x.example/\\(1\\))"
    );
    assert_eq!(markdown("1. a<br># b<br>*c*<br>- d"), "1\\. a\\\n\\# b\\\n\\*c\\*\\\n\\- d");
}

#[test]
fn a_note_as_text() {
    let text = |html: &str| NoteHtml::from_html(html).html.to_text();
    assert_eq!(text("<p>Met <b>R&amp;D</b></p><p><br></p><ul><li>a<ol><li>b</ol></ul>"), "Met R&D\n\n- a\n  1. b");
    assert_eq!(
        text("<a href='https://x.example'>page</a>, <a href='mailto:a@b'>a@b</a>"),
        "page (https://x.example), a@b"
    );
}

#[test]
fn hostile_markdown_takes_bounded_time() {
    let cells = "a|".repeat(20_000);
    let rules = "-|".repeat(20_000);
    let definition = format!("[a]: /{}\n\n", "x".repeat(50_000));
    let hostile = [
        format!("{cells}\n{rules}\n{}", "|\n".repeat(9_000)),
        format!("{definition}{}", "[a] ".repeat(12_000)),
        "> ".repeat(50_000),
        "[".repeat(100_000),
        "*a ".repeat(33_000),
        "- ".repeat(50_000),
        "`".repeat(100_000),
        "<a ".repeat(33_000),
    ];
    for given in hostile {
        within_a_minute(&given, || NoteHtml::from_markdown(&given));
    }
}

/// A note of words, marks, lists and links, as a user may write it.
const NOTE: &str = "(<p>|</p>|<br>|<b>|</b>|<i>|</i>|<u>|</u>|<s>|</s>|<ul>|</ul>|<ol>|<li>|</li>|<a href=\"https://x.example/a_b(c)?d=1&amp;e\">|</a>| |a|bc|1\\. |# |- |\\* |\\*|_|`|\\[x\\]|\\(y\\)|&amp;|&lt;b&gt;|&amp;amp;|\\||~|=|:-|\\\\|>|!|\\.|---|\\+ |é|東){0,30}";

proptest! {
    #[test]
    fn text_is_returned_as_it_was_given(given in "[ -~é東\n]{0,60}") {
        let given = given.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let text = NoteHtml::from_text(&given).html.to_text();
        prop_assert_eq!(text.trim_end_matches('\n'), given.trim_end_matches('\n'));
    }

    #[test]
    fn markdown_reads_back_as_the_same_words(given in NOTE) {
        let note = NoteHtml::from_html(&given).html;
        let markdown = note.to_markdown();
        let back = NoteHtml::from_markdown(&markdown).html;
        prop_assert_eq!(visible_text(back.as_str()), visible_text(note.as_str()), "{} as {}", note.as_str(), markdown);
        let links = |note: &NoteHtml| note.as_str().matches("<a href=\"https://x.example/a_b(c)?d=1&amp;e\">").count() > 0;
        prop_assert_eq!(links(&back), links(&note), "{}", markdown);
    }

    #[test]
    fn markdown_keeps_lines_and_items(given in "(<p>a</p>|<br>|b|<ul><li>c</li><li>d</li></ul>|<ol><li>e<ul><li>f</li></ul></li></ol>){0,8}") {
        let words = |note: &NoteHtml| {
            note.to_text().lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let note = NoteHtml::from_html(&given).html;
        let back = NoteHtml::from_markdown(&note.to_markdown()).html;
        prop_assert_eq!(words(&back), words(&note), "{} as {}", note.as_str(), note.to_markdown());
    }
}
