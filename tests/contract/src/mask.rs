//! Secrets and personal data that a report does not show.

/// The members whose values are secrets wherever they occur.
const SECRET_MEMBERS: [&str; 7] =
    ["access_token", "refresh_token", "id_token", "signature", "sessionId", "client_secret", "code_verifier"];

/// Values of one run that are replaced in everything it reports.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    /// A value and what is shown for it.
    values: Vec<(String, &'static str)>,
}

impl Mask {
    /// Shows `shown` for the value from now on. Values of fewer than 6 characters would also change other texts and stay.
    pub(crate) fn hide(&mut self, value: &str, shown: &'static str) {
        if value.len() >= 6 && !self.values.iter().any(|(hidden, _)| hidden == value) {
            self.values.push((value.to_owned(), shown));
            // The longest first, so that no rest of a longer one is left over.
            self.values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
    }

    /// Returns the text without the hidden values, and without values of members that are always secret.
    pub(crate) fn apply(&self, text: &str) -> String {
        let text = self.values.iter().fold(text.to_owned(), |text, (value, shown)| text.replace(value, shown));
        let text = without_sessions(&text);
        SECRET_MEMBERS.iter().fold(text, |text, member| without_member(&text, member))
    }
}

/// Replaces sessions, which begin with an org's id and an exclamation mark, wherever they are.
fn without_sessions(text: &str) -> String {
    let is_id = |part: &str| {
        let id = part.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        (id.starts_with("00D") && matches!(id.len(), 15 | 18)) || part.ends_with("ORG_ID")
    };
    let mut parts = text.split('!');
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push('!');
        if is_id(&masked[..masked.len() - 1]) {
            masked.push_str("MASKED");
            let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
            masked.push_str(end.map_or("", |end| &part[end..]));
        } else {
            masked.push_str(part);
        }
    }
    masked
}

/// Replaces the text after each `"member":`.
fn without_member(text: &str, member: &str) -> String {
    let name = format!("\"{member}\"");
    let mut parts = text.split(&name);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str(&name);
        let value = part.trim_start().strip_prefix(':').map(str::trim_start).and_then(|rest| rest.strip_prefix('"'));
        match value {
            Some(value) => {
                masked.push_str(":\"MASKED");
                // A value that was cut off has no end.
                masked.push_str(value.find('"').map_or("", |end| &value[end..]));
            }
            None => masked.push_str(part),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_values_and_secret_members_are_not_shown() {
        let mut mask = Mask::default();
        mask.hide("00Dxx!session", "SESSION");
        mask.hide("00Dxx!session-and-more", "LONGER");
        mask.hide("ab", "SHORT");
        let text = r#"ab 00Dxx!session-and-more 00Dxx!session {"access_token": "one","x":1,"refresh_token":"two"} "id_token":"cut"#;
        assert_eq!(
            mask.apply(text),
            r#"ab LONGER SESSION {"access_token":"MASKED","x":1,"refresh_token":"MASKED"} "id_token":"MASKED"#
        );
    }

    #[test]
    fn sessions_of_any_org_and_name_are_not_shown() {
        let mut mask = Mask::default();
        mask.hide("00D5e0000000001EAA", "ORG_ID");
        for (text, shown) in [
            ("<sessionId>00D000000000001!AQ.x_y</sessionId>", "<sessionId>00D000000000001!MASKED</sessionId>"),
            ("a 00D5e0000000001EAA!AQ b", "a ORG_ID!MASKED b"),
            ("Hello! 00D! 00Dx!AQ", "Hello! 00D! 00Dx!AQ"),
            ("cut 00D000000000001!AQ", "cut 00D000000000001!MASKED"),
        ] {
            assert_eq!(mask.apply(text), shown);
        }
    }

    #[test]
    fn a_member_without_a_text_stays() {
        assert_eq!(Mask::default().apply(r#"{"signature": null}"#), r#"{"signature": null}"#);
    }
}
