//! Which tokens a caller accepts, and whether a refresh could bring such tokens. Pure.

use jiff::{SignedDuration, Timestamp};
use runtime::token_broker::AccessTokenRequest;
use salesforce::{Condition, Fingerprint};
use store::connections::keep_alive;
use store::{Connection, Tokens};

use crate::protocol::TokenNeed;

/// The tokens that a caller accepts.
pub(crate) enum TokenRequest {
    /// The stored tokens.
    Stored,
    /// Tokens other than the one that Salesforce refused; `at_once` if the caller had just got it in place of another refused one.
    NotRefused { refused: Fingerprint, at_once: bool },
    /// Tokens other than the one whose user may not call the API.
    Permitted { not_permitted: Fingerprint },
    /// The stored tokens, or newer ones if these name the instance that was unreachable and are not new.
    Reachable { unreachable: Fingerprint },
    /// Tokens that prove that the condition of the connection is over.
    Recovered,
    /// Tokens whose refresh token was used recently enough to stay valid.
    RecentlyUsed,
}

/// The age below which a refused session did not end by itself: the shortest session of an org lasts 15 minutes.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// The time between two refreshes that try whether an org accepts sessions again, and whether an org has moved.
const PROBE_EVERY: SignedDuration = SignedDuration::from_mins(30);

impl From<&AccessTokenRequest> for TokenRequest {
    fn from(wanted: &AccessTokenRequest) -> Self {
        if let Some(refused) = &wanted.refused_fingerprint {
            return Self::NotRefused { refused: refused.clone(), at_once: wanted.refused_at_once };
        }
        if let Some(not_permitted) = &wanted.not_permitted_fingerprint {
            return Self::Permitted { not_permitted: not_permitted.clone() };
        }
        match &wanted.unreachable_fingerprint {
            Some(unreachable) => Self::Reachable { unreachable: unreachable.clone() },
            None => Self::Stored,
        }
    }
}

impl TokenRequest {
    pub(crate) fn need(&self) -> TokenNeed {
        match self {
            Self::Stored => TokenNeed::Stored,
            Self::NotRefused { .. }
            | Self::Permitted { .. }
            | Self::Reachable { .. }
            | Self::Recovered
            | Self::RecentlyUsed => TokenNeed::Newer,
        }
    }

    /// Returns whether the caller cannot use the stored tokens.
    pub(crate) fn excludes(&self, connection: &Connection, tokens: &Tokens, now: Timestamp) -> bool {
        match self {
            Self::Stored => false,
            Self::NotRefused { refused: unusable, .. } | Self::Permitted { not_permitted: unusable } => {
                is_of(tokens, unusable)
            }
            Self::Reachable { unreachable } => {
                is_of(tokens, unreachable) && now.duration_since(tokens.issued_at) >= PROBE_EVERY
            }
            Self::Recovered => connection.condition.is_some_and(|state| !state.condition.is_of_sessions()),
            Self::RecentlyUsed => {
                keep_alive::is_due(connection, now) && keep_alive::is_due_since(connection, tokens.issued_at, now)
            }
        }
    }

    /// Returns why the org refuses the stored tokens, if it would refuse newer ones too: they are new themselves, or their user may
    /// not call the API. While the connection is in that condition already, tokens count as new for longer, so that a refresh only
    /// tries from time to time whether it is over.
    pub(crate) fn refused_for(&self, connection: &Connection, tokens: &Tokens, now: Timestamp) -> Option<Condition> {
        let (refused, at_once) = match self {
            Self::Permitted { not_permitted } => return is_of(tokens, not_permitted).then_some(Condition::ApiDisabled),
            Self::NotRefused { refused, at_once } => (refused, *at_once),
            Self::Stored | Self::Reachable { .. } | Self::Recovered | Self::RecentlyUsed => return None,
        };
        let is_known = connection.condition.is_some_and(|state| state.condition == Condition::SessionRefused);
        let new_for = match (is_known, at_once) {
            (true, _) => PROBE_EVERY,
            (false, true) => FRESH,
            (false, false) => return None,
        };
        let is_new = now.duration_since(tokens.issued_at) < new_for;
        (is_of(tokens, refused) && is_new).then_some(Condition::SessionRefused)
    }
}

fn is_of(tokens: &Tokens, fingerprint: &Fingerprint) -> bool {
    Fingerprint::from_token(&tokens.access_token) == *fingerprint
}
