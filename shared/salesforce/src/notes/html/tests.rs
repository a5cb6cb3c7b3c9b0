use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::writer::MAX_DEPTH;
use super::*;

mod formats;
mod mapping;

fn text(text: &str) -> String {
    NoteHtml::from_text(text).html.0
}

fn html(html: &str) -> String {
    NoteHtml::from_html(html).html.0
}

/// Does the work, and fails if it takes so long that its time is no multiple of the size of what was given.
#[expect(clippy::disallowed_methods, reason = "it measures the work of the test, which runs in no frozen environment")]
fn within_a_minute<T>(given: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    assert!(begun.elapsed() < Duration::from_secs(60), "{}: {:?}", &given[..20], begun.elapsed());
    done
}

#[test]
fn text_is_escaped_and_lines_are_broken() {
    assert_eq!(text("a & b < c > \"d\" 'e'"), "a &amp; b &lt; c &gt; &quot;d&quot; &#39;e&#39;");
    assert_eq!(text("one\ntwo\r\nthree\rfour"), "one<br>two<br>three<br>four");
    assert_eq!(text("a\u{0}\u{7}\u{1b}\tb\u{ffff}"), "a\tb");
    assert_eq!(text("Grüße, 東京 🎉"), "Grüße, 東京 🎉");
}

#[test]
fn allowed_tags_stay_without_their_attributes() {
    assert_eq!(html(r#"<P class="x" onclick='evil()'>Hi <B>you</B></P>"#), "<p>Hi <b>you</b></p>");
    assert_eq!(html("a<br/>b<BR>c"), "a<br>b<br>c");
    assert_eq!(html("<ul><li>a<li>b</ul>"), "<ul><li>a</li><li>b</li></ul>");
}

#[test]
fn a_link_keeps_an_allowed_url_only() {
    assert_eq!(
        html(r#"<a target=_blank href="https://x.example/?a=1&amp;b=2">x</a>"#),
        r#"<a href="https://x.example/?a=1&amp;b=2">x</a>"#
    );
    assert_eq!(html("<a href=mailto:ann@example.com>mail</a>"), r#"<a href="mailto:ann@example.com">mail</a>"#);
    for href in [
        "javascript:alert(1)",
        "&#106;avascript:alert(1)",
        "data:text/html,x",
        " JaVaScRiPt:x",
        "//x.example",
        "https:x",
        "https:/x",
        "ht\ttps://x.example",
        "",
    ] {
        assert_eq!(html(&format!(r#"<a href="{href}">x</a>"#)), "x", "{href}");
    }
}

#[test]
fn scripts_go_with_their_content_and_unknown_tags_without() {
    assert_eq!(html("a<script>alert('<b>')</script>b"), "ab");
    assert_eq!(html("a<style>p{}</style><!-- no --><!DOCTYPE x><?php ?>b"), "ab");
    assert_eq!(html("a<script>never closed <b>x</b>"), "a");
    assert_eq!(html("<span>a</span><x-y>b</x-y>"), "ab");
}

#[test]
fn blocks_become_lines_and_cells_are_kept_apart() {
    assert_eq!(html("<div>a</div><div>b</div><h1>c</h1>"), "a<br>b<br><b>c</b>");
    assert_eq!(html("<div>a</div>b<h1>c</h1>d"), "a<br>b<br><b>c</b><br>d");
    assert_eq!(html("<div>a</div>\n<div>b</div><p>c</p><div>d</div>"), "a<br>b<p>c</p>d");
    assert_eq!(html("<ul><li><div>a</div></li><li><p>b</p></li></ul>"), "<ul><li>a</li><li><p>b</p></li></ul>");
    assert_eq!(html("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>d"), "a | b<br>c<br>d");
    assert_eq!(html("a\u{c}b"), "a b");
}

#[test]
fn a_link_or_paragraph_is_not_inside_another() {
    assert_eq!(html("<p><button><p>x"), "<p></p><p>x</p>");
    assert_eq!(html("<a href=https://1><table><a href=https://2>x"), r#"<a href="https://2">x</a>"#);
    assert_eq!(html("<li><pre>a<li>b<ul><li>c"), "<li>a</li><li>b<ul><li>c</li></ul></li>");
}

#[test]
fn text_that_is_not_a_tag_stays() {
    assert_eq!(html("1 < 2 && 3 > 2"), "1 &lt; 2 &amp;&amp; 3 &gt; 2");
    assert_eq!(html("a <b"), "a ", "the HTML standard drops a tag that does not end");
    assert_eq!(html("<3 &unknown; &amp;lt;"), "&lt;3 &amp;unknown; &amp;lt;");
    assert_eq!(html("a&nbsp;b&#8364;&#x20ac;"), "a\u{a0}b€€");
}

#[test]
fn tags_are_balanced() {
    assert_eq!(html("<b><i>x</b>y</i>"), "<b><i>x</i></b>y");
    assert_eq!(html("a<b></b><i> </i>b"), "a b", "a tag around nothing");
    assert_eq!(html("</p>x<p>y"), "x<p>y</p>");
    assert_eq!(html("<p>a<p>b"), "<p>a</p><p>b</p>");
}

#[test]
fn an_embedded_element_does_not_remove_the_text_after_it() {
    assert_eq!(html("a<embed src=x>b<hr>c"), "ab<br>c");
}

#[test]
fn a_url_cannot_end_its_attribute() {
    assert_eq!(
        html(r#"<a href='https://x.example/"><script>&gt;'>x</a>"#),
        r#"<a href="https://x.example/&quot;&gt;&lt;script&gt;&gt;">x</a>"#
    );
}

#[test]
fn many_unfinished_tags_take_linear_time() {
    assert_eq!(html(&"<a".repeat(500_000)), "");
}

#[test]
fn deep_nesting_is_cut_and_its_text_stays() {
    let nested = html(&"<ul><b>x".repeat(10_000));
    assert!(is_clean(&nested));
    assert_eq!((nested.matches("<ul>").count(), nested.matches('x').count()), (MAX_DEPTH / 2, 10_000));
}

#[test]
fn open_elements_are_not_repeated_in_each_paragraph() {
    let open: String = (0..1_000).map(|n| format!("<b {n:x}>")).collect();
    assert!(html(&format!("<p>{open}{}", "<p>x".repeat(1_000))).len() < 20_000);
}

#[test]
fn visible_text_has_no_tags_and_single_spaces() {
    assert_eq!(visible_text("<p>Call  with\nAcme</p><p>next: <b>offer</b></p>"), "Call with Acme next: offer");
    assert_eq!(visible_text("R&amp;D &lt;x&gt; &#39;a&#x27; &nbsp;b"), "R&D <x> 'a' b");
    assert_eq!(visible_text("R&D & more; a &unknown; b > c"), "R&D & more; a &unknown; b > c");
}

/// Returns whether a fragment has only allowed tags, balanced, and only character references that [`escape`] writes.
fn is_clean(fragment: &str) -> bool {
    let mut open = Vec::new();
    let parts = fragment
        .split('<')
        .enumerate()
        .map(|(n, part)| if n == 0 { ("", part) } else { part.split_once('>').unwrap_or(("?", "")) });
    parts.into_iter().all(|(tag, text)| {
        let is_tag_clean = match (tag.strip_prefix('/'), tag.split_once(" href=\"")) {
            _ if tag.is_empty() || tag == "br" => true,
            (Some(name), _) => open.pop() == Some(name),
            (None, Some((name, url))) => {
                open.push(name);
                name == "a" && url.strip_suffix('"').is_some_and(is_escaped)
            }
            (None, None) => {
                open.push(tag);
                ["b", "em", "i", "li", "ol", "p", "s", "strong", "u", "ul"].contains(&tag)
            }
        };
        is_tag_clean && is_escaped(text)
    }) && open.is_empty()
}

fn is_escaped(text: &str) -> bool {
    let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    let is_reference = |rest: &str| known.iter().any(|reference| rest.starts_with(reference));
    text.split('&').skip(1).all(is_reference) && !text.contains(['<', '>', '"', '\'', '\n', '\r'])
}

/// HTML of all kinds of tags, well formed or not.
const HTML: &str = r#"(<table>|<tr>|<td>|<th>|<h2>|</h2>|<div>|</td>|</table>|<ul>|</ul>|<li>|<img alt=z src=https://z>|<input type=checkbox>|<svg>|<svg/>|<embed src=https://e>|<template>|</template>|<thead>|<a href=https://y>|</a>|<blockquote>|<pre>|</pre>|<|>|</|/>|&|;|"|'|=| |a|b|br|p|li|ul|div|pre|td|table|script|href|https://x|javascript:|&amp;|&lt;|#|!--|-->|\n|<b>|</b>|<p>|</p>|<script>|</script>|[a-zé\x00-\x1f]){0,40}"#;

proptest! {
    #[test]
    fn any_html_becomes_clean(given in HTML) {
        let sanitised = html(&given);
        prop_assert!(is_clean(&sanitised), "{given:?} became {sanitised:?}");
    }

    #[test]
    fn the_visible_text_of_a_text_is_the_text(given in "[ -~é東\n\t]{0,60}") {
        let expected = given.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(visible_text(&text(&given)), expected);
    }

    #[test]
    fn any_text_has_a_visible_text(html in any::<String>()) {
        let text = visible_text(&html);
        prop_assert_eq!(text.trim(), &text);
    }

    #[test]
    fn any_unicode_becomes_clean(given in "\\PC{0,60}|.{0,60}") {
        prop_assert!(is_clean(&html(&given)));
        prop_assert!(is_clean(&text(&given)));
    }

    #[test]
    fn mapping_again_changes_nothing(given in HTML) {
        let once = NoteHtml::from_html(&given).html;
        let twice = NoteHtml::from_html(once.as_str());
        prop_assert_eq!(&twice.html, &once);
        prop_assert_eq!(twice.changes, []);
    }

    #[test]
    fn escaped_text_is_not_changed_by_mapping(given in ".{0,60}") {
        let escaped = text(&given);
        prop_assert_eq!(html(&escaped), escaped);
    }

    #[test]
    fn text_reads_back(given in "[ -~é東\n]{0,60}") {
        let text_of = |token| match token {
            Token::Text(text) => text,
            Token::Start { .. } | Token::End(_) => "\n".to_owned(),
        };
        let back: String = tokens(&text(&given)).into_iter().map(text_of).collect();
        prop_assert_eq!(back, given);
    }
}
