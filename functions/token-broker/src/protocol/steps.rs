//! The inputs, the outputs and the limits of the refresh protocol.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::Condition;

/// The durations and counts of the protocol. A lease outlasts one token call and the storing of its response, so that no
/// other broker takes the lease over while a response may still arrive.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The duration of a lease. Longer than the function's own timeout.
    pub lease: SignedDuration,
    /// The longest time that one token call and the storing of its response may take.
    pub call: SignedDuration,
    /// The longest time that a caller waits for another broker's refresh.
    pub max_wait: SignedDuration,
    /// The delay between two reads of the row, between two attempts to store, and before a refused caller tries again.
    pub retry_delay: Duration,
    /// The delay after Salesforce responded that the token request is already being processed.
    pub busy_delay: Duration,
    /// The number of attempts to store new tokens.
    pub store_attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lease: SignedDuration::from_secs(40),
            call: SignedDuration::from_secs(20),
            max_wait: SignedDuration::from_secs(8),
            retry_delay: Duration::from_millis(200),
            busy_delay: Duration::from_secs(1),
            store_attempts: 3,
        }
    }
}

/// The stored state of a connection, without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionStatus {
    /// The stored tokens are the newest that Salesforce issued.
    Active,
    /// A refresh was sent and its response was lost: the stored refresh token may be used up.
    Uncertain,
    /// A user has to connect again.
    ReauthRequired,
    /// Disconnected on purpose.
    Revoked,
}

/// The tokens that a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenNeed {
    /// The stored tokens.
    Stored,
    /// Newer tokens than those the caller cannot use: refused by Salesforce, or too old.
    Newer,
}

/// The connection's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The connection's state.
    pub status: ConnectionStatus,
    /// The time at which the lease expires; `None` once its holder released it.
    pub lease_expires_at: Option<Timestamp>,
}

/// A pause in which no newer tokens are requested, because the org would refuse them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pause {
    /// The reason.
    pub condition: Condition,
    /// The rest of the pause; zero for a condition that new tokens do not end.
    pub left: Duration,
    /// `true` if the row has the condition as it is now, so that nothing has to be written.
    pub is_recorded: bool,
}

/// The row, and the tokens that were read from the vault after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// The row.
    pub row: Row,
    /// `true` if the caller cannot use the stored tokens.
    pub is_unusable: bool,
    /// `true` if the vault still returns tokens that were replaced. Using their refresh token would revoke the grant.
    pub is_stale: bool,
    /// The pause before newer tokens may be requested.
    pub pause: Option<Pause>,
}

/// A reason why a refresh returned no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshFailure {
    /// Salesforce did not process the request: unreachable, or rate-limited. Nothing changed there. Carries the delay.
    NotProcessed(Duration),
    /// Salesforce may have processed it: no response, a server error, a malformed body. Carries the delay.
    OutcomeUnknown(Duration),
    /// `token request is already being processed`: another request uses the same refresh token.
    AlreadyProcessing,
    /// A terminal `invalid_grant`: Salesforce no longer accepts this refresh token.
    InvalidGrant,
    /// The same, because the user is inactive or frozen.
    UserInactive,
    /// Salesforce issues no tokens for a reason that leaves the grant as it was.
    Blocked(Condition),
    /// The app's sunset date has passed; no request was sent.
    AppSunset,
}

/// An input of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The row was read.
    RowLoaded(Row),
    /// The vault was read too.
    TokensLoaded(Snapshot),
    /// This broker holds the lease until that time.
    LeaseGranted(Timestamp),
    /// Another broker holds the lease, or held it since the row was read.
    LeaseDenied,
    /// Salesforce issued new tokens.
    Refreshed,
    /// Salesforce issued none.
    RefreshFailed(RefreshFailure),
    /// The new tokens are in the vault.
    TokensStored,
    /// The vault already holds a successor of the version that was used.
    StoreConflict,
    /// The vault could not be written.
    StoreFailed,
    /// The settlement was written, or the lease was no longer ours.
    Settled,
    /// The delay is over.
    Waited,
}

/// An action that the state machine requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Read the row, with a consistent read. A caller that waits for another broker reads nothing else.
    LoadRow,
    /// Read the vault, right after the row. Tokens are stored before the lease is released, so a row without a lease means
    /// that the vault has its holder's tokens.
    LoadTokens,
    /// Claim the lease by a conditional write, on the condition that no broker held it since the row was read: such a holder
    /// may have used the refresh token and crashed.
    ClaimLease,
    /// Send the refresh token that was loaded last to the token endpoint.
    Refresh,
    /// Store the new tokens as the successor of the version that was loaded last.
    StoreTokens,
    /// Write the connection's state and release the lease, on the condition that this broker still holds it.
    Settle(Settlement),
    /// Wait, and keep the lease if it is held.
    Wait(Duration),
    /// Respond to the caller.
    Done(Outcome),
}

/// The state to write when the lease is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// No change: only the lease is released.
    Unchanged,
    /// The stored tokens are valid.
    Active,
    /// The stored refresh token may be used up.
    Uncertain,
    /// The connection cannot be used, and its grant has not ended as far as is known.
    Failed {
        /// `true` if the stored refresh token may be used up.
        is_uncertain: bool,
        /// The reason.
        condition: Condition,
    },
    /// A user has to connect again.
    ReauthRequired(ReauthReason),
}

/// A reason why a user has to connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReauthReason {
    /// Salesforce ended the grant: revoked or expired.
    GrantEnded,
    /// Salesforce reports the user as inactive, which it also does of a frozen user.
    UserInactive,
    /// A response with the rotated refresh token was lost, and the old refresh token is used up.
    ResponseLost,
    /// The app's sunset date has passed: the user has to connect with a newer app.
    AppSunset,
}

/// The result for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The tokens in the vault.
    Serve,
    /// A refusal.
    Refuse(Refusal),
}

/// A reason why the caller gets no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A user has to connect again.
    ReauthRequired,
    /// The connection was disconnected.
    Revoked,
    /// Another broker's refresh took longer than this caller may wait.
    Busy(Duration),
    /// Salesforce or the vault is unavailable.
    Unavailable(Duration),
    /// Salesforce issued no tokens, which is the condition of the connection.
    Blocked(Condition),
    /// No newer tokens are requested for now. Carries the condition, and the rest of the pause.
    Paused(Condition, Duration),
}
