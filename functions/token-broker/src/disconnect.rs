//! Disconnects a connection: first in the table, so that no caller gets a token any more, then at Salesforce, then in the
//! vault. [`protocol`] decides every step.

mod protocol;

use runtime::Chain;
use runtime::token_broker::{ConnectionRef, RefusalCode, Response};
use salesforce::auth;
use store::{Connection, Lease, LeaseClaim, LeaseOutcome, LeaseRequest, TokenVersion, Tokens};
use uuid::Uuid;

use crate::grants::login_host;
use crate::refusal::{from_salesforce_error, refused, refused_for_now};
use crate::{Deps, Error, Reply};
use protocol::{Disconnection, Event, Outcome, Step};

/// Disconnects the connection. Idempotent: a repetition completes what an earlier attempt could not.
pub(crate) async fn revoke(deps: &Deps, reference: &ConnectionRef) -> Result<Reply, Error> {
    let loaded = deps.connections.load(reference.org_id, &reference.connection_id).await;
    let Some(connection) = loaded? else {
        return Ok(refused(RefusalCode::UnknownConnection));
    };
    DisconnectRun { deps, reference, connection, lease: None, tokens: None, failure: None }.execute().await
}

/// A running disconnection, and what its steps found.
struct DisconnectRun<'a> {
    deps: &'a Deps,
    reference: &'a ConnectionRef,
    connection: Connection,
    lease: Option<Lease>,
    tokens: Option<(Tokens, TokenVersion)>,
    /// The refusal for a revocation that Salesforce did not confirm.
    failure: Option<Reply>,
}

impl DisconnectRun<'_> {
    async fn execute(mut self) -> Result<Reply, Error> {
        let limits = &self.deps.limits;
        let (mut disconnection, mut step) = Disconnection::begin(self.deps.clock.now(), limits);
        loop {
            let event = match step {
                Step::ClaimLease => self.claim_lease().await?,
                Step::MarkRevoked => self.mark_revoked().await?,
                Step::LoadTokens => self.load_tokens().await?,
                Step::RevokeGrant => self.revoke_grant().await,
                Step::DeleteTokens => self.delete_tokens().await?,
                Step::Release => self.release().await,
                Step::Wait(delay) => {
                    self.deps.timer.wait(delay).await;
                    Event::Waited
                }
                Step::Done(outcome) => return Ok(self.into_reply(outcome)),
            };
            step = disconnection.step(event, self.deps.clock.now(), limits);
        }
    }

    async fn claim_lease(&mut self) -> Result<Event, Error> {
        let request = LeaseRequest {
            owner: Uuid::new_v4().to_string(),
            now: self.deps.clock.now(),
            length: self.deps.limits.lease,
            seen_fence: None,
        };
        let ConnectionRef { org_id, connection_id } = self.reference;
        Ok(match self.deps.connections.claim_lease(*org_id, connection_id, &request).await? {
            LeaseClaim::Granted(lease) => {
                self.lease = Some(lease);
                Event::LeaseGranted
            }
            LeaseClaim::Held(_) => Event::LeaseDenied,
        })
    }

    async fn mark_revoked(&mut self) -> Result<Event, Error> {
        let ConnectionRef { org_id, connection_id } = self.reference;
        let Some(lease) = &self.lease else { return Ok(Event::LeaseLost) };
        let now = self.deps.clock.now();
        match self.deps.connections.mark_revoked(*org_id, connection_id, lease, now).await {
            Ok(connection) => {
                self.connection = connection;
                Ok(Event::MarkedRevoked)
            }
            Err(store::Error::LeaseLost { .. }) => Ok(Event::LeaseLost),
            Err(error) => Err(error.into()),
        }
    }

    async fn load_tokens(&mut self) -> Result<Event, Error> {
        let ConnectionRef { org_id, connection_id } = self.reference;
        self.tokens = self.deps.vault.load(*org_id, connection_id).await?;
        Ok(if self.tokens.is_some() { Event::TokensLoaded } else { Event::NoTokens })
    }

    async fn revoke_grant(&mut self) -> Event {
        let Some((tokens, _)) = &self.tokens else { return Event::GrantRevoked };
        let Some(host) = login_host(self.deps, &self.connection, tokens) else {
            self.failure = Some(refused(RefusalCode::UnknownApp));
            return Event::RevocationFailed;
        };
        match auth::revoke(&self.deps.http, &host, &tokens.refresh_token).await {
            Ok(()) => Event::GrantRevoked,
            Err(error) => {
                let org = self.reference.org_id;
                tracing::warn!(org.id = %org, error = %Chain(&error), "could not revoke a grant of org {org} at Salesforce; Ferry no longer uses it");
                self.failure = Some(from_salesforce_error(&error));
                Event::RevocationFailed
            }
        }
    }

    async fn delete_tokens(&self) -> Result<Event, Error> {
        let ConnectionRef { org_id, connection_id } = self.reference;
        if let Some((_, version)) = &self.tokens
            && !self.deps.vault.delete_version(*org_id, connection_id, version).await?
        {
            tracing::error!(org.id = %org_id, "did not delete the tokens of connection {connection_id} of org {org_id}: others were stored without the lease");
        }
        Ok(Event::TokensDeleted)
    }

    /// Releases the lease. If that fails, the lease expires.
    async fn release(&self) -> Event {
        let ConnectionRef { org_id, connection_id } = self.reference;
        if let Some(lease) = &self.lease {
            let released = self.deps.connections.release_lease(*org_id, connection_id, lease, &LeaseOutcome::Unchanged);
            if let Err(error) = released.await {
                tracing::warn!(org.id = %org_id, error = %Chain(&error), "could not release the lease of a disconnected connection; it will expire");
            }
        }
        Event::Released
    }

    fn into_reply(self, outcome: Outcome) -> Reply {
        match (outcome, self.failure) {
            (Outcome::NotRevoked, Some(refusal)) => refusal,
            (Outcome::Busy, _) => refused_for_now(RefusalCode::Busy, self.deps.limits.retry_delay),
            _ => Reply::new(Response::Revoked(self.reference.clone())),
        }
    }
}
