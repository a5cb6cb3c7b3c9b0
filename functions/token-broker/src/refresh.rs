//! Executes the steps of [`crate::protocol`]. All decisions are made there.

use jiff::SignedDuration;
use runtime::Chain;
use runtime::token_broker::{AccessTokenRequest, RefusalCode, Response, Token};
use salesforce::auth::{self, INACTIVE_USER, TokenResponse};
use salesforce::{Classify, Condition, Error as Salesforce, Fingerprint, OrgId, Retry};
use store::{
    ConditionState, Connection, ConnectionState, Lease, LeaseClaim, LeaseRequest, TokenGrant, TokenVersion, Tokens,
};
use uuid::Uuid;

use crate::app::load_app_login;
use crate::protocol::{
    ConnectionStatus, Event, Outcome, Protocol, ReauthReason, RefreshFailure, Row, Settlement, Snapshot, Step,
};
use crate::refusal::{from_refresh, refused};
use crate::token_request::TokenRequest;
use crate::{Deps, Error, Reply, protection};

/// Returns an access token that Salesforce has not refused. Refreshes the connection if the stored token was refused.
pub(crate) async fn access_token(deps: &Deps, wanted: &AccessTokenRequest) -> Result<Reply, Error> {
    let Some(connection) = deps.connections.load(wanted.org_id, &wanted.connection_id).await? else {
        return Ok(refused(RefusalCode::UnknownConnection));
    };
    let condition = connection.condition;
    let reply = fetch_token(deps, connection, TokenRequest::from(wanted)).await?;
    if let (Some(accepted), Response::Token(token)) = (&wanted.accepted_fingerprint, &reply.answer)
        && let Some(state) = condition.filter(is_of_sessions)
        && Fingerprint::from_token(&token.access_token) == *accepted
    {
        let now = deps.clock.now();
        let cleared =
            deps.connections.clear_condition(wanted.org_id, &wanted.connection_id, state.condition, now).await;
        cleared?;
    }
    Ok(reply)
}

/// Returns an access token of a connection whose row was loaded.
pub(crate) async fn fetch_token(deps: &Deps, connection: Connection, request: TokenRequest) -> Result<Reply, Error> {
    let loaded = Loaded { connection, tokens: None };
    let run = RefreshRun {
        deps,
        request,
        loaded,
        lease: None,
        new_tokens: None,
        replaces_new: false,
        is_refreshed: false,
        found: None,
    };
    run.execute().await
}

/// The row and the tokens that were loaded last. The tokens are older than the row, or `None`, until the vault is read again.
struct Loaded {
    connection: Connection,
    tokens: Option<(Tokens, TokenVersion)>,
}

/// One caller's run of the protocol.
struct RefreshRun<'a> {
    deps: &'a Deps,
    request: TokenRequest,
    loaded: Loaded,
    lease: Option<Lease>,
    new_tokens: Option<Tokens>,
    /// True if the new tokens replace a new session that the org refused.
    replaces_new: bool,
    /// True once new tokens are stored.
    is_refreshed: bool,
    /// The condition that this run found.
    found: Option<ConditionState>,
}

impl RefreshRun<'_> {
    async fn execute(mut self) -> Result<Reply, Error> {
        let limits = &self.deps.limits;
        let now = self.deps.clock.now();
        let mut protocol = Protocol::new(self.request.need(), now, limits);
        let mut step = protocol.step(Event::RowLoaded(row(&self.loaded.connection)), now, limits);
        loop {
            let event = match step {
                Step::LoadRow => self.load_row().await?,
                Step::LoadTokens => self.load_tokens().await?,
                Step::ClaimLease => self.claim_lease().await?,
                Step::Refresh => self.refresh().await?,
                Step::StoreTokens => self.store_tokens().await,
                Step::Settle(settlement) => self.settle(settlement).await,
                Step::Wait(delay) => {
                    self.deps.timer.wait(delay).await;
                    Event::Waited
                }
                Step::Done(outcome) => return Ok(self.into_reply(outcome)),
            };
            step = protocol.step(event, self.deps.clock.now(), limits);
        }
    }

    async fn load_row(&mut self) -> Result<Event, Error> {
        let Connection { org_id, connection_id, .. } = &self.loaded.connection;
        let connection = self.deps.connections.load(*org_id, connection_id).await;
        if let Some(connection) = connection? {
            self.loaded.connection = connection;
        }
        Ok(Event::RowLoaded(row(&self.loaded.connection)))
    }

    /// Reads the vault. A connection without tokens is treated as `reauth_required`.
    async fn load_tokens(&mut self) -> Result<Event, Error> {
        let Connection { org_id, connection_id, .. } = &self.loaded.connection;
        let tokens = self.deps.vault.load(*org_id, connection_id).await;
        self.loaded.tokens = tokens?;
        let row = row(&self.loaded.connection);
        Ok(match &self.loaded.tokens {
            None => Event::RowLoaded(Row { status: ConnectionStatus::ReauthRequired, ..row }),
            Some((tokens, _)) => {
                let (connection, now) = (&self.loaded.connection, self.deps.clock.now());
                Event::TokensLoaded(Snapshot {
                    row,
                    is_unusable: self.request.excludes(connection, tokens, now),
                    is_stale: is_stale(&self.loaded),
                    pause: self.request.pause(connection, tokens, now),
                })
            }
        })
    }

    async fn claim_lease(&mut self) -> Result<Event, Error> {
        let request = LeaseRequest {
            owner: Uuid::new_v4().to_string(),
            now: self.deps.clock.now(),
            length: self.deps.limits.lease,
            seen_fence: Some(self.loaded.connection.lease.fence),
        };
        let Connection { org_id, connection_id, .. } = &self.loaded.connection;
        let claim = self.deps.connections.claim_lease(*org_id, connection_id, &request).await;
        Ok(match claim? {
            LeaseClaim::Granted(lease) => {
                let deadline = lease.deadline;
                self.lease = Some(lease);
                Event::LeaseGranted(deadline)
            }
            LeaseClaim::Held(_) => Event::LeaseDenied,
        })
    }

    async fn refresh(&mut self) -> Result<Event, Error> {
        let Loaded { connection, tokens } = &self.loaded;
        let Some((tokens, _)) = tokens else { return Ok(Event::RefreshFailed(APP_REFUSED)) };
        let origin = origin(connection, tokens);
        let Some(login) = load_app_login(self.deps, &origin.app, &origin.login_url).await? else {
            return Ok(Event::RefreshFailed(APP_REFUSED));
        };
        if login.is_stopped {
            return Ok(Event::RefreshFailed(RefreshFailure::AppSunset));
        }
        let refused = self.request.refused_session(connection, tokens, self.deps.clock.now());
        self.replaces_new = refused.is_some_and(|refused| refused.is_new);
        // Before the refresh token is used, so that new tokens never wait for it.
        let protection = protection::protect(self.deps, connection.org_id, &connection.connection_id, tokens).await;
        let response = auth::refresh(&self.deps.http, &login.app, &login.host, &tokens.refresh_token).await;
        Ok(match response.and_then(|response| check_identity(connection.org_id, &origin, response)) {
            Ok(response) => {
                self.new_tokens = Some(Tokens { protection, ..merge(tokens, response) });
                Event::Refreshed
            }
            Err(error) => {
                let org = connection.org_id;
                tracing::warn!(org.id = %org, error = %Chain(&error), "could not refresh the tokens of org {org}");
                Event::RefreshFailed(refresh_failure(&error))
            }
        })
    }

    async fn store_tokens(&mut self) -> Event {
        let Connection { org_id, connection_id, .. } = &self.loaded.connection;
        let (Some(new_tokens), Some((_, replaces))) = (&self.new_tokens, &self.loaded.tokens) else {
            return Event::StoreFailed;
        };
        match self.deps.vault.replace(*org_id, connection_id, new_tokens, replaces).await {
            Ok(version) => {
                self.loaded.tokens = self.new_tokens.take().map(|tokens| (tokens, version));
                self.is_refreshed = true;
                Event::TokensStored
            }
            Err(store::Error::Conflict { .. }) => Event::StoreConflict,
            Err(error) => {
                tracing::error!(org.id = %org_id, error = %Chain(&error), "could not store the new tokens of org {org_id}");
                Event::StoreFailed
            }
        }
    }

    /// Writes the settlement. If the write fails, the lease expires and the next broker settles.
    async fn settle(&mut self, settlement: Settlement) -> Event {
        let Some(lease) = self.lease.take() else { return Event::Settled };
        let settlement = self.store_settlement(settlement);
        let Connection { org_id, connection_id, .. } = &self.loaded.connection;
        match self.deps.connections.release_lease(*org_id, connection_id, &lease, &settlement).await {
            Ok(connection) => self.loaded.connection = connection,
            Err(error) => {
                tracing::warn!(org.id = %org_id, error = %Chain(&error), "could not record the refresh of org {org_id}");
            }
        }
        Event::Settled
    }

    fn store_settlement(&mut self, settlement: Settlement) -> store::LeaseOutcome {
        let now = self.deps.clock.now();
        let state = |state| store::LeaseOutcome::StateChanged { state, now };
        match (settlement, &self.loaded.tokens) {
            (Settlement::Active, Some((tokens, version))) => store::LeaseOutcome::Refreshed {
                instance_url: tokens.instance_url.clone(),
                token_version: version.clone(),
                grant: tokens.grant.clone(),
                condition: ConditionState::refreshed(
                    self.loaded.connection.condition,
                    self.is_refreshed && self.replaces_new,
                    now,
                ),
                now,
            },
            (Settlement::Active, None) | (Settlement::Unchanged, _) => store::LeaseOutcome::Unchanged,
            (Settlement::Uncertain, _) => state(ConnectionState::Uncertain),
            (Settlement::Failed { is_uncertain, condition }, _) => {
                let Connection { condition: before, state, .. } = &self.loaded.connection;
                let condition = ConditionState::found(*before, condition, now);
                self.found = Some(condition);
                let is_known = *before == Some(condition) && (!is_uncertain || *state == ConnectionState::Uncertain);
                match is_known {
                    true => store::LeaseOutcome::Unchanged,
                    false => store::LeaseOutcome::Failed { is_uncertain, condition, now },
                }
            }
            (Settlement::ReauthRequired(reason), _) => {
                state(ConnectionState::ReauthRequired { reason: reason_code(reason).to_owned() })
            }
        }
    }

    fn into_reply(self, outcome: Outcome) -> Reply {
        let condition = self.loaded.connection.condition;
        match (outcome, self.loaded.tokens) {
            (Outcome::Serve, Some((tokens, _))) => {
                let Tokens { access_token, instance_url, .. } = tokens;
                let report_acceptance = condition.as_ref().is_some_and(is_of_sessions);
                let token = Token { access_token, instance_url, report_acceptance };
                Reply::new(Response::Token(token)).refreshed(self.is_refreshed)
            }
            (Outcome::Serve, None) => refused(RefusalCode::ReauthRequired),
            (Outcome::Refuse(refusal), _) => from_refresh(refusal, self.found.or(condition)),
        }
    }
}

fn is_of_sessions(state: &ConditionState) -> bool {
    state.condition.is_of_sessions()
}

const APP_REFUSED: RefreshFailure = RefreshFailure::Blocked(Condition::AppRefused);

fn row(connection: &Connection) -> Row {
    let status = match &connection.state {
        ConnectionState::Revoked => ConnectionStatus::Revoked,
        ConnectionState::ReauthRequired { .. } => ConnectionStatus::ReauthRequired,
        ConnectionState::Uncertain => ConnectionStatus::Uncertain,
        ConnectionState::Active => ConnectionStatus::Active,
    };
    Row { status, lease_expires_at: connection.lease.deadline }
}

/// Returns whether the vault still returns tokens that were replaced. Reads of Secrets Manager are eventually consistent.
///
/// A version other than the row's is either older (issued before the row's tokens were recorded) or newer (stored, but not
/// settled yet).
fn is_stale(loaded: &Loaded) -> bool {
    let Some((tokens, version)) = &loaded.tokens else { return false };
    let Connection { token_version, connected_at, refreshed_at, .. } = &loaded.connection;
    let recorded_at = refreshed_at.map_or(*connected_at, |refreshed_at| refreshed_at.max(*connected_at));
    Some(version) != token_version.as_ref() && recorded_at.duration_since(tokens.issued_at) > CLOCK_SKEW
}

/// The longest time that Salesforce's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(10);

/// Returns the user, app and login host of the stored tokens' grant.
fn origin(connection: &Connection, tokens: &Tokens) -> TokenGrant {
    tokens.grant.clone().unwrap_or_else(|| TokenGrant {
        user_id: connection.user_id,
        app: connection.app.clone(),
        login_url: connection.login_url.clone(),
    })
}

/// Rejects tokens that were issued to another user or org.
fn check_identity(org: OrgId, origin: &TokenGrant, response: TokenResponse) -> Result<TokenResponse, Salesforce> {
    let same = response.identity.org_id == org && response.identity.user_id == origin.user_id;
    if same {
        Ok(response)
    } else {
        Err(Salesforce::Untrusted { operation: "refresh the token", what: "the tokens were issued to another user" })
    }
}

/// Returns the stored tokens, updated from the response. A response may omit the refresh token and the instance URL.
fn merge(old: &Tokens, response: TokenResponse) -> Tokens {
    Tokens {
        access_token: response.access_token,
        refresh_token: response.refresh_token.unwrap_or_else(|| old.refresh_token.clone()),
        instance_url: response.instance_url.map_or_else(|| old.instance_url.clone(), |url| url.to_string()),
        issued_at: response.issued_at,
        grant: old.grant.clone(),
        protection: old.protection.clone(),
    }
}

/// Maps an error of the token call to the protocol. Only a terminal `invalid_grant` ends a grant.
fn refresh_failure(error: &Salesforce) -> RefreshFailure {
    match error {
        Salesforce::GrantEnded { reason: INACTIVE_USER, .. } => RefreshFailure::UserInactive,
        Salesforce::GrantEnded { .. } => RefreshFailure::InvalidGrant,
        Salesforce::RefreshInProgress => RefreshFailure::AlreadyProcessing,
        Salesforce::AppRefused { .. } | Salesforce::Invalid { .. } => APP_REFUSED,
        Salesforce::Blocked { condition, .. } => RefreshFailure::Blocked(*condition),
        Salesforce::Untrusted { .. } | Salesforce::InvalidResponse { .. } | Salesforce::TooLarge { .. } => {
            RefreshFailure::OutcomeUnknown(DEFAULT_DELAY)
        }
        Salesforce::Unreachable { .. }
        | Salesforce::Content { .. }
        | Salesforce::NoResponse { .. }
        | Salesforce::Unavailable { .. }
        | Salesforce::DailyLimit { .. }
        | Salesforce::TooManyCalls { .. }
        | Salesforce::SessionRefused { .. }
        | Salesforce::SessionNotPermitted { .. }
        | Salesforce::Rejected { .. }
        | Salesforce::NoSession { .. } => match error.retry() {
            Retry::Unknown(delay) => RefreshFailure::OutcomeUnknown(delay),
            Retry::After(delay) => RefreshFailure::NotProcessed(delay),
            Retry::Never | Retry::NeedsHuman => RefreshFailure::NotProcessed(DEFAULT_DELAY),
        },
    }
}

/// The delay if the error names none.
const DEFAULT_DELAY: std::time::Duration = std::time::Duration::from_secs(30);

fn reason_code(reason: ReauthReason) -> &'static str {
    match reason {
        ReauthReason::GrantEnded => "grant_ended",
        ReauthReason::UserInactive => store::connections::USER_INACTIVE,
        ReauthReason::ResponseLost => "answer_lost",
        ReauthReason::AppSunset => store::connections::grants::APP_SUNSET,
    }
}

#[cfg(test)]
mod tests;
