//! Forged messages. Each is refused with a clear problem, without an acknowledgement and without a write: the function's
//! requests to AWS are counted, and only the look-up of an org is allowed, and the note of a copy on the item of the org whose
//! secret was used.
//!
//! | forgery | where |
//! |---|---|
//! | wrong org, swapped path, 15/18-character tricks, homoglyphs, percent-encoding, wrong and guessed secrets | [`addresses`] |
//! | replay of an old body: with a secret that was rotated out, at another org's address, with a live secret | [`replays`] |
//! | wrong org in the body, two orgs, two messages, hidden ones; 101 notifications; truncation at every byte | [`messages`] |
//! | entities and document types, depth, attributes, NUL, other encodings | [`xml`] |
//! | wrong method and content type, gzip bombs, too large whatever the length says | [`requests`] |

mod addresses;
mod messages;
mod replays;
mod requests;
mod xml;

use axum::body::Body;
use axum::http::{Method, Request};
use store::{ChangeHint, Org};

use crate::harness::{HttpResponse, TestContext, request};

const XML: (&str, &str) = ("content-type", "text/xml; charset=utf-8");
const NOT_FOUND: (u16, &str) = (404, "not_found");
const MALFORMED: (u16, &str) = (400, "malformed_message");
const OTHER_ORG: (u16, &str) = (403, "other_org");

/// A forged org, and another one of the same stack.
struct ForgeryTest {
    context: TestContext,
    other: TestContext,
    before: [Option<Org>; 2],
}

impl ForgeryTest {
    async fn new() -> Self {
        let (context, other) = (TestContext::new().await, TestContext::new().await);
        let before = [context.stored().await, other.stored().await];
        Self { context, other, before }
    }

    /// Posts a body to the org's address.
    async fn refuses(&self, body: impl Into<Body>, expected: (u16, &str), what: &str) {
        self.refuses_at(&self.context.address(), body, expected, what).await;
    }

    /// Posts a body to this address.
    async fn refuses_at(
        &self,
        address: &str,
        body: impl Into<Body>,
        expected: (u16, &str),
        what: &str,
    ) -> HttpResponse {
        self.refuses_request(request(Method::POST, address, &[XML], body), expected, what).await
    }

    async fn refuses_request(&self, request: Request<Body>, expected: (u16, &str), what: &str) -> HttpResponse {
        self.context.requests();
        let response = self.context.send(request).await;
        assert_eq!((response.status.as_u16(), response.problem().as_str()), expected, "{what}");
        let is_allowed = |name: &str| name == "GetItem" || (name == "UpdateItem" && expected == OTHER_ORG);
        let asked: Vec<_> = self.context.requests().into_iter().filter(|(name, _)| !is_allowed(name)).collect();
        assert_eq!(asked, [], "{what}");
        response
    }

    /// Checks that nothing was queued or written, except for a copy of the org.
    async fn ends(self) {
        let queued: [Vec<ChangeHint>; 2] = [self.context.queued().await, self.other.queued().await];
        assert_eq!(queued, [vec![], vec![]]);
        let [own, other] = self.before;
        let stored = self.context.stored().await.map(|stored| {
            let before = own.clone().expect("the org");
            Org { copies: Vec::new(), updated_at: before.updated_at, revision: before.revision, ..stored }
        });
        assert_eq!((stored, self.other.stored().await), (own, other));
    }
}
