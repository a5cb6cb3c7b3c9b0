//! The forms of secrets: those of Salesforce, and the 256-bit values that Ferry generates.

use crate::HIDDEN;

/// Returns whether a secret may contain this character.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '!' | '.' | '=' | '%')
}

/// Returns whether a word has the form of a secret: an access token (`00D...!...`), a refresh token (`5Aep861...`), an authorization
/// code (`aPrx...`), a JWT, or 256 bits in base64url.
#[must_use]
pub fn looks_secret(word: &str) -> bool {
    let access_token = word.starts_with("00D") && word.contains('!') && word.len() > 20;
    let salesforce = (word.starts_with("5Aep861") || word.starts_with("aPrx")) && word.len() > 10;
    let jwt = word.starts_with("eyJ") && word.contains(".eyJ");
    access_token || salesforce || jwt || is_256_bits(word)
}

/// Returns whether a word is 43 characters of base64url with upper case, lower case and digits. Names and hexadecimal digests
/// are not.
fn is_256_bits(word: &str) -> bool {
    let has = |kind: fn(&char) -> bool| word.chars().any(|character| kind(&character));
    word.len() == 43
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit)
}

/// Removes the ids that S3 gives to requests: random base64 that the SDK logs, of which a part may have the form of a secret.
pub(crate) fn without_request_ids(line: &str) -> String {
    const NAME: &str = "extended_request_id";
    let mut parts = line.split(NAME);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(NAME);
        kept.push_str(part.find([')', ',', '}']).map_or("", |end| &part[end..]));
    }
    kept
}

/// Replaces every such word of the line.
pub(crate) fn hide(line: &str) -> String {
    let mut hidden = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_word) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|character| !is_word(character)).unwrap_or(from.len()));
        hidden.push_str(before);
        hidden.push_str(if looks_secret(word) { HIDDEN } else { word });
        rest = after;
    }
    hidden + rest
}
