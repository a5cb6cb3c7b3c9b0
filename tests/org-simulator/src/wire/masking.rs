//! Removes secrets from text that is written to a file: tokens, codes, passwords and client secrets.
//!
//! The text is searched rather than parsed, because a fault can cut a body anywhere.

/// The replacement of a secret.
pub(crate) const MASK: &str = "***";

/// Names of secrets in JSON, XML and parameters.
const NAMES: [&str; 12] = [
    "access_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code_verifier",
    "id_token",
    "id_token_hint",
    "newPassword",
    "password",
    "refresh_token",
    "sessionId",
    "signature",
];

/// Names of secrets that are parameters only; in JSON and XML they are names of data.
const PARAMETERS: [&str; 3] = ["code", "sid", "token"];

/// Returns the text with every secret replaced.
pub(crate) fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut before) = (text, None);
    while let Some(first) = rest.chars().next() {
        let (kept, after) = match secret_at(rest, before) {
            Some((kept, after)) => (kept.to_owned() + MASK, after),
            None => {
                let (tag, after) = end_tag(rest).unwrap_or_else(|| rest.split_at(first.len_utf8()));
                (tag.to_owned(), after)
            }
        };
        masked.push_str(&kept);
        (rest, before) = (after, kept.chars().last());
    }
    masked
}

/// Splits the text after the name of the end tag that begins here; what follows the tag is not its value.
fn end_tag(text: &str) -> Option<(&str, &str)> {
    let (_, after) = split(text.strip_prefix("</")?, |c| !(is_word(c) || c == ':'));
    Some((before_value(text, after), after))
}

/// Returns what precedes the secret that begins here with its name, and what follows it.
fn secret_at(text: &str, before: Option<char>) -> Option<(&str, &str)> {
    if before.is_some_and(is_word) {
        return None;
    }
    if let Some(after) = after_access_token(text) {
        return Some(("", after));
    }
    let (name, rest) = split(text, |c| !is_word(c));
    let is_secret = NAMES.contains(&name);
    let value = if let Some(value) = rest.strip_prefix('=') {
        return (is_secret || PARAMETERS.contains(&name)).then(|| {
            let (_, after) = split(value, |c| "&#;<\"'".contains(c) || c.is_whitespace());
            (before_value(text, value), after)
        });
    } else if !is_secret {
        return None;
    } else if let Some(json) = rest.strip_prefix('"') {
        json.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?
    } else {
        let is_start_tag = matches!(before, Some('<' | ':')) && !rest.starts_with('/');
        rest.split_once('>').filter(|_| is_start_tag)?.1
    };
    let after =
        if rest.starts_with('"') { after_string(value) } else { value.find("</").and_then(|at| value.get(at..)) };
    Some((before_value(text, value), after.unwrap_or_default()))
}

/// Returns what follows the access token (`00D...!...`) that begins here.
fn after_access_token(text: &str) -> Option<&str> {
    let (org, rest) = split(text, |c| !c.is_ascii_alphanumeric());
    let value = rest.strip_prefix('!').or_else(|| rest.strip_prefix("%21"))?;
    let is_org = org.starts_with("00D") && matches!(org.len(), 15 | 18);
    is_org.then(|| split(value, |c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))).1)
}

/// Returns the text from the quotation mark that ends a JSON string.
fn after_string(text: &str) -> Option<&str> {
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    text.get(end..)
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
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn secrets_of_a_truncated_body_are_masked() {
        assert_eq!(mask(r#"{"refresh_token":"5Aep"#), r#"{"refresh_token":"***"#);
        assert_eq!(mask("<sessionId>00D"), "<sessionId>***");
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in [
            r#"{"errorCode":"X","code":"A","my_password":"é"}"#,
            "<password/><a>b</a>",
            "SELECT Id FROM Account WHERE Code__c='1'",
            r#"<input name="password" value="">"#,
        ] {
            assert_eq!(mask(text), text);
        }
    }
}
