//! The client: one connection's way into one org.

use std::fmt;
use std::sync::Arc;

use crate::limits::Meter;
use crate::transport::{Request, Response, Target};
use crate::{ApiUsage, ApiVersion, Error, Http, Session, Sessions};

/// Calls Salesforce's APIs as one connection.
///
/// Cheap to clone; clones share what is known of the API limit.
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
    /// A client that gets its sessions from `sessions`.
    pub fn new(http: Http, sessions: Arc<dyn Sessions>, version: ApiVersion) -> Self {
        Self { inner: Arc::new(Inner { http, sessions, version, meter: Meter::default() }) }
    }

    /// How much of the org's daily API limit was used when Salesforce last said so.
    pub fn api_usage(&self) -> Option<ApiUsage> {
        self.inner.meter.last()
    }

    /// A path below the API's base.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("/services/data/v{}/{below}", self.inner.version)
    }

    /// Makes a call. When the session is refused, another one is asked for, once, and the call is made again:
    /// a refused request has not taken effect.
    pub(crate) async fn send(&self, request: &Request) -> Result<Response, Error> {
        let sessions = &self.inner.sessions;
        let session = sessions.session(None).await?;
        match self.send_as(&session, request).await {
            Err(Error::SessionRefused { .. }) => {
                let other = sessions.session(Some(session.fingerprint())).await?;
                self.send_as(&other, request).await
            }
            answered => answered,
        }
    }

    async fn send_as(&self, session: &Session, request: &Request) -> Result<Response, Error> {
        let target = Target {
            base: session.instance_url.as_str(),
            token: Some(&session.access_token),
            meter: Some(&self.inner.meter),
        };
        self.inner.http.call(&target, request).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("version", &self.inner.version).finish_non_exhaustive()
    }
}
