//! The tokens that a caller accepts, and the rule whether a refresh could bring such tokens. Pure.

use jiff::{SignedDuration, Timestamp};
use runtime::token_broker::AccessTokenRequest;
use salesforce::{Condition, Fingerprint};
use store::connections::keep_alive;
use store::{ConditionState, Connection, Tokens};

use crate::protocol::{Pause, TokenNeed};
use crate::refused_session::RefusedSession;

/// The tokens that a caller accepts.
pub(crate) enum TokenRequest {
    /// The stored tokens.
    Stored,
    /// Tokens other than the one that Salesforce refused.
    NotRefused { refused: Fingerprint },
    /// Tokens other than the one whose user may not call the API.
    Permitted { not_permitted: Fingerprint },
    /// The stored tokens, or newer ones if these name the instance that was unreachable and are not new.
    Reachable { unreachable: Fingerprint },
    /// Tokens that prove that the condition of the connection is over.
    Recovered,
    /// Tokens whose refresh token was used recently enough to stay valid.
    RecentlyUsed,
}

/// The time between two refreshes that try whether an org has moved. Each stores a version of the secret, and an instance may
/// be down for a day: Secrets Manager keeps at most 100 versions, and those of the last 24 hours are not removed. Tokens that
/// cannot be stored any more are lost, and with them the grant.
const PROBE_EVERY: SignedDuration = SignedDuration::from_mins(20);

impl From<&AccessTokenRequest> for TokenRequest {
    fn from(wanted: &AccessTokenRequest) -> Self {
        if let Some(refused) = &wanted.refused_fingerprint {
            return Self::NotRefused { refused: refused.clone() };
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
            Self::NotRefused { refused: unusable } | Self::Permitted { not_permitted: unusable } => {
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

    /// Returns what the refusal of the stored tokens means, if the caller reports one.
    pub(crate) fn refused_session(
        &self,
        connection: &Connection,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Option<RefusedSession> {
        let Self::NotRefused { refused } = self else { return None };
        let Connection { connected_at, refreshed_at, condition, .. } = connection;
        let issued_at = refreshed_at.map_or(*connected_at, |refreshed_at| refreshed_at.max(*connected_at));
        let replaced = condition.map_or(0, |state| state.sessions_replaced);
        is_of(tokens, refused).then(|| RefusedSession::new(replaced, now.duration_since(issued_at)))
    }

    /// Returns why no newer tokens are requested for now, if so: the last few were refused when they were new, or the user may not
    /// call the API.
    pub(crate) fn pause(&self, connection: &Connection, tokens: &Tokens, now: Timestamp) -> Option<Pause> {
        let (condition, left) = match self {
            Self::Permitted { not_permitted } if is_of(tokens, not_permitted) => {
                (Condition::ApiDisabled, std::time::Duration::ZERO)
            }
            _ => (Condition::SessionRefused, self.refused_session(connection, tokens, now)?.pause_left?),
        };
        let found = ConditionState::found(connection.condition, condition, now);
        Some(Pause { condition, left, is_recorded: connection.condition == Some(found) })
    }
}

fn is_of(tokens: &Tokens, fingerprint: &Fingerprint) -> bool {
    Fingerprint::from_token(&tokens.access_token) == *fingerprint
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of versions of a secret that Secrets Manager keeps.
    const MAX_VERSIONS: u64 = 100;

    #[test]
    fn the_probes_of_a_day_leave_room_in_the_vault() {
        let probes = SignedDuration::from_hours(24).as_secs() / PROBE_EVERY.as_secs();
        // The others are of keep-alives and refused sessions.
        assert!(probes.unsigned_abs() <= MAX_VERSIONS * 3 / 4, "{probes}");
    }
}
