//! The terms of a search: words, `wild*cards`, "phrases", and AND, OR, AND NOT between them.

/// A word or a phrase, in lower case; `*` matches any characters and `?` one, unless escaped by a backslash.
type Word = Vec<Pattern>;

/// One word of a phrase.
#[derive(Clone, Debug, PartialEq)]
struct Pattern(String);

#[derive(Clone, Debug, PartialEq)]
struct Term {
    negated: bool,
    phrase: Word,
}

/// Alternatives, each a list of terms that must all match.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Terms(Vec<Vec<Term>>);

/// The minimum length of a search text.
const SHORTEST: usize = 2;

impl Terms {
    /// Parses the text between the braces; `None` when it is too short.
    pub(super) fn read(text: &str) -> Option<Self> {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        if letters < SHORTEST {
            return None;
        }
        let (mut alternatives, mut negated) = (vec![Vec::new()], false);
        for token in tokens(text) {
            match (token.quoted, token.text.as_str()) {
                (false, "OR") => alternatives.push(Vec::new()),
                (false, "AND") => {}
                (false, "NOT") => negated = true,
                (_, text) => {
                    let phrase: Word = words(&text.to_lowercase()).into_iter().map(Pattern).collect();
                    if let (Some(last), false) = (alternatives.last_mut(), phrase.is_empty()) {
                        last.push(Term { negated: std::mem::take(&mut negated), phrase });
                    }
                }
            }
        }
        alternatives.retain(|terms| !terms.is_empty());
        (!alternatives.is_empty()).then_some(Self(alternatives))
    }

    /// Returns whether a record with these texts matches.
    pub(super) fn found_in<'a>(&self, texts: impl Iterator<Item = &'a str>) -> bool {
        let texts: Vec<Vec<String>> = texts.map(|text| words(&text.to_lowercase())).collect();
        let met = |term: &Term| texts.iter().any(|words| term.is_in(words)) != term.negated;
        self.0.iter().any(|terms| terms.iter().all(met))
    }
}

impl Term {
    fn is_in(&self, words: &[String]) -> bool {
        let fits = |window: &[String]| window.iter().zip(&self.phrase).all(|(word, pattern)| pattern.fits(word));
        words.windows(self.phrase.len()).any(fits)
    }
}

impl Pattern {
    fn fits(&self, word: &str) -> bool {
        let (pattern, word): (Vec<char>, Vec<char>) = (self.0.chars().collect(), word.chars().collect());
        fits(&pattern, &word)
    }
}

fn fits(pattern: &[char], word: &[char]) -> bool {
    match (pattern, word) {
        ([], word) => word.is_empty(),
        (['*'], _) => true,
        (['*', rest @ ..], word) => (0..=word.len()).any(|at| fits(rest, &word[at..])),
        (['?', rest @ ..], [_, word @ ..]) => fits(rest, word),
        ([c, rest @ ..], [first, word @ ..]) => c == first && fits(rest, word),
        ([_, ..], []) => false,
    }
}

struct Token {
    text: String,
    quoted: bool,
}

/// Splits the text into words, quoted phrases and parentheses.
fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut current, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    let end = |current: &mut String, quoted, tokens: &mut Vec<Token>| {
        if !current.is_empty() {
            tokens.push(Token { text: std::mem::take(current), quoted });
        }
    };
    for c in text.chars() {
        match c {
            _ if escaped => {
                current.push(if matches!(c, '*' | '?') { ' ' } else { c });
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => {
                end(&mut current, quoted, &mut tokens);
                quoted = !quoted;
            }
            c if !quoted && (c.is_whitespace() || matches!(c, '(' | ')')) => end(&mut current, false, &mut tokens),
            c => current.push(c),
        }
    }
    end(&mut current, quoted, &mut tokens);
    tokens
}

/// Returns the words of a text: runs of letters and digits, and of wildcards.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '*' | '?'));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(search: &str, text: &str) -> bool {
        Terms::read(search).unwrap().found_in([text].into_iter())
    }

    #[test]
    fn words_phrases_and_wildcards_are_found() {
        for (search, text) in [
            ("harbourline", "Harbourline Logistics"),
            ("harbour*", "Harbourline Logistics"),
            ("h?rbourline", "Harbourline"),
            ("\"harbourline logistics\"", "The Harbourline Logistics, Inc."),
            ("jane@example.com", "jane@example.com"),
            ("none OR logistics", "Harbourline Logistics"),
            ("harbourline AND NOT optics", "Harbourline Logistics"),
            ("jane\\-doe", "Jane-Doe"),
        ] {
            assert!(finds(search, text), "{search}");
        }
        for (search, text) in [
            ("harbour", "Harbourline Logistics"),
            ("\"logistics harbourline\"", "Harbourline Logistics"),
            ("harbourline optics", "Harbourline Logistics"),
            ("logistics AND NOT harbourline", "Harbourline Logistics"),
        ] {
            assert!(!finds(search, text), "{search}");
        }
        assert_eq!(Terms::read("a"), None);
        assert_eq!(Terms::read("*"), None);
    }
}
