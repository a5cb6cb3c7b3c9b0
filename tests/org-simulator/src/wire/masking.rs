//! Replaces secrets in messages that are shown or written to a file: tokens, codes, passwords and client secrets.
//!
//! A secret is found by the name before it, by its form, or because the simulator knows it. The text is searched rather than
//! parsed, because a fault can cut a body anywhere.

use http::{HeaderName, HeaderValue};

/// The replacement of a secret.
const MASK: &str = "***";

/// Names of secrets in JSON, XML, HTML forms and parameters: in lower case, without `_` and `-`.
const NAMES: [&str; 17] = [
    "accesstoken",
    "assertion",
    "clientassertion",
    "clientsecret",
    "codeverifier",
    "consumersecret",
    "formtoken",
    "idtoken",
    "idtokenhint",
    "newpassword",
    "password",
    "refreshtoken",
    "securitytoken",
    "sessionid",
    "sid",
    "signature",
    "token",
];

/// The name of a secret that is a parameter only; in JSON and XML it is a name of data.
const PARAMETER: &str = "code";

/// Bytes of the longest name that is compared.
const MAX_NAME: usize = 40;

/// Characters of the shortest token that is known by its form.
const MIN_TOKEN: usize = 20;

/// Parts of the names of headers whose whole value is a secret.
const SECRET_HEADERS: [&str; 5] = ["authorization", "cookie", "secret", "session", "token"];

/// Characters of the shortest known secret that is searched for; a shorter one would also change other texts.
const MIN_KNOWN: usize = 6;

/// Replaces secrets, also those that are known by their values: client secrets and passwords.
#[derive(Debug, Default)]
pub(crate) struct Masking(Vec<String>);

impl Masking {
    pub(crate) fn new(known: impl IntoIterator<Item = String>) -> Self {
        Self(known.into_iter().filter(|secret| secret.len() >= MIN_KNOWN).collect())
    }

    /// Returns the value of a header without its secrets.
    pub(crate) fn header(&self, name: &HeaderName, value: &HeaderValue) -> String {
        if SECRET_HEADERS.iter().any(|part| name.as_str().contains(part)) {
            return MASK.to_owned();
        }
        self.text(&String::from_utf8_lossy(value.as_bytes()))
    }

    /// Returns the text with every secret replaced.
    pub(crate) fn text(&self, text: &str) -> String {
        self.0.iter().fold(mask(text), |text, secret| text.replace(secret, MASK))
    }
}

/// Replaces the secrets that have a secret's name or form.
fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut before) = (text, None);
    while let Some(first) = rest.chars().next() {
        if let Some(Secret { kept, mask, after }) = secret_at(rest, before) {
            masked.push_str(kept);
            masked.push_str(mask);
            (rest, before) = (after, mask.chars().last());
        } else {
            let (kept, after) = end_tag(rest).unwrap_or_else(|| rest.split_at(first.len_utf8()));
            masked.push_str(kept);
            (rest, before) = (after, kept.chars().last());
        }
    }
    masked
}

/// A secret in a text: what precedes it from its name, its replacement, and what follows it.
struct Secret<'a> {
    kept: &'a str,
    mask: &'static str,
    after: &'a str,
}

/// Splits the text after the name of the end tag that begins here; what follows the tag is not its value.
fn end_tag(text: &str) -> Option<(&str, &str)> {
    let (_, after) = split(text.strip_prefix("</")?, |c| !(is_word(c) || c == ':'));
    Some((before_value(text, after), after))
}

/// Returns the secret that begins here with its name.
fn secret_at(text: &str, before: Option<char>) -> Option<Secret<'_>> {
    if before.is_some_and(is_word) {
        return None;
    }
    if let Some(after) = after_token(text) {
        return Some(Secret { kept: "", mask: MASK, after });
    }
    if let Some(attributes) = text.strip_prefix("<input").filter(|rest| rest.starts_with(char::is_whitespace)) {
        let (value, after) = secret_input(attributes)?;
        return Some(Secret { kept: before_value(text, value), mask: MASK, after });
    }
    let length = text.bytes().take(MAX_NAME + 1).take_while(|byte| is_name(*byte)).count();
    let (name, rest) = text.split_at(length);
    let (is_secret, is_parameter) = (names_secret(name), name == PARAMETER);
    let secret = |value, mask, after| Some(Secret { kept: before_value(text, value), mask, after });
    if let Some(value) = rest.strip_prefix('=').filter(|_| is_secret || is_parameter) {
        return match value.strip_prefix('"') {
            Some(quoted) => secret(quoted, MASK, after_string(quoted)),
            None => secret(value, MASK, split(value, |c| "&#;<\"'".contains(c) || c.is_whitespace()).1),
        };
    }
    if !is_secret {
        return None;
    }
    if let Some(rest) = rest.strip_prefix('"') {
        let value = rest.trim_start().strip_prefix(':')?.trim_start();
        return match value.strip_prefix('"') {
            Some(string) => secret(string, MASK, after_string(string)),
            None if value.starts_with(['{', '[']) || value.starts_with("null") => None,
            None => secret(value, "\"***\"", split(value, |c| ",}]".contains(c)).1),
        };
    }
    let is_start_tag = matches!(before, Some('<' | ':'));
    let (tag, value) = rest.split_once('>').filter(|_| is_start_tag)?;
    if tag.ends_with('/') {
        return None;
    }
    secret(value, MASK, value.find("</").and_then(|at| value.get(at..)).unwrap_or_default())
}

/// Returns whether a name is that of a secret.
fn names_secret(name: &str) -> bool {
    let name = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    NAMES.contains(&name.as_str())
}

/// Returns the value of an HTML input that has the name of a secret, and what follows it. `attributes` begins after the
/// tag's name.
fn secret_input(attributes: &str) -> Option<(&str, &str)> {
    let (mut rest, mut is_secret, mut found) = (attributes, false, None);
    while let Some(attribute) = Some(rest.trim_start()).filter(|rest| !rest.is_empty() && !rest.starts_with('>')) {
        let (name, after) = split(attribute, |c| "=>".contains(c) || c.is_whitespace());
        rest = after;
        let Some(value) = after.strip_prefix('=') else { continue };
        let (start, ends) = match value.chars().next().filter(|c| "\"'".contains(*c)) {
            Some(quote) => (&value[1..], quote),
            None => (value, ' '),
        };
        let is_end = |c: char| if ends == ' ' { c == '>' || c.is_whitespace() } else { c == ends };
        let (content, after) = split(start, is_end);
        match name {
            "name" => is_secret = names_secret(content),
            "value" if !content.is_empty() => found = Some((start, after)),
            _ => {}
        }
        rest = after.strip_prefix(ends).unwrap_or(after);
    }
    found.filter(|_| is_secret)
}

/// Returns what follows the token that begins here, which is known by its form.
fn after_token(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let (begin, rest) = split(text, |c| !is_part(c));
    // An access token: the org's id, an exclamation mark, and the rest.
    if let Some(value) = rest.strip_prefix('!').or_else(|| rest.strip_prefix("%21")) {
        let is_org = begin.starts_with("00D") && matches!(begin.len(), 15 | 18);
        return is_org.then(|| split(value, |c| !(is_part(c) || c == '.')).1);
    }
    // A refresh token, and an authorization code, whose last characters are equals signs.
    if begin.len() >= MIN_TOKEN && (begin.starts_with("5Aep861") || begin.starts_with("aPrx")) {
        return Some(split(rest, |c| !(is_part(c) || ".=%".contains(c))).1);
    }
    // A JWT: two JSON objects in base64, and the signature.
    let payload = rest.strip_prefix('.').filter(|payload| begin.starts_with("eyJ") && payload.starts_with("eyJ"))?;
    Some(split(payload, |c| !(is_part(c) || c == '.')).1)
}

/// Returns the text from the quotation mark that ends a string.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.and_then(|end| text.get(end..)).unwrap_or_default()
}

/// Returns the text before the value that it ends with.
fn before_value<'a>(text: &'a str, value: &str) -> &'a str {
    text.strip_suffix(value).unwrap_or_default()
}

/// Splits the text before the first character that ends a part.
fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_every_format() {
        for (text, expected) in [
            (r#"{"access_token" : "a\"b", "scope":"api"}"#, r#"{"access_token" : "***", "scope":"api"}"#),
            ("grant_type=x&client_secret=s%21&code=c", "grant_type=x&client_secret=***&code=***"),
            ("/cb?code=abc&state=1#sid=2", "/cb?code=***&state=1#sid=***"),
            (
                "<n:password xsi:type=\"s\">p&amp;q</n:password>\n<a>1</a>",
                "<n:password xsi:type=\"s\">***</n:password>\n<a>1</a>",
            ),
            ("<sessionId><![CDATA[s]]></sessionId>", "<sessionId>***</sessionId>"),
            ("at 00D5e0000000001EAA!AQ.a_b end", "at *** end"),
            ("q=00D5e0000000001%21AQx&b=1", "q=***&b=1"),
            ("grant_type=x&code=a%21b&Client-Secret=c", "grant_type=x&code=***&Client-Secret=***"),
            (r#"{"password": 12345}"#, r#"{"password": "***"}"#),
            (r#"{"token":{"sid":"s"}}"#, r#"{"token":{"sid":"***"}}"#),
            ("<n:password>p</n:password><a>1</a>", "<n:password>***</n:password><a>1</a>"),
            (r#"<input name="form_token" value="f">"#, r#"<input name="form_token" value="***">"#),
            (
                r#"<input id="p" name="password" type="password" required value="a>b" /><p title="c">"#,
                r#"<input id="p" name="password" type="password" required value="***" /><p title="c">"#,
            ),
            ("<input value='s' name='sid'><b>", "<input value='***' name='sid'><b>"),
            ("<input value=s name=sid><b>", "<input value=*** name=sid><b>"),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn secrets_without_a_name_are_masked_by_their_form() {
        let random = "A1b2C3d4E5f6G7h8-9_0";
        for (text, expected) in [
            (format!(r#"{{"note":"5Aep861{random}.x","a":1}}"#), r#"{"note":"***","a":1}"#),
            (format!("see aPrx{random}== there"), "see *** there"),
            (format!("see=aPrx{random}%3D%3D&a=1"), "see=***&a=1"),
            (format!("<c>eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.{random}</c>"), "<c>***</c>"),
            ("eyJhbGciOiJSUzI1NiJ9.eyJzdWI".to_owned(), "***"),
            (format!("00D5e0000000001!{random}.y"), "***"),
        ] {
            assert_eq!(mask(&text), expected, "{text}");
        }
    }

    #[test]
    fn known_secrets_are_masked_wherever_they_are() {
        let masking = Masking::new(["correct horse".to_owned(), "C0FFEE".to_owned(), "short".to_owned()]);
        assert_eq!(masking.text("my correct horse, C0FFEE, short"), "my ***, ***, short");
        let (name, value) = (HeaderName::from_static("x-note"), HeaderValue::from_static("a C0FFEE"));
        assert_eq!(masking.header(&name, &value), "a ***");
    }

    #[test]
    fn secrets_of_a_truncated_body_are_masked() {
        assert_eq!(mask(r#"<input name="sid" class="x" value="cut"#), r#"<input name="sid" class="x" value="***"#);
        assert_eq!(mask(r#"{"refresh_token":"5Aep"#), r#"{"refresh_token":"***"#);
        assert_eq!(mask(r#"{"a":1,"assertion":"only the begin"#), r#"{"a":1,"assertion":"***"#);
        assert_eq!(mask("<sessionId>00D"), "<sessionId>***");
        assert_eq!(mask("<sessionId type=\"x\">cut"), "<sessionId type=\"x\">***");
    }

    #[test]
    fn headers_are_masked_by_name_and_in_addresses() {
        for (name, value, expected) in [
            ("authorization", "Bearer abc", "***"),
            ("set-cookie", "sid=abc", "***"),
            ("x-sfdc-session", "abc", "***"),
            ("location", "http://localhost/cb?code=abc&state=s", "http://localhost/cb?code=***&state=s"),
            ("www-authenticate", "Bearer realm=\"x\"", "Bearer realm=\"x\""),
            ("accept", "a/b", "a/b"),
        ] {
            let name = HeaderName::from_static(name);
            assert_eq!(Masking::default().header(&name, &HeaderValue::from_static(value)), expected, "{name}");
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in [
            r#"{"errorCode":"X","code":"A","my_password":"é"}"#,
            "<password/><a>b</a>",
            "SELECT Id FROM Account WHERE Code__c='1'",
            r#"<input name="password" value="">"#,
            r#"<input name="title" value="x"><input name="password"><input value="y">"#,
            "5Aep861 and aPrx, eyJ.x, 00D5e0000000001EAA",
            "<inputs value='1' name='sid'>",
            "q=SELECT+Id&token",
            r#"[{"errorCode":"X","a":"code"}]"#,
            r#"{"open"#,
            "<sessionId/><b>2</b>",
            "<sessionId nil=\"true\" /><b>2</b>",
            r#"{"id_token":null}"#,
        ] {
            assert_eq!(mask(text), text);
        }
    }
}
