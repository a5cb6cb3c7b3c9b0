//! Malicious XML.

use axum::body::Body;

use super::{ForgeryTest, MALFORMED};
use crate::harness::{TestContext, run};
use crate::messages::{envelope, message, notification};

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// Posts bodies derived from the org's.
async fn are_refused<B: Into<Body>>(bodies: impl Fn(&TestContext) -> Vec<(&'static str, B)>) {
    let test = ForgeryTest::new().await;
    for (what, body) in bodies(&test.context) {
        test.refuses(body, MALFORMED, what).await;
    }
    test.ends().await;
}

/// Returns the org's message with another prologue and another record name.
fn with(context: &TestContext, prologue: &str, name: &str) -> String {
    message(context.org, 1).replacen(DECLARATION, prologue, 1).replacen("Secret Deal", name, 1)
}

#[test]
fn with_entities() {
    run(are_refused(|context| {
        let laughs: String =
            (1..10).map(|n| format!(r#"<!ENTITY l{n} "{}">"#, format!("&l{};", n - 1).repeat(10))).collect();
        let laughs = format!(r#"<!DOCTYPE l [<!ENTITY l0 "ha">{laughs}]>"#);
        let long = format!(r#"<!DOCTYPE a [<!ENTITY a "{}">]>"#, "a".repeat(100_000));
        vec![
            ("an internal entity", with(context, r#"<!DOCTYPE x [<!ENTITY a "b">]>"#, "&a;")),
            ("one that is not used", with(context, r#"<!DOCTYPE x [<!ENTITY a "b">]>"#, "x")),
            ("a file", with(context, r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>"#, "&a;")),
            ("a server", with(context, r#"<!DOCTYPE x [<!ENTITY a SYSTEM "http://169.254.169.254/">]>"#, "&a;")),
            (
                "a parameter entity",
                with(context, r#"<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/"> %p;]>"#, "x"),
            ),
            ("an external subset", with(context, r#"<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">"#, "x")),
            ("a public one", with(context, r#"<!DOCTYPE x PUBLIC "-//X" "http://127.0.0.1/x.dtd">"#, "x")),
            ("a billion laughs", with(context, &laughs, "&l9;")),
            ("quadratic growth", with(context, &long, &"&a;".repeat(10_000))),
            ("after the declaration", with(context, &format!("{DECLARATION}<!DOCTYPE x>"), "x")),
            ("in small letters", with(context, "<!doctype x>", "x")),
            ("a type that does not end", with(context, "<!DOCTYPE x [", "x")),
            ("a type inside", with(context, DECLARATION, "<!DOCTYPE x>")),
            ("an undeclared entity", with(context, DECLARATION, "&a;")),
            ("an entity declared inside", with(context, DECLARATION, r#"<!ENTITY a "b">"#)),
        ]
    }));
}

#[test]
fn with_too_many_levels_or_attributes() {
    run(are_refused(|context| {
        let field = |text: &str| with(context, DECLARATION, text);
        let numbered = |count: usize, form: fn(usize) -> String| (0..count).map(form).collect::<String>();
        let attributes = numbered(100_000, |n| format!(r#" a{n}="b""#));
        let namespaces = numbered(100_000, |n| format!(r#" xmlns:a{n}="b""#));
        let fields = numbered(2_001, |n| format!("<sf:f{n}>x</sf:f{n}>"));
        let wide =
            notification("04l5e00000Gx7Qz", "0065e00000AbCdE").replacen("<sf:Name>", &format!("{fields}<sf:Name>"), 1);
        vec![
            ("28 levels more", field(&("<a>".repeat(28) + &"</a>".repeat(28)))),
            ("100,000 levels", field(&("<a>".repeat(100_000) + &"</a>".repeat(100_000)))),
            ("levels that do not end", field(&"<a>".repeat(100_000))),
            ("65 attributes", field(&format!("<a{}/>", numbered(65, |n| format!(r#" a{n}="b""#))))),
            ("100,000 attributes", field(&format!("<a{attributes}/>"))),
            ("100,000 namespaces", field(&format!("<a{namespaces}/>"))),
            ("an attribute twice", field(r#"<a b="c" b="d"/>"#)),
            ("2,002 fields", envelope(context.org.as_str(), &wide)),
        ]
    }));
}

#[test]
fn with_forbidden_characters() {
    run(are_refused(|context| {
        let field = |text: &str| with(context, DECLARATION, text).into_bytes();
        let spliced = |bytes: &[u8]| {
            let text = with(context, DECLARATION, "@");
            let (before, after) = text.split_once('@').unwrap();
            [before.as_bytes(), bytes, after.as_bytes()].concat()
        };
        vec![
            ("NUL", spliced(b"a\0b")),
            ("NUL at the end", [message(context.org, 1).into_bytes(), vec![0]].concat()),
            ("NUL by reference", field("&#0;")),
            ("a control character", field("\u{8}")),
            ("a control character by reference", field("&#8;")),
            ("a character beyond all", field("&#x110000;")),
            ("half a character by reference", field("&#xD800;")),
            ("what is no character", field("\u{ffff}")),
            ("too long a form of NUL", spliced(&[0xC0, 0x80])),
            ("half a character", spliced(&[0xED, 0xA0, 0x80])),
            ("a byte that never is", spliced(&[0xFF])),
        ]
    }));
}

#[test]
fn in_other_encodings() {
    run(are_refused(|context| {
        let declared = |encoding: &str| with(context, &DECLARATION.replacen("UTF-8", encoding, 1), "x");
        let utf16 = |text: &str, bom: bool, order: fn(u16) -> [u8; 2]| {
            let units = bom.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
            units.flat_map(order).collect::<Vec<u8>>()
        };
        let wide = declared("UTF-16");
        let utf32 = message(context.org, 1).chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<u8>>();
        vec![
            ("UTF-16, little", utf16(&wide, true, u16::to_le_bytes)),
            ("UTF-16, big", utf16(&wide, true, u16::to_be_bytes)),
            ("UTF-16 without a mark", utf16(&wide, false, u16::to_le_bytes)),
            ("UTF-32", utf32),
            ("UTF-8 that says UTF-16", wide.into_bytes()),
            ("UTF-8 that says UTF-7", declared("UTF-7").into_bytes()),
            ("UTF-8 that says ISO-8859-1", declared("ISO-8859-1").into_bytes()),
            ("UTF-8 that says EBCDIC", declared("IBM037").into_bytes()),
        ]
    }));
}
