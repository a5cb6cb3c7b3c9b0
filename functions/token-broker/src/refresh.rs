//! Carries out the steps of [`crate::protocol`]. It decides nothing by itself.

use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use runtime::token_broker::{Answer, RefusalCode, Token, TokenWanted};
use salesforce::auth::{self, TokenAnswer};
use salesforce::{Classify, Error as Salesforce, Fingerprint, OrgId, Retry};
use store::connections::keep_alive;
use store::{Connection, ConnectionState, Lease, LeaseClaim, LeaseRequest, Origin, TokenVersion, Tokens};
use uuid::Uuid;

use crate::app::door;
use crate::protocol::{Event, Failure, Outcome, Protocol, Reason, Row, Settlement, Standing, Step, View, Wish};
use crate::refusal::{of_refresh, refused};
use crate::{Deps, Error, Reply};

/// Gives an access token that Salesforce has not refused, refreshing if it must.
pub(crate) async fn access_token(deps: &Deps, wanted: &TokenWanted) -> Result<Reply, Error> {
    let TokenWanted { org_id, connection_id, refused_fingerprint } = wanted.clone();
    let goal = refused_fingerprint.map_or(Goal::Stored, Goal::OtherThan);
    match deps.connections.load(org_id, &connection_id).await.map_err(Error::state("load the connection"))? {
        Some(connection) => get(deps, connection, goal).await,
        None => Ok(refused(RefusalCode::UnknownConnection)),
    }
}

/// Gets the connection's tokens, after one look at its row.
pub(crate) async fn get(deps: &Deps, connection: Connection, goal: Goal) -> Result<Reply, Error> {
    let seen = Seen { connection, tokens: None };
    let refresh = Refresh { deps, goal, seen, lease: None, gained: None, refreshed: false };
    refresh.run().await
}

/// Which tokens will do.
pub(crate) enum Goal {
    /// The stored ones.
    Stored,
    /// Others than the one that Salesforce refused.
    OtherThan(Fingerprint),
    /// Ones that were used not long ago.
    Fresh,
}

/// What the last look showed. The tokens are older than the row, or missing, until the vault was looked at too.
struct Seen {
    connection: Connection,
    tokens: Option<(Tokens, TokenVersion)>,
}

/// One caller's way to a token.
struct Refresh<'a> {
    deps: &'a Deps,
    goal: Goal,
    seen: Seen,
    lease: Option<Lease>,
    gained: Option<Tokens>,
    refreshed: bool,
}

impl Refresh<'_> {
    async fn run(mut self) -> Result<Reply, Error> {
        let limits = &self.deps.limits;
        let now = self.deps.clock.now();
        let mut protocol = Protocol::new(self.goal.wish(), now, limits);
        let mut step = protocol.step(Event::Looked(row(&self.seen.connection)), now, limits);
        loop {
            let event = match step {
                Step::Look => self.look().await?,
                Step::Open => self.open().await?,
                Step::Claim => self.claim().await?,
                Step::Refresh => self.refresh().await?,
                Step::Store => self.store().await,
                Step::Settle(settlement) => self.settle(settlement).await,
                Step::Wait(pause) => {
                    self.deps.timer.pause(pause).await;
                    Event::Waited
                }
                Step::Done(outcome) => return Ok(self.reply(outcome)),
            };
            step = protocol.step(event, self.deps.clock.now(), limits);
        }
    }

    async fn look(&mut self) -> Result<Event, Error> {
        let Connection { org_id, connection_id, .. } = &self.seen.connection;
        let connection = self.deps.connections.load(*org_id, connection_id).await;
        if let Some(connection) = connection.map_err(Error::state("load the connection"))? {
            self.seen.connection = connection;
        }
        Ok(Event::Looked(row(&self.seen.connection)))
    }

    /// A connection without tokens cannot be helped by anybody but its person.
    async fn open(&mut self) -> Result<Event, Error> {
        let Connection { org_id, connection_id, .. } = &self.seen.connection;
        let tokens = self.deps.vault.load(*org_id, connection_id).await;
        self.seen.tokens = tokens.map_err(Error::state("load the tokens"))?;
        let row = row(&self.seen.connection);
        Ok(match &self.seen.tokens {
            None => Event::Looked(Row { standing: Standing::ReauthRequired, ..row }),
            Some((tokens, _)) => {
                let refused = self.goal.rules_out(&self.seen.connection, tokens, self.deps.clock.now());
                Event::Opened(View { row, refused, stale: is_stale(&self.seen) })
            }
        })
    }

    async fn claim(&mut self) -> Result<Event, Error> {
        let request = LeaseRequest {
            owner: Uuid::new_v4().to_string(),
            now: self.deps.clock.now(),
            length: self.deps.limits.lease,
            seen_fence: Some(self.seen.connection.lease.fence),
        };
        let Connection { org_id, connection_id, .. } = &self.seen.connection;
        let claim = self.deps.connections.claim_lease(*org_id, connection_id, &request).await;
        Ok(match claim.map_err(Error::state("claim the lease"))? {
            LeaseClaim::Granted(lease) => {
                let deadline = lease.deadline;
                self.lease = Some(lease);
                Event::Claimed(deadline)
            }
            LeaseClaim::Held(_) => Event::ClaimLost,
        })
    }

    async fn refresh(&mut self) -> Result<Event, Error> {
        let Seen { connection, tokens } = &self.seen;
        let Some((tokens, _)) = tokens else { return Ok(Event::Failed(Failure::AppRefused)) };
        let origin = origin(connection, tokens);
        let Some(door) = door(self.deps, &origin.app, &origin.login_url).await? else {
            return Ok(Event::Failed(Failure::AppRefused));
        };
        if door.is_stopped {
            return Ok(Event::Failed(Failure::AppStopped));
        }
        let answer = auth::refresh(&self.deps.http, &door.app, &door.login, &tokens.refresh_token).await;
        Ok(match answer.and_then(|answer| belongs_to(connection.org_id, &origin, answer)) {
            Ok(answer) => {
                self.gained = Some(merge(tokens, answer));
                Event::Refreshed
            }
            Err(error) => {
                let org = connection.org_id;
                tracing::warn!(org.id = %org, error = %Chain(&error), "no new tokens for org {org}");
                Event::Failed(failure(&error))
            }
        })
    }

    async fn store(&mut self) -> Event {
        let Connection { org_id, connection_id, .. } = &self.seen.connection;
        let (Some(gained), Some((_, replaces))) = (&self.gained, &self.seen.tokens) else {
            return Event::StoreFailed;
        };
        match self.deps.vault.store(*org_id, connection_id, gained, Some(replaces)).await {
            Ok(version) => {
                self.seen.tokens = self.gained.take().map(|tokens| (tokens, version));
                self.refreshed = true;
                Event::Stored
            }
            Err(store::Error::Conflict { .. }) => Event::StoreConflict,
            Err(error) => {
                tracing::error!(org.id = %org_id, error = %Chain(&error), "could not store the new tokens of org {org_id}");
                Event::StoreFailed
            }
        }
    }

    /// Writes the settlement. Where that fails, the lease runs out by itself and the next broker settles.
    async fn settle(&mut self, settlement: Settlement) -> Event {
        let Some(lease) = self.lease.take() else { return Event::Settled };
        let Connection { org_id, connection_id, .. } = &self.seen.connection;
        let settlement = self.settlement(settlement);
        if let Err(error) = self.deps.connections.settle(*org_id, connection_id, &lease, &settlement).await {
            tracing::warn!(org.id = %org_id, error = %Chain(&error), "could not settle the refresh of org {org_id}");
        }
        Event::Settled
    }

    fn settlement(&self, settlement: Settlement) -> store::Settlement {
        let now = self.deps.clock.now();
        let state = |state| store::Settlement::State { state, now };
        match (settlement, &self.seen.tokens) {
            (Settlement::Active, Some((tokens, version))) => store::Settlement::Refreshed {
                instance_url: tokens.instance_url.clone(),
                token_version: version.clone(),
                origin: tokens.origin.clone(),
                now,
            },
            (Settlement::Active, None) | (Settlement::Release, _) => store::Settlement::Released,
            (Settlement::Uncertain, _) => state(ConnectionState::Uncertain),
            (Settlement::ReauthRequired(reason), _) => {
                state(ConnectionState::ReauthRequired { reason: reason_code(reason).to_owned() })
            }
        }
    }

    fn reply(self, outcome: Outcome) -> Reply {
        match (outcome, self.seen.tokens) {
            (Outcome::Serve, Some((tokens, _))) => {
                let Tokens { access_token, instance_url, .. } = tokens;
                Reply::of(Answer::Token(Token { access_token, instance_url })).refreshed(self.refreshed)
            }
            (Outcome::Serve, None) => refused(RefusalCode::ReauthRequired),
            (Outcome::Refuse(refusal), _) => of_refresh(refusal),
        }
    }
}

impl Goal {
    fn wish(&self) -> Wish {
        match self {
            Self::Stored => Wish::Stored,
            Self::OtherThan(_) | Self::Fresh => Wish::Newer,
        }
    }

    /// Whether the stored tokens will not do.
    fn rules_out(&self, connection: &Connection, tokens: &Tokens, now: Timestamp) -> bool {
        match self {
            Self::Stored => false,
            Self::OtherThan(refused) => Fingerprint::of(&tokens.access_token) == *refused,
            Self::Fresh => {
                keep_alive::is_due(connection, now) && keep_alive::is_due_since(connection, tokens.issued_at, now)
            }
        }
    }
}

fn row(connection: &Connection) -> Row {
    let standing = match &connection.state {
        ConnectionState::Revoked => Standing::Revoked,
        ConnectionState::ReauthRequired { .. } => Standing::ReauthRequired,
        ConnectionState::Uncertain => Standing::Uncertain,
        ConnectionState::Active => Standing::Active,
    };
    Row { standing, lease_until: connection.lease.deadline }
}

/// Whether the vault still shows tokens that the row knows to be replaced: Secrets Manager's reads may lag behind its writes.
/// Another version than the row's is either older, and was issued before the row's tokens were noted, or newer, and waits for
/// its settlement.
fn is_stale(seen: &Seen) -> bool {
    let Some((tokens, version)) = &seen.tokens else { return false };
    let Connection { token_version, connected_at, refreshed_at, .. } = &seen.connection;
    let noted_at = refreshed_at.map_or(*connected_at, |refreshed_at| refreshed_at.max(*connected_at));
    Some(version) != token_version.as_ref() && noted_at.duration_since(tokens.issued_at) > CLOCK_SKEW
}

/// How far Salesforce's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(10);

/// The grant that the stored tokens are of.
fn origin(connection: &Connection, tokens: &Tokens) -> Origin {
    tokens.origin.clone().unwrap_or_else(|| Origin {
        user_id: connection.user_id,
        app: connection.app.clone(),
        login_url: connection.login_url.clone(),
    })
}

/// Tokens of somebody else are no answer to this grant's refresh.
fn belongs_to(org: OrgId, origin: &Origin, answer: TokenAnswer) -> Result<TokenAnswer, Salesforce> {
    let same = answer.identity.org_id == org && answer.identity.user_id == origin.user_id;
    if same { Ok(answer) } else { Err(Salesforce::Untrusted { operation: "refresh", what: "it is another user's" }) }
}

/// The stored tokens with what the answer brings. An answer may leave out the refresh token and the instance.
fn merge(old: &Tokens, answer: TokenAnswer) -> Tokens {
    Tokens {
        access_token: answer.access_token,
        refresh_token: answer.refresh_token.unwrap_or_else(|| old.refresh_token.clone()),
        instance_url: answer.instance_url.map_or_else(|| old.instance_url.clone(), |url| url.to_string()),
        issued_at: answer.issued_at,
        origin: old.origin.clone(),
    }
}

/// What a failed token call means for the protocol. Only a known ending ends a grant.
fn failure(error: &Salesforce) -> Failure {
    match error {
        Salesforce::GrantEnded { .. } => Failure::Ended,
        Salesforce::RefreshBusy => Failure::Busy,
        Salesforce::AppRefused { .. } | Salesforce::Invalid { .. } => Failure::AppRefused,
        Salesforce::Untrusted { .. } | Salesforce::BadAnswer { .. } | Salesforce::TooLarge { .. } => {
            Failure::Lost(LATER)
        }
        Salesforce::Unreachable { .. }
        | Salesforce::NoAnswer { .. }
        | Salesforce::Unavailable { .. }
        | Salesforce::DailyLimit { .. }
        | Salesforce::TooManyCalls { .. }
        | Salesforce::SessionRefused { .. }
        | Salesforce::SessionUnfit { .. }
        | Salesforce::Rejected { .. }
        | Salesforce::NoSession { .. } => match error.retry() {
            Retry::Unknown(pause) => Failure::Lost(pause),
            Retry::After(pause) => Failure::NotTaken(pause),
            Retry::Never | Retry::NeedsHuman => Failure::NotTaken(LATER),
        },
    }
}

/// The pause where Salesforce named none.
const LATER: std::time::Duration = std::time::Duration::from_secs(30);

fn reason_code(reason: Reason) -> &'static str {
    match reason {
        Reason::GrantEnded => "grant_ended",
        Reason::AnswerLost => "answer_lost",
        Reason::AppSunset => store::connections::grants::APP_SUNSET,
    }
}

#[cfg(test)]
mod tests;
