//! Searches by text (SOSL), built so that a text cannot become syntax.
//!
//! A search reads Salesforce's search index, which follows a change after seconds or minutes; a query reads the records
//! themselves. (FACTS.md, section 4.6)

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::transport::Request;
use crate::{Client, Error, Record, Soql};

/// The maximum number of characters of a text to search for. Salesforce ignores the operators of longer ones than 4,000.
pub const MAX_TEXT_CHARS: usize = 200;
/// The minimum number of letters and digits of a text to search for.
pub const MIN_TEXT_CHARS: usize = 2;

/// The characters with a meaning in a text to search for.
const RESERVED: &str = r#"?&|!{}[]()^~*:\"'+-"#;
/// The words with a meaning in a text to search for, unless they are quoted.
const OPERATORS: [&str; 3] = ["and", "or", "not"];

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sosl {
    text: SearchText,
    fields: SearchedFields,
    returning: Vec<Soql>,
}

/// A text to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchText(String);

/// The kind of the fields that are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchedFields {
    /// Every field that can be searched.
    All,
    /// Phone numbers.
    Phone,
}

impl SearchText {
    /// Searches for records that have every word of the text. The last word may also be the beginning of one, as of a person who
    /// is still typing.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the text is longer than [`MAX_TEXT_CHARS`], or has fewer letters and digits than
    /// [`MIN_TEXT_CHARS`].
    pub fn words(text: &str) -> Result<Self, Error> {
        let invalid = |reason| Error::Invalid { what: "text to search for", reason };
        if text.chars().count() > MAX_TEXT_CHARS {
            return Err(invalid("is longer than 200 characters"));
        }
        if text.chars().filter(|character| character.is_alphanumeric()).count() < MIN_TEXT_CHARS {
            return Err(invalid("has fewer than 2 letters or digits"));
        }
        let mut words: Vec<String> = text.split_whitespace().filter_map(word).collect();
        if let Some(last) = words.last_mut().filter(|last| last.ends_with(char::is_alphanumeric) && last.len() > 1) {
            last.push('*');
        }
        Ok(Self(words.join(" ")))
    }

    /// Searches for records that have any of these sequences of words; at least one is required.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if no sequence has at least [`MIN_TEXT_CHARS`] letters and digits.
    pub fn any_phrase<T: AsRef<str>>(phrases: impl IntoIterator<Item = T>) -> Result<Self, Error> {
        let is_long_enough =
            |phrase: &T| phrase.as_ref().chars().filter(|c| c.is_alphanumeric()).count() >= MIN_TEXT_CHARS;
        let phrases =
            phrases.into_iter().filter(is_long_enough).map(|phrase| format!("\"{}\"", escape(phrase.as_ref())));
        let phrases: Vec<String> = phrases.collect();
        if phrases.is_empty() {
            return Err(Error::Invalid { what: "text to search for", reason: "has fewer than 2 letters or digits" });
        }
        Ok(Self(phrases.join(" OR ")))
    }
}

/// Returns a word of a text without a meaning of its own; `None` if it has neither letters nor digits.
fn word(word: &str) -> Option<String> {
    let escaped = escape(word);
    let plain = escaped.as_str();
    if OPERATORS.iter().any(|operator| plain.eq_ignore_ascii_case(operator)) {
        return Some(format!("\"{plain}\""));
    }
    escaped.contains(char::is_alphanumeric).then_some(escaped)
}

/// Escapes the reserved characters, and leaves out control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().filter(|character| !character.is_control()) {
        if RESERVED.contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

impl Sosl {
    /// Searches for a text.
    #[must_use]
    pub fn find(text: SearchText, fields: SearchedFields) -> Self {
        Self { text, fields, returning: Vec::new() }
    }

    /// Returns the records that were found and that a query of their object returns, with its fields. Without any, Salesforce
    /// returns the ids of records of all objects.
    #[must_use]
    pub fn returning(mut self, query: Soql) -> Self {
        self.returning.push(query);
        self
    }
}

impl fmt::Display for Sosl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = match self.fields {
            SearchedFields::All => "ALL",
            SearchedFields::Phone => "PHONE",
        };
        write!(f, "FIND {{{}}} IN {fields} FIELDS", self.text.0)?;
        for (position, query) in self.returning.iter().enumerate() {
            let separator = if position == 0 { " RETURNING " } else { ", " };
            write!(f, "{separator}{}", query.returned())?;
        }
        Ok(())
    }
}

impl Client {
    /// Searches. Returns the records in Salesforce's order: those of an object together, the best match first.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `INVALID_TYPE` or `INVALID_FIELD` for what is hidden from the user, with `MALFORMED_SEARCH`, ...
    pub async fn search(&self, search: &Sosl) -> Result<Vec<Record>, Error> {
        let request = Request::get("search records", self.path("search")).with_query("q", search.to_string());
        let response = self.send(&request).await?;
        let found: Found = response.json()?;
        let records: Option<Vec<_>> = found.search_records.into_iter().map(Record::from_json).collect();
        records.ok_or_else(|| response.invalid("a row that is not a record"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    search_records: Vec<Value>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{FieldName, ObjectName, soql};

    const NAME: FieldName = FieldName::from_static("Name");

    fn rendered(text: &str) -> String {
        SearchText::words(text).unwrap().0
    }

    #[test]
    fn a_search_is_rendered() {
        let accounts = Soql::select(&[FieldName::ID, NAME]).from(&ObjectName::from_static("Account"));
        let leads = Soql::select(&[FieldName::ID]).from(&ObjectName::from_static("Lead"));
        let leads = leads.where_(soql::eq(&FieldName::from_static("IsConverted"), false)).limit(5);
        let text = SearchText::words("Gull & Sons").unwrap();
        let search = Sosl::find(text, SearchedFields::All).returning(accounts).returning(leads);
        assert_eq!(
            search.to_string(),
            "FIND {Gull Sons*} IN ALL FIELDS RETURNING Account(Id, Name), Lead(Id WHERE IsConverted = FALSE LIMIT 5)"
        );
    }

    #[test]
    fn reserved_characters_and_operators_have_no_meaning() {
        assert_eq!(rendered("a} RETURNING User(Id)"), r"a\} RETURNING User\(Id\)");
        assert_eq!(rendered("Johnson AND Johnson"), r#"Johnson "AND" Johnson*"#);
        assert_eq!(rendered("not"), r#""not""#);
        assert_eq!(rendered("jane.doe@example.com"), "jane.doe@example.com*");
        assert_eq!(rendered(r#"O'Neil "x" \ C++"#), r#"O\'Neil \"x\" C\+\+"#);
        assert_eq!(rendered("a\u{0}nd\u{7} or"), r#""and" "or""#);
    }

    #[test]
    fn a_text_that_salesforce_refuses_is_refused() {
        for text in ["", "a", "*", "a *", " - - ", &"x".repeat(201)] {
            assert!(matches!(SearchText::words(text), Err(Error::Invalid { .. })), "{text}");
        }
        assert!(SearchText::words(&"x".repeat(200)).is_ok());
        assert!(SearchText::any_phrase(["1", ""]).is_err());
    }

    #[test]
    fn any_of_several_phrases_is_searched() {
        let text = SearchText::any_phrase(["4930123", "49 30 \"123", "1"]).unwrap();
        assert_eq!(text.0, r#""4930123" OR "49 30 \"123""#);
    }

    /// A token of a text as SOSL reads it: a word, a quoted phrase, or a character with a meaning.
    #[derive(Debug, PartialEq)]
    enum Token {
        Word(String),
        Phrase,
        Syntax(char),
    }

    /// Reads a text as SOSL does; `None` if it ends within a phrase or an escape.
    fn read(text: &str) -> Option<Vec<Token>> {
        let (mut tokens, mut word, mut characters) = (Vec::new(), String::new(), text.chars());
        let end = |word: &mut String, tokens: &mut Vec<Token>| {
            if !word.is_empty() {
                tokens.push(Token::Word(std::mem::take(word)));
            }
        };
        while let Some(character) = characters.next() {
            match character {
                '\\' => word.push(characters.next()?),
                '"' => {
                    end(&mut word, &mut tokens);
                    loop {
                        match characters.next()? {
                            '\\' => drop(characters.next()?),
                            '"' => break,
                            _ => {}
                        }
                    }
                    tokens.push(Token::Phrase);
                }
                space if space.is_whitespace() => end(&mut word, &mut tokens),
                reserved if RESERVED.contains(reserved) => {
                    end(&mut word, &mut tokens);
                    tokens.push(Token::Syntax(reserved));
                }
                other => word.push(other),
            }
        }
        end(&mut word, &mut tokens);
        Some(tokens)
    }

    proptest! {
        #[test]
        fn a_text_never_becomes_syntax(text in r#"(.|[?&|!{}\[\]()^~*:\\"'+ -]|and|OR|Not| |\n){0,60}"#) {
            let Ok(SearchText(rendered)) = SearchText::words(&text) else { return Ok(()) };
            let mut tokens = read(&rendered).expect(&rendered);
            // The end of the last word may be open.
            if tokens.last() == Some(&Token::Syntax('*')) {
                tokens.pop();
            }
            for token in tokens {
                match token {
                    Token::Syntax(character) => prop_assert!(false, "{character} in {rendered}"),
                    Token::Word(word) => prop_assert!(!OPERATORS.contains(&word.to_lowercase().as_str()), "{rendered}"),
                    Token::Phrase => {}
                }
            }
        }

        #[test]
        fn a_phrase_stays_one_phrase(phrase in r#"[0-9a-z"\\{}() ]{2,20}"#) {
            let Ok(SearchText(rendered)) = SearchText::any_phrase([&phrase]) else { return Ok(()) };
            prop_assert_eq!(read(&rendered), Some(vec![Token::Phrase]));
        }
    }
}
