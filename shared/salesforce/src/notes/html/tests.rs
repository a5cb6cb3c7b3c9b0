use proptest::prelude::*;

use super::*;

fn text(text: &str) -> String {
    NoteHtml::from_text(text).0
}

fn html(html: &str) -> String {
    NoteHtml::sanitised(html).0
}

#[test]
fn text_is_escaped_and_lines_are_broken() {
    assert_eq!(text("a & b < c > \"d\" 'e'"), "a &amp; b &lt; c &gt; &quot;d&quot; &#39;e&#39;");
    assert_eq!(text("one\ntwo\r\nthree\rfour"), "one<br>two<br>three<br>four");
    assert_eq!(text("a\u{0}\u{7}\u{1b}\tb\u{ffff}"), "a\tb");
    assert_eq!(text("Grüße, 東京 🎉"), "Grüße, 東京 🎉");
}

#[test]
fn known_tags_stay_without_their_attributes() {
    assert_eq!(html(r#"<P class="x" onclick='evil()'>Hi <B>you</B></P>"#), "<p>Hi <b>you</b></p>");
    assert_eq!(html("a<br/>b<BR>c"), "a<br>b<br>c");
    assert_eq!(html("<ul><li>a<li>b</ul>"), "<ul><li>a</li><li>b</li></ul>");
}

#[test]
fn links_keep_a_harmless_target_only() {
    assert_eq!(
        html(r#"<a target=_blank href="https://x.example/?a=1&amp;b=2">x</a>"#),
        r#"<a href="https://x.example/?a=1&amp;b=2">x</a>"#
    );
    assert_eq!(html("<a href=mailto:ann@example.com>mail</a>"), r#"<a href="mailto:ann@example.com">mail</a>"#);
    for href in ["javascript:alert(1)", "&#106;avascript:alert(1)", "data:text/html,x", " JaVaScRiPt:x", "//x.example"]
    {
        assert_eq!(html(&format!(r#"<a href="{href}">x</a>"#)), "x", "{href}");
    }
}

#[test]
fn scripts_go_with_their_content_and_unknown_tags_without() {
    assert_eq!(html("a<script>alert('<b>')</script>b"), "ab");
    assert_eq!(html("a<style>p{}</style><!-- no --><!DOCTYPE x><?php ?>b"), "ab");
    assert_eq!(html("a<script>never closed <b>x</b>"), "a");
    assert_eq!(html("<span>a</span><x-y>b</x-y>"), "ab");
    assert_eq!(html("<div>a</div><div>b</div><h1>c</h1>"), "a<br>b<br>c");
}

#[test]
fn what_is_no_tag_is_text() {
    assert_eq!(html("1 < 2 && 3 > 2"), "1 &lt; 2 &amp;&amp; 3 &gt; 2");
    assert_eq!(html("<b"), "&lt;b");
    assert_eq!(html("<3 &unknown; &amp;lt;"), "&lt;3 &amp;unknown; &amp;lt;");
    assert_eq!(html("a&nbsp;b&#8364;&#x20ac;"), "a\u{a0}b€€");
}

#[test]
fn tags_are_balanced() {
    assert_eq!(html("<b><i>x</b>y</i>"), "<b><i>x</i></b>y");
    assert_eq!(html("</p>x<p>y"), "x<p>y</p>");
    assert_eq!(html("<p>a<p>b"), "<p>a</p><p>b</p>");
}

/// Whether a fragment has only the tags that stay, balanced, and only entities that `escape` writes.
fn is_clean(fragment: &str) -> bool {
    let mut open = Vec::new();
    for piece in Scanner::new(fragment) {
        match piece {
            Piece::Start { name, .. } if name == "br" => {}
            Piece::Start { name, .. } if KEPT.contains(&name.as_str()) => open.push(name),
            Piece::Start { .. } => return false,
            Piece::End(name) => {
                if open.pop().as_ref() != Some(&name) {
                    return false;
                }
            }
            Piece::Text(text) => {
                let references = text.split('&').skip(1);
                let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
                let escaped = references.into_iter().all(|rest| known.iter().any(|entity| rest.starts_with(entity)));
                if !escaped || text.contains(['<', '>', '\n', '\r']) {
                    return false;
                }
            }
        }
    }
    open.is_empty()
}

const HTML: &str = r#"(<|>|</|/>|&|;|"|'|=| |a|b|br|p|li|ul|div|script|href|https://x|javascript:|&amp;|&lt;|#|!--|-->|\n|<b>|</b>|<p>|</p>|<script>|</script>|[a-zé\x00-\x1f]){0,40}"#;

proptest! {
    #[test]
    fn whatever_is_given_becomes_clean(given in HTML) {
        let sanitised = html(&given);
        prop_assert!(is_clean(&sanitised), "{given:?} became {sanitised:?}");
    }

    #[test]
    fn any_unicode_becomes_clean(given in "\\PC{0,60}|.{0,60}") {
        prop_assert!(is_clean(&html(&given)));
        prop_assert!(is_clean(&text(&given)));
    }

    #[test]
    fn sanitising_twice_is_sanitising_once(given in HTML) {
        let once = html(&given);
        prop_assert_eq!(html(&once), once);
    }

    #[test]
    fn escaped_text_is_not_changed_by_sanitising(given in ".{0,60}") {
        let escaped = text(&given);
        prop_assert_eq!(html(&escaped), escaped);
    }

    #[test]
    fn text_reads_back(given in "[ -~é東\n]{0,60}") {
        let back = decode(&text(&given).replace("<br>", "\n")).into_owned();
        prop_assert_eq!(back, given);
    }
}
