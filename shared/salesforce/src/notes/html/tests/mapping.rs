//! What notes do not have is mapped without losing words or boundaries.

use super::super::tags::{ROLES, Role};
use super::*;

fn changes(html: &str) -> Vec<(ChangeKind, usize)> {
    NoteHtml::from_html(html).changes.iter().map(|change| (change.kind, change.count)).collect()
}

#[test]
fn the_documentation_has_the_table_of_tags() {
    let page = include_str!("../../../../../../docs/notes.md");
    let rows = page.lines().skip_while(|line| *line != "| tags | become |").skip(2);
    let documented: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    let row = |names: &[&str], role: Role| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("| {} | {} |", names.join(", "), role.meaning())
    };
    let mut expected: Vec<String> = ROLES.iter().map(|(role, names)| row(names, *role)).collect();
    expected.push(format!("| others | {} |", Role::Transparent.meaning()));
    assert_eq!(documented, expected);
}

#[test]
fn a_heading_becomes_a_bold_line() {
    assert_eq!(html("<h2>Next steps</h2>Call Bob"), "<b>Next steps</b><br>Call Bob");
    assert_eq!(html("<p>a<h1>b<b>c</b></h3>d"), "<p>a</p><b>b<b>c</b></b><br>d");
    assert_eq!(html("<b>x<h2>y</h2></b>"), "<b>x<br>y</b>", "bold already");
    assert_eq!(changes("<h1>a</h1><h2>b</h2>"), [(ChangeKind::HeadingToBold, 2)]);
}

#[test]
fn a_table_becomes_a_line_of_cells_for_each_row() {
    let table = "<table>\n <thead>\n <tr> <th>Name</th> <td>Size</td> </tr></thead>\n <tr><td>Acme</td><td>\n <p>1</p><p>2</p></td></tr></table>End";
    assert_eq!(html(table), "<b>Name</b> | <b>Size</b><br>Acme | 1 / 2<br>End");
    assert_eq!(changes("<table><tr><td>1<td>2</table>"), [(ChangeKind::TableToLines, 1)]);
    assert_eq!(html("<table><tr><td>1</td><td>2</td></tr></table>"), "1 | 2");
    assert_eq!(html("<table><tr><td></td><td>b</td><td></td><td>d</td><td></td></tr></table>"), "| b | | d");
    assert_eq!(html("<table><tr><td>a<td>b<br>c<ul><li>d<tr><td>e</table>"), "a | b / c / d<br>e");
    assert_eq!(html("<table><tr><td><b>a</td><td>b</b></td></tr></table>"), "<b>a</b> | b");
}

/// Mail and web pages place their blocks by tables.
#[test]
fn a_table_that_only_places_blocks_keeps_the_blocks() {
    let page = "<table><tr><td><p>Hi</p><ul><li>a</li></ul></td></tr><tr><td>Bye</td></tr></table>";
    assert_eq!(html(page), "<p>Hi</p><ul><li>a</li></ul>Bye");
    let nested = "<table><tr><td>side</td><td><p>x</p><table><tr><td>1</td><td>2</td></tr></table></td></tr></table>";
    assert_eq!(html(nested), "side<p>x</p>1 | 2");
    assert_eq!(
        html("<template><table></table></template><table><tr><td>1<td>2</table>"),
        "1 | 2",
        "a removed table is not counted"
    );
}

#[test]
fn preformatted_text_keeps_its_lines_and_spaces() {
    assert_eq!(html("a<pre>\nb  c\n\td</pre>e"), "a<br>b\u{a0} c<br>\u{a0}\u{a0}\u{a0}\u{a0}d<br>e");
    assert_eq!(html("<blockquote>a</blockquote>b<textarea>c\nd</textarea>"), "a<br>b<br>c<br>d");
}

#[test]
fn an_image_becomes_its_text_and_a_link() {
    assert_eq!(
        html("a<img src=https://x.example/i.png alt='The plan'>b"),
        r#"a <a href="https://x.example/i.png">The plan</a> b"#
    );
    assert_eq!(html("<img src=https://x.example>"), r#"<a href="https://x.example">image</a>"#);
    assert_eq!(html("<a href=https://y><img src=https://x alt=logo></a>"), r#"<a href="https://y">logo</a>"#);
    assert_eq!(html("<img src=data:image/png;base64,xx alt=logo>"), "logo");
    assert_eq!(changes("<img src=cid:1><img src=https://x width=1 height=1>"), [(ChangeKind::ImageRemoved, 2)]);
}

#[test]
fn embedded_content_becomes_a_link_and_the_text_after_it_stays() {
    assert_eq!(html("a<embed src=x>b"), "ab");
    assert_eq!(
        html("<iframe title=Recording src=https://v.example/1>no frames</iframe>after"),
        r#"<a href="https://v.example/1">Recording</a> after"#
    );
    assert_eq!(html("a<svg/>b<svg><style/>c</svg>d<svg><text>e</text></svg><math><mi>f</mi></math>"), "abcdef");
    assert_eq!(html("<head><title>t</title><body>text"), "text", "an end tag of head may be left out");
    assert_eq!(html("<object>a</object><noscript><b>b</b></noscript>"), "a<b>b</b>");
}

#[test]
fn a_checkbox_is_kept() {
    assert_eq!(
        html("<ul><li><input type=checkbox checked>done<li><input type=checkbox>open</ul>"),
        "<ul><li>[x] done</li><li>[ ] open</li></ul>"
    );
}

#[test]
fn lists_stay_nested() {
    assert_eq!(html("<ul><li>a<ol><li>b</ol><li>c</ul>"), "<ul><li>a<ol><li>b</li></ol></li><li>c</li></ul>");
    assert_eq!(html("<p>a<ul><li>b</ul>"), "<p>a</p><ul><li>b</li></ul>");
}

#[test]
fn old_names_of_a_mark_are_read() {
    assert_eq!(html("<strike>a</strike><del>b</del><ins>c</ins>"), "<s>a</s><s>b</s><u>c</u>");
}

#[test]
fn named_entities_are_understood() {
    assert_eq!(html("Caf&eacute; &ndash; it&rsquo;s"), "Café – it’s");
    let named = "&AElig;&Zcaron;&hellip;&euro;&trade;&rarr;&check;&NotEqualTilde;&fjlig;&CounterClockwiseContourIntegral;&copy &amp;&lt;";
    assert_eq!(html(named), "ÆŽ…€™→✓≂̸fj∳© &amp;&lt;");
}

/// The names are those of html5ever. The HTML standard has 2,231, and 106 of them also without a semicolon.
#[test]
fn every_name_of_the_html_standard_is_known() {
    let names = html5ever::data::NAMED_ENTITIES.entries();
    let complete: Vec<&str> = names.filter(|(_, (first, _))| *first != 0).map(|(name, _)| *name).collect();
    assert_eq!(complete.len(), 2_231);
    for name in complete {
        let text = html(&format!("<b>&{name}</b>"));
        assert!(
            !text.contains(&format!("&amp;{}", name.trim_end_matches(';'))) || name.starts_with("amp"),
            "{name}: {text}"
        );
    }
}

#[test]
fn each_kind_of_change_is_reported_once_with_its_count() {
    let all = "<h1>a</h1><table></table><pre>b</pre><div>c</div><img alt=d><img src=https://e><img><embed src=https://f><embed>\
        <input type=checkbox><a href=javascript:g>g</a><style>h</style><x-y>i</x-y><p class=j>\u{1}</p>";
    assert!(changes(all).iter().all(|(_, count)| *count == 1), "{:?}", changes(all));
    assert_eq!(changes(all).len(), 15, "all kinds but NestingCut");
    assert_eq!(changes(&"<b>x".repeat(MAX_DEPTH + 3)), [(ChangeKind::NestingCut, 3)]);
    assert_eq!(changes("<p>a <b>b</b><br><a href='https://x'>c</a></p>"), []);
}

/// 100 KB of what takes the longest for a parser that is not careful.
#[test]
fn hostile_html_takes_bounded_time() {
    let attributes: String = (0..16_000).map(|number| format!("a{number:x} ")).collect();
    let cells = "<td>".repeat(25_000);
    let hostile = [
        "<ul>".repeat(25_000),
        "<table>".repeat(14_000),
        format!("<table><tr>{cells}x"),
        "<b><p>".repeat(16_000),
        "<a href=https://x>".repeat(5_500),
        format!("<p {attributes}>"),
        format!("<pre>{}", " ".repeat(100_000)),
        "<li><h1>x".repeat(11_000),
        "&".repeat(100_000),
        "x <div>".repeat(14_000),
    ];
    for given in hostile {
        let mapped = within_a_minute(&given, || {
            let mapped = NoteHtml::from_html(&given).html;
            mapped.to_markdown();
            mapped.to_text();
            mapped
        });
        assert!(mapped.as_str().len() < crate::notes::MAX_HTML_BYTES, "{}", &given[..20]);
    }
}

/// Pieces of HTML with a word at each `@`. The words of two pieces belong to different blocks.
const PIECES: &[&str] = &[
    "<p>@</p>",
    "<h1>@</h1>",
    "<div>@</div>",
    "<div>@<div>@</div>@</div>",
    "<ul><li>@</li><li>@<ol><li>@</ol></ul>",
    "<li>@",
    "<table><tr><td>@</td><td>@</td></tr><tr><th>@<td>@</table>",
    "<table><tr><td>@<td><p>@</p><p>@</p><ul><li>@<li>@</ul></table>",
    "<table><tr><td>@<table><tr><td>@<td>@</table>@</table>",
    "<table><caption>@</caption><thead><tr><td>@<td>@</thead><tbody><tr><td>@<td>@</table>",
    "<pre>@\n@</pre>",
    "<blockquote>@</blockquote>",
    "<dl><dt>@<dd>@</dl>",
    "<select><option>@<option>@</select>",
    "<p>@<br>@",
    "<hr>@<hr>",
    "<p><b>@ <i>@</b></i>",
    "<p><img alt='@'>",
    "<p><a href='https://x.example'>@</a> <svg/>@<embed>",
    "<article><header>@</header><section>@</section></article>",
    "<figure><img src='https://x.example/i' alt='@'><figcaption>@</figcaption></figure>",
    "<h2><p>@</p></h2>",
    "<p>&eacute;@</p>",
    "<script>no</script><p>@",
    "<textarea>@</textarea>",
    "<ul><ul><ul><b><i><u><p>@",
    "<td>@<td>@",
];

fn document(pieces: &[usize]) -> (String, Vec<String>) {
    let (mut html, mut words) = (String::new(), Vec::new());
    for piece in pieces {
        for (number, part) in PIECES[*piece].split('@').enumerate() {
            if number > 0 {
                words.push(format!("w{}", words.len()));
                html.push_str(&words[words.len() - 1]);
            }
            html.push_str(part);
        }
    }
    (html, words)
}

fn words_of(text: &str) -> Vec<String> {
    let text = text.replace('é', "");
    text.split_whitespace().filter(|word| word.starts_with('w')).map(str::to_owned).collect()
}

proptest! {
    /// A word that is glued to another one is not equal to any word that was given.
    #[test]
    fn no_word_is_lost_moved_or_glued_to_another(pieces in proptest::collection::vec(0..PIECES.len(), 1..14)) {
        let (given, words) = document(&pieces);
        let mapped = NoteHtml::from_html(&given).html;
        prop_assert_eq!(words_of(&visible_text(mapped.as_str())), words.clone(), "{} became {}", given, mapped.as_str());
        prop_assert_eq!(words_of(&mapped.to_text()), words, "{}", mapped.to_text());
    }

    #[test]
    fn any_html_has_all_formats(given in ".{0,80}|[<>a-z/ =\"&;#\\n]{0,80}") {
        let mapped = NoteHtml::from_html(&given).html;
        mapped.to_text();
        mapped.to_markdown();
        NoteHtml::from_markdown(&given);
    }
}
