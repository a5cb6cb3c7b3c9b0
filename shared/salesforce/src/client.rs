//! The client of one connection.

use std::fmt;
use std::sync::Arc;

use crate::meter::Meter;
use crate::transport::{Answer, Incoming, Request, Response, Target};
use crate::{ApiUsage, ApiVersion, Error, Http, InstanceUrl, MeterReading, Session, Sessions, Unusable};

/// A client of Salesforce's APIs, for one connection.
///
/// Cheap to clone; clones share the meter of API calls.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    sessions: Arc<dyn Sessions>,
    version: ApiVersion,
    meter: Meter,
}

impl Client {
    /// Creates a client that gets its sessions from `sessions`.
    pub fn new(http: Http, sessions: Arc<dyn Sessions>, version: ApiVersion) -> Self {
        Self { inner: Arc::new(Inner { http, sessions, version, meter: Meter::default() }) }
    }

    /// Returns the base URL of the org's API, as the current session has it.
    ///
    /// # Errors
    ///
    /// No session can be obtained.
    pub async fn instance_url(&self) -> Result<InstanceUrl, Error> {
        Ok(self.inner.sessions.session(None).await?.instance_url)
    }

    /// Returns the org's API usage as Salesforce reported it last.
    pub fn api_usage(&self) -> Option<ApiUsage> {
        self.inner.meter.usage()
    }

    /// Returns the number of API calls that this client has made, each attempt of a retried call included.
    pub fn api_calls(&self) -> u64 {
        self.inner.meter.total()
    }

    /// Returns whether a write of this client got no response that says what it did, although it may have been repeated with
    /// success: Salesforce may carry such a request out minutes later.
    pub fn has_lost_write(&self) -> bool {
        self.inner.meter.has_lost_write()
    }

    /// Notes that the response to a write says nothing.
    pub(crate) fn mark_lost_write(&self) {
        self.inner.meter.mark_lost_write();
    }

    /// Stores the usage that a response reports in its body.
    pub(crate) fn observe_usage(&self, usage: ApiUsage) {
        self.inner.meter.observe_usage(usage);
    }

    /// Returns the path of the partner SOAP API.
    pub(crate) fn soap_path(&self) -> String {
        format!("/services/Soap/u/{}", self.inner.version)
    }

    /// Reads the meter: the calls since the previous reading, and the usage that Salesforce reported last.
    ///
    /// Returns `None` until Salesforce has reported a usage.
    pub fn read_meter(&self) -> Option<MeterReading> {
        self.inner.meter.read()
    }

    /// Returns the calls since the previous reading of the meter, and counts them as read: for a client to which Salesforce has
    /// reported no usage, because none of its calls was answered.
    pub fn take_calls(&self) -> u64 {
        self.inner.meter.take()
    }

    /// Returns the path of a resource of the REST API.
    pub(crate) fn path(&self, resource: &str) -> String {
        format!("/services/data/v{}/{resource}", self.inner.version)
    }

    /// Sends a request. If Salesforce refuses the session, or its host cannot be reached, gets another session and sends the
    /// request again, at most [`MAX_REPLACEMENTS`] times: such a request has not taken effect.
    ///
    /// Two replacements, because the first may be a session that another process got long ago.
    pub(crate) async fn send(&self, request: &Request) -> Result<Response, Error> {
        self.answer(request).await
    }

    /// Sends a request as [`Client::send`] does, and leaves the body of the response to be read.
    pub(crate) async fn open(&self, request: &Request) -> Result<Incoming, Error> {
        self.answer(request).await
    }

    async fn answer<A: Answer>(&self, request: &Request) -> Result<A, Error> {
        let sessions = &self.inner.sessions;
        let mut session = sessions.session(None).await?;
        let mut replacements = 0;
        loop {
            let error = match self.send_as(&session, request).await {
                Ok(response) => {
                    sessions.accepted(&session).await;
                    return Ok(response);
                }
                Err(error) => error,
            };
            if error.proves_session() {
                sessions.accepted(&session).await;
            }
            let unusable = match &error {
                Error::SessionRefused { .. } => Unusable::Refused(session.fingerprint()),
                error if error.may_have_moved() => Unusable::Unreachable(session.fingerprint()),
                error if error.is_api_disabled() => Unusable::NotPermitted(session.fingerprint()),
                _ => return Err(error),
            };
            if replacements == MAX_REPLACEMENTS {
                return Err(error);
            }
            let replacement = sessions.replacement(unusable).await?;
            let is_same_host = error.may_have_moved() && replacement.instance_url == session.instance_url;
            if is_same_host || error.is_api_disabled() {
                return Err(error);
            }
            (session, replacements) = (replacement, replacements + 1);
        }
    }

    async fn send_as<A: Answer>(&self, session: &Session, request: &Request) -> Result<A, Error> {
        let target = Target {
            base: session.instance_url.as_str(),
            token: Some(&session.access_token),
            meter: Some(&self.inner.meter),
        };
        self.inner.http.call_as(&target, request).await
    }
}

/// The number of sessions that a call tries in place of its first.
const MAX_REPLACEMENTS: u32 = 2;

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("version", &self.inner.version).finish_non_exhaustive()
    }
}
