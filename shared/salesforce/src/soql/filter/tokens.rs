//! The words of a filter.

use std::iter::Peekable;
use std::str::Chars;

use jiff::Timestamp;
use jiff::civil::Date;

use super::super::quote;
use super::MAX_CHARACTERS;
use crate::datetime;

/// A text is not a filter. `position` counts characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {position}: {fault}")]
pub struct InvalidFilter {
    /// The place of the fault.
    pub position: usize,
    /// The fault, or what is expected instead.
    pub fault: &'static str,
}

/// A word, and the position of its first character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) position: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    Comma,
    /// `=`, `!=`, `<`, `<=`, `>` or `>=`.
    Operator(&'static str),
    /// A name, a path or a keyword.
    Name(String),
    /// A text between its quotes, with canonical escape sequences.
    Text(String),
    /// A number, a date or a date-time in its canonical form.
    Plain(String),
    /// The end of the text.
    End,
}

pub(super) const RELATIVE_DATE: &str =
    "a relative date is not allowed, because records would enter and leave without a change; write a date";

/// Splits a text into words, of which the last is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, InvalidFilter> {
    if text.chars().count() > MAX_CHARACTERS {
        return Err(InvalidFilter { position: MAX_CHARACTERS + 1, fault: "the condition may have 3,000 characters" });
    }
    let mut reader = Reader { rest: text.chars().peekable(), position: 1 };
    let mut tokens = Vec::new();
    loop {
        while reader.next_if(char::is_whitespace).is_some() {}
        let position = reader.position;
        let kind = reader.read().map_err(|fault| InvalidFilter { position, fault })?;
        let is_end = kind == Kind::End;
        tokens.push(Token { position, kind });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    position: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        self.position += 1;
        Some(next)
    }

    fn next_if(&mut self, is: impl Fn(char) -> bool) -> Option<char> {
        let next = self.rest.next_if(|next| is(*next))?;
        self.position += 1;
        Some(next)
    }

    fn take_while(&mut self, first: char, is: impl Fn(char) -> bool) -> String {
        let mut taken = String::from(first);
        while let Some(next) = self.next_if(&is) {
            taken.push(next);
        }
        taken
    }

    fn read(&mut self) -> Result<Kind, &'static str> {
        let Some(first) = self.next() else { return Ok(Kind::End) };
        match first {
            '(' => Ok(Kind::Open),
            ')' => Ok(Kind::Close),
            ',' => Ok(Kind::Comma),
            '=' => Ok(Kind::Operator("=")),
            '!' if self.next_if(|next| next == '=').is_some() => Ok(Kind::Operator("!=")),
            '<' if self.next_if(|next| next == '>').is_some() => Ok(Kind::Operator("!=")),
            '<' => Ok(Kind::Operator(if self.next_if(|next| next == '=').is_some() { "<=" } else { "<" })),
            '>' => Ok(Kind::Operator(if self.next_if(|next| next == '=').is_some() { ">=" } else { ">" })),
            '\'' => self.text(),
            '0'..='9' | '+' | '-' => self.plain(first),
            'A'..='Z' | 'a'..='z' => {
                let name = self.take_while(first, |next| next.is_ascii_alphanumeric() || matches!(next, '_' | '.'));
                if self.rest.peek() == Some(&':') { Err(RELATIVE_DATE) } else { Ok(Kind::Name(name)) }
            }
            ':' => Err("a bind variable is not allowed; write the value"),
            _ => Err("the character does not belong to a condition"),
        }
    }

    /// Reads a text after its first quote. Its escape sequences are those of the SOQL and SOSL Reference, "Quoted String Escape
    /// Sequences"; `\_` and `\%` are kept, because they are no wildcards of LIKE.
    fn text(&mut self) -> Result<Kind, &'static str> {
        const ENDLESS: &str = "the text has no closing quote";
        let mut text = String::new();
        loop {
            let character = match self.next().ok_or(ENDLESS)? {
                '\'' => return Ok(Kind::Text(text)),
                '\\' => match self.next().ok_or(ENDLESS)? {
                    'n' | 'N' => '\n',
                    'r' | 'R' => '\r',
                    't' | 'T' => '\t',
                    'b' | 'B' => '\u{8}',
                    'f' | 'F' => '\u{c}',
                    'u' | 'U' => self.code_point()?,
                    wildcard @ ('_' | '%') => {
                        text.extend(['\\', wildcard]);
                        continue;
                    }
                    escaped @ ('"' | '\'' | '\\') => escaped,
                    _ => return Err("the text has an unknown escape sequence"),
                },
                character => character,
            };
            let quoted = quote(character.encode_utf8(&mut [0; 4]));
            text.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        }
    }

    fn code_point(&mut self) -> Result<char, &'static str> {
        const FAULT: &str = "a \\u of the text needs four hexadecimal digits of a character";
        let digits: String = (0..4).map_while(|_| self.next_if(|next| next.is_ascii_hexdigit())).collect();
        let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4).ok_or(FAULT)?;
        char::from_u32(code).ok_or(FAULT)
    }

    /// Reads a number, a date or a date-time.
    fn plain(&mut self, first: char) -> Result<Kind, &'static str> {
        let word = self.take_while(first, |next| next.is_ascii_alphanumeric() || matches!(next, '.' | ':' | '+' | '-'));
        if word.contains(['T', 't']) {
            let time: Timestamp = word.parse().map_err(|_| "a date-time is written as 2026-11-30T08:00:00Z")?;
            return Ok(Kind::Plain(datetime::render(time)));
        }
        if word.get(1..).is_some_and(|rest| rest.contains('-')) {
            let date: Date = word.parse().map_err(|_| "a date is written as 2026-11-30")?;
            return Ok(Kind::Plain(date.to_string()));
        }
        let unsigned = word.strip_prefix(['+', '-']).unwrap_or(&word);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number(whole) && is_number(fraction) {
            return Ok(Kind::Plain(word.strip_prefix('+').unwrap_or(&word).to_owned()));
        }
        Err("a number is written as 12 or -0.5")
    }
}
