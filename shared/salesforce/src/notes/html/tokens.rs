//! HTML as text and tags, in the order of the document.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token as HtmlToken, TokenSink, TokenSinkResult, Tokenizer};

/// A part of HTML. Comments and document types are left out.
pub(super) enum Token {
    /// Text, with its character references resolved.
    Text(String),
    /// A start tag with its name in lower case, and its `href`, if any.
    Start { name: String, href: Option<String> },
    /// An end tag with its name in lower case.
    End(String),
}

/// Returns the tokens of an HTML fragment, by the rules of the HTML standard.
pub(super) fn tokens(html: &str) -> Vec<Token> {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(Sink::default(), Default::default());
    // It stops only for scripts, which the sink does not run.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

#[derive(Default)]
struct Sink(RefCell<Vec<Token>>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: HtmlToken, _line: u64) -> TokenSinkResult<()> {
        let mut tokens = self.0.borrow_mut();
        match token {
            HtmlToken::TagToken(tag) => {
                let content = raw_content(&tag);
                tokens.push(Token::from(tag));
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

impl From<Tag> for Token {
    fn from(tag: Tag) -> Self {
        let name = tag.name.to_string();
        match tag.kind {
            TagKind::StartTag => {
                let href = tag.attrs.into_iter().find(|attribute| &*attribute.name.local == "href");
                Self::Start { name, href: href.map(|attribute| attribute.value.into()) }
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
        "style" | "iframe" | "noscript" => Some(RawKind::Rawtext),
        _ => None,
    }
}
