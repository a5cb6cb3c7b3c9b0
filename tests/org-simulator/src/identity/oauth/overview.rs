//! A list of logins for display: user, app and expiry, with masked tokens.

use jiff::Timestamp;

use crate::model::ids::RecordId;
use crate::model::logins::Logins;

/// A session or a grant, without its secret.
pub(crate) struct Login {
    pub(crate) user: RecordId,
    pub(crate) kind: &'static str,
    /// The first and the last characters of the token.
    pub(crate) token: String,
    pub(crate) detail: String,
}

impl Logins {
    /// Returns the valid sessions and grants.
    pub(crate) fn overview(&self, now: Timestamp) -> Vec<Login> {
        let live = self.sessions.iter().filter(|(_, session)| session.expires_at > now);
        let sessions = live.map(|(token, session)| Login {
            user: session.login.user,
            kind: "session",
            token: masked(token),
            detail: format!("until {}", crate::model::datetime::soap(session.expires_at)),
        });
        let grants = self.grants.values().filter(|grant| !grant.revoked).map(|grant| Login {
            user: grant.user,
            kind: "refresh token",
            token: grant.current.as_ref().map_or_else(|| "none".to_owned(), |token| masked(token)),
            detail: format!("{}, used {}", grant.scope, crate::model::datetime::soap(grant.used_at)),
        });
        let mut all: Vec<Login> = grants.chain(sessions).collect();
        all.sort_by(|a, b| (a.user, a.kind, &a.token).cmp(&(b.user, b.kind, &b.token)));
        all
    }
}

/// Masks a token, so that two tokens can be distinguished but not used.
fn masked(token: &str) -> String {
    let last: String = token.chars().skip(token.chars().count().saturating_sub(4)).collect();
    let first: String = token.chars().take(4).collect();
    format!("{first}…{last}")
}
