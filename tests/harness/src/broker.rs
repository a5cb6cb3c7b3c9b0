//! A fake token broker for the simulated org.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use org_simulator::Simulator;
use runtime::invoke::Invoke;
use runtime::token_broker::{
    AccessTokenRequest, Apps, ConnectionRef, ConnectionStatus, Refusal, RefusalCode, Request, Response, RetryHint,
    Token,
};
use salesforce::{BoxFuture, Clock, Condition, HostPolicy, InstanceUrl, OrgId, Session};
use store::{
    ConditionState, Connection, ConnectionId, ConnectionState, Connections, Error, LeaseClaim, LeaseOutcome,
    LeaseRequest, PublicApp,
};

/// Returns an access token for each live connection of the simulated org and refuses every other. Marks a dead connection
/// as the real broker does.
#[derive(Clone)]
pub(crate) struct FakeBroker {
    pub(crate) simulator: Arc<Simulator>,
    /// The base URL of the org's APIs.
    pub(crate) instance_url: String,
    pub(crate) connections: Connections,
    pub(crate) clock: Clock,
    /// The usernames of the team connection and of the rep.
    pub(crate) usernames: [String; 2],
    pub(crate) dead: Arc<Mutex<HashSet<ConnectionId>>>,
    pub(crate) apps: Arc<Mutex<Vec<PublicApp>>>,
    /// The access token that the broker holds of a connection. It is returned until a caller says that it was refused.
    pub(crate) held: Arc<Mutex<HashMap<ConnectionId, String>>>,
    /// The conditions of connections that cannot be used, each of which a person has to end.
    pub(crate) blocked: Arc<Mutex<HashMap<ConnectionId, Condition>>>,
    /// True if the broker asks for reports of accepted sessions, and never responds to one.
    pub(crate) is_silent_to_reports: Arc<AtomicBool>,
}

impl FakeBroker {
    async fn access_token(&self, wanted: AccessTokenRequest) -> Response {
        let is_silent_to_reports = self.is_silent_to_reports.load(Ordering::Relaxed);
        if is_silent_to_reports && wanted.accepted_fingerprint.is_some() {
            std::future::pending::<()>().await;
        }
        let (org, connection) = (wanted.org_id, wanted.connection_id);
        if org.as_str() != self.simulator.org_id() {
            return refused("the grant has ended");
        }
        let held = self.held.lock().unwrap().get(&connection).cloned();
        if let Some(token) = held {
            let instance_url = self.instance_url.clone();
            let url = InstanceUrl::parse(&instance_url, HostPolicy::LoopbackToo).unwrap();
            let session = Session { instance_url: url, access_token: token.into() };
            if wanted.refused_fingerprint != Some(session.fingerprint()) {
                return Response::Token(Token {
                    access_token: session.access_token,
                    instance_url,
                    report_acceptance: false,
                });
            }
        }
        let condition = self.blocked.lock().unwrap().get(&connection).copied();
        if let Some(condition) = condition {
            return self.block(org, &connection, condition).await;
        }
        if self.dead.lock().unwrap().contains(&connection) {
            let state = ConnectionState::ReauthRequired { reason: "revoked".to_owned() };
            set_connection_state(&self.connections, org, &connection, &state, self.clock.now()).await;
            return refused("revoked");
        }
        let username = &self.usernames[usize::from(!connection.is_team())];
        let access_token = self.simulator.access_token(username).unwrap().into();
        let instance_url = self.instance_url.clone();
        Response::Token(Token { access_token, instance_url, report_acceptance: is_silent_to_reports })
    }

    /// Records the condition, as a refresh does that fails with it, and refuses the session.
    async fn block(&self, org: OrgId, connection: &ConnectionId, condition: Condition) -> Response {
        let now = self.clock.now();
        let state = ConditionState { condition, since: now, reported: true, sessions_replaced: 0 };
        let outcome = LeaseOutcome::Failed { is_uncertain: false, condition: state, now };
        end_refresh(&self.connections, org, connection, &outcome, now).await;
        let reason = condition.explanation().to_owned();
        let (code, retry) = (RefusalCode::Unavailable, RetryHint::NeedsHuman);
        Response::Refused(Refusal { code, reason, retry, condition: Some(condition) })
    }

    async fn revoke(&self, wanted: ConnectionRef) -> Response {
        let (org, connection) = (wanted.org_id, &wanted.connection_id);
        let now = self.clock.now();
        set_connection_state(&self.connections, org, connection, &ConnectionState::Revoked, now).await;
        Response::Revoked(wanted)
    }
}

impl FakeBroker {
    /// Fails without a registered app, as the real broker does.
    fn registered(&self) -> Result<Response, runtime::Error> {
        let apps = self.apps.lock().unwrap().clone();
        if apps.is_empty() {
            let function = self.name().to_owned();
            return Err(runtime::Error::Failed { function, error_type: "NeedsHuman".to_owned() });
        }
        Ok(Response::Apps(Apps { apps }))
    }

    /// Returns the status, since access tokens of the simulated org need no refresh.
    async fn status(&self, wanted: ConnectionRef) -> Response {
        let ConnectionRef { org_id, connection_id } = wanted;
        let Connection { state, app, .. } = self.connections.load(org_id, &connection_id).await.unwrap().unwrap();
        Response::Status(ConnectionStatus { org_id, connection_id, state, app })
    }
}

/// Puts the connection into `state`, as a refresh does that ends with it.
pub async fn set_connection_state(
    connections: &Connections,
    org: OrgId,
    connection: &ConnectionId,
    state: &ConnectionState,
    now: Timestamp,
) {
    let outcome = LeaseOutcome::StateChanged { state: state.clone(), now };
    end_refresh(connections, org, connection, &outcome, now).await;
}

/// Stores the outcome of a refresh.
async fn end_refresh(
    connections: &Connections,
    org: OrgId,
    connection: &ConnectionId,
    outcome: &LeaseOutcome,
    now: Timestamp,
) {
    // The lease ends at once, so that concurrent calls do not wait for each other.
    let request = LeaseRequest { owner: "fixture".to_owned(), now, length: SignedDuration::ZERO, seen_fence: None };
    for _ in 0..100 {
        let claim = connections.claim_lease(org, connection, &request).await.unwrap();
        let LeaseClaim::Granted(lease) = claim else { continue };
        match connections.release_lease(org, connection, &lease, outcome).await {
            Err(Error::LeaseLost { .. }) => {}
            released => return drop(released.unwrap()),
        }
    }
    panic!("the lease of {connection} is held");
}

fn refused(reason: &str) -> Response {
    let code = RefusalCode::ReauthRequired;
    Response::Refused(Refusal { code, reason: reason.to_owned(), retry: RetryHint::NeedsHuman, condition: None })
}

impl Invoke for FakeBroker {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, runtime::Error>> {
        Box::pin(async move {
            let response = match serde_json::from_slice(&payload).unwrap() {
                Request::AccessToken(wanted) => self.access_token(wanted).await,
                Request::KeepAlive(wanted) => self.status(wanted).await,
                Request::Revoke(connection) => self.revoke(connection).await,
                Request::Apps => self.registered()?,
                other => panic!("{other:?}"),
            };
            Ok(serde_json::to_vec(&response).unwrap())
        })
    }
}
