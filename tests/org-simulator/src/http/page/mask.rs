//! Masks secrets in messages: tokens, passwords, assertions, authorization codes, client secrets and cookies.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value as Json;

use super::html::encoded;
use crate::model::org::Org;
use crate::model::request_log::Message;

const MASK: &str = "(masked)";

/// The names of parameters, members and elements whose values are secrets: in lower case, without `_` and `-`.
const SECRETS: [&str; 15] = [
    "accesstoken",
    "assertion",
    "clientassertion",
    "clientsecret",
    "code",
    "codeverifier",
    "consumersecret",
    "formtoken",
    "idtoken",
    "password",
    "refreshtoken",
    "securitytoken",
    "sessionid",
    "sid",
    "token",
];

/// Parts of the names of headers whose values are secrets.
const SECRET_HEADERS: [&str; 5] = ["auth", "cookie", "session", "token", "secret"];

fn is_secret(name: &str) -> bool {
    let local = name.rsplit(':').next().unwrap_or(name);
    let plain: String = local.chars().filter(|c| !matches!(c, '_' | '-')).collect::<String>().to_ascii_lowercase();
    SECRETS.contains(&plain.as_str())
}

/// Returns the tokens and client secrets that the org knows and the token of its forms, also percent-encoded, longest
/// first.
pub(super) fn known_secrets(org: &Org) -> Vec<String> {
    let apps = org.logins.apps().into_iter().flat_map(|app| [Some(app.secret), app.older_secret]).flatten();
    let all = org.logins.secrets().into_iter().chain(apps).chain([super::forms::token(org)]);
    let plain: Vec<String> = all.filter(|secret| secret.len() > 3).collect();
    let mut all: Vec<String> = plain.iter().map(|secret| encoded(secret)).chain(plain.iter().cloned()).collect();
    all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    all.dedup();
    all
}

/// Masks the known secrets wherever they are in a text.
fn without(known: &[String], text: String) -> String {
    known.iter().fold(text, |text, secret| if text.contains(secret) { text.replace(secret, MASK) } else { text })
}

/// Returns the query string with its secrets masked.
pub(super) fn query(known: &[String], query: &str) -> String {
    without(known, parameters(query))
}

/// Returns the headers as lines, with secrets masked.
pub(super) fn headers(known: &[String], headers: &HeaderMap) -> String {
    let lines = headers.iter().map(|(name, value)| {
        let value = value.to_str().unwrap_or("(not text)");
        let value = match value.find(['?', '#']) {
            _ if SECRET_HEADERS.iter().any(|part| name.as_str().contains(part)) => MASK.to_owned(),
            Some(at) => format!("{}{}", &value[..=at], parameters(&value[at + 1..])),
            None => value.to_owned(),
        };
        format!("{name}: {value}\n")
    });
    without(known, lines.collect())
}

/// Returns the body with its secrets masked, JSON indented; `None` when it is not text.
pub(super) fn body(known: &[String], message: &Message) -> Option<String> {
    let text = message.text()?;
    let kind = message.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let masked = match kind {
        kind if kind.contains("json") => indented(json(text)),
        kind if kind.contains("xml") || kind.contains("html") => xml(text),
        kind if kind.starts_with("multipart/") || kind.starts_with("text/") => text.to_owned(),
        _ => parameters(text),
    };
    Some(without(known, masked))
}

fn indented(text: String) -> String {
    let parsed: Option<Json> = serde_json::from_str(&text).ok();
    parsed.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or(text)
}

/// Masks the values of secret parameters.
fn parameters(text: &str) -> String {
    let masked = text.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    });
    masked.collect::<Vec<_>>().join("&")
}

/// Masks the values of secret members; the text may be only the beginning of a JSON document.
fn json(text: &str) -> String {
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(quote) = rest.find('"') {
        let (before, string) = rest.split_at(quote + 1);
        let (name, after) = string.split_at(string_end(string));
        masked.push_str(before);
        masked.push_str(name);
        let value = after.strip_prefix('"').and_then(|after| after.trim_start().strip_prefix(':')).map(str::trim_start);
        match value.filter(|value| is_secret(name) && !value.starts_with(['{', '['])) {
            Some(value) => {
                masked.push_str(&format!("\": \"{MASK}\""));
                let end = match value.strip_prefix('"') {
                    Some(string) => (string_end(string) + 2).min(value.len()),
                    None => value.find([',', '}', ']']).unwrap_or(value.len()),
                };
                rest = &value[end..];
            }
            None => {
                masked.push_str(&after[..after.len().min(1)]);
                rest = after.get(1..).unwrap_or_default();
            }
        }
    }
    masked + rest
}

/// Returns the length of the string that begins here, up to the quotation mark that ends it.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

/// Masks the text of secret elements.
fn xml(text: &str) -> String {
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find('<') {
        let end = rest[start..].find('>').map_or(rest.len(), |end| start + end + 1);
        let tag = &rest[start + 1..end];
        let name = tag.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or_default();
        masked.push_str(&rest[..end]);
        rest = &rest[end..];
        if is_secret(name) && !tag.ends_with("/>") {
            masked.push_str(MASK);
            rest = &rest[rest.find("</").unwrap_or(rest.len())..];
        }
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_each_format_are_masked() {
        type Masking = fn(&str) -> String;
        let cases: [(Masking, &str, &str); 11] = [
            (
                parameters,
                "grant_type=x&code=a%21b&Client-Secret=c",
                "grant_type=x&code=(masked)&Client-Secret=(masked)",
            ),
            (parameters, "q=SELECT+Id&token", "q=SELECT+Id&token"),
            (json, r#"{"access_token":"a\"b","scope":"api"}"#, r#"{"access_token": "(masked)","scope":"api"}"#),
            (json, r#"{"password": 12345}"#, r#"{"password": "(masked)"}"#),
            (json, r#"[{"errorCode":"X","a":"code"}]"#, r#"[{"errorCode":"X","a":"code"}]"#),
            (json, r#"{"token":{"sid":"s"}}"#, r#"{"token":{"sid": "(masked)"}}"#),
            (json, r#"{"a":1,"assertion":"only the begin"#, r#"{"a":1,"assertion": "(masked)""#),
            (json, r#"{"open"#, r#"{"open"#),
            (xml, "<n:password>p</n:password><a>1</a>", "<n:password>(masked)</n:password><a>1</a>"),
            (xml, "<sessionId/><b>2</b>", "<sessionId/><b>2</b>"),
            (xml, "<sessionId type=\"x\">cut", "<sessionId type=\"x\">(masked)"),
        ];
        for (masking, text, expected) in cases {
            assert_eq!(masking(text), expected);
        }
    }

    #[test]
    fn headers_are_masked_by_name_and_in_addresses() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer abc"),
            ("set-cookie", "sid=abc"),
            ("x-sfdc-session", "abc"),
            ("location", "http://localhost/cb?code=abc&state=s"),
            ("accept", "a/b"),
        ] {
            map.append(name, value.parse().unwrap());
        }
        let text = headers(&[], &map);
        assert!(!text.contains("abc"), "{text}");
        assert!(text.contains("code=(masked)&state=s") && text.contains("accept: a/b"), "{text}");
    }
}
