//! HTML as text and tags, in the order of the document.

use std::cell::{Cell, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token as HtmlToken, TokenSink, TokenSinkResult, Tokenizer};

/// A part of HTML. Comments and document types are left out.
pub(super) enum Token {
    /// Text, with its character references resolved.
    Text(String),
    /// A start tag with its name in lower case, and its attributes.
    Start { name: String, attributes: Attributes },
    /// An end tag with its name in lower case.
    End(String),
}

/// The attributes of a tag, with their names in lower case.
#[derive(Default)]
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether there are others than these.
    pub(super) fn has_others(&self, names: &[&str]) -> bool {
        self.0.iter().any(|(name, _)| !names.contains(&name.as_str()))
    }
}

/// Returns the tokens of an HTML fragment, by the rules of the HTML standard.
pub(super) fn tokens(html: &str) -> Vec<Token> {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(Sink::default(), Default::default());
    // It stops only for scripts, which the sink does not run.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.tokens.into_inner()
}

#[derive(Default)]
struct Sink {
    tokens: RefCell<Vec<Token>>,
    /// The number of open `svg` and `math` elements. Inside them a tag can close itself, and a script or a style has tags.
    foreign: Cell<usize>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: HtmlToken, _line: u64) -> TokenSinkResult<()> {
        let mut tokens = self.tokens.borrow_mut();
        match token {
            HtmlToken::TagToken(tag) => {
                let is_foreign = self.enter_or_leave(&tag);
                let closes_itself = is_foreign && tag.self_closing && tag.kind == TagKind::StartTag;
                let content = if is_foreign { None } else { raw_content(&tag) };
                let name = tag.name.to_string();
                tokens.push(Token::from(tag));
                if closes_itself {
                    tokens.push(Token::End(name));
                }
                return content.map_or(TokenSinkResult::Continue, TokenSinkResult::RawData);
            }
            HtmlToken::CharacterTokens(text) => match tokens.last_mut() {
                Some(Token::Text(before)) => before.push_str(&text),
                _ => tokens.push(Token::Text(text.into())),
            },
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Sink {
    /// Counts the open `svg` and `math` elements. Returns whether the tag begins one or is inside one.
    fn enter_or_leave(&self, tag: &Tag) -> bool {
        let before = self.foreign.get();
        let is_outermost = ["svg", "math"].contains(&&*tag.name);
        match tag.kind {
            TagKind::StartTag if is_outermost && !tag.self_closing => self.foreign.set(before + 1),
            TagKind::EndTag if is_outermost => self.foreign.set(before.saturating_sub(1)),
            _ => {}
        }
        before > 0 || is_outermost
    }
}

impl From<Tag> for Token {
    fn from(tag: Tag) -> Self {
        let name = tag.name.to_string();
        match tag.kind {
            TagKind::StartTag => {
                let attributes = tag.attrs.into_iter();
                let attributes = attributes.map(|found| (found.name.local.to_string(), found.value.into())).collect();
                Self::Start { name, attributes: Attributes(attributes) }
            }
            TagKind::EndTag => Self::End(name),
        }
    }
}

/// Returns how the content of an element that has no tags inside is read.
fn raw_content(tag: &Tag) -> Option<RawKind> {
    if tag.kind != TagKind::StartTag {
        return None;
    }
    match &*tag.name {
        "script" => Some(RawKind::ScriptData),
        "title" | "textarea" => Some(RawKind::Rcdata),
        "style" | "iframe" => Some(RawKind::Rawtext),
        _ => None,
    }
}
