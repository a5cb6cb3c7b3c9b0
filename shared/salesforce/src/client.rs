//! The client: one connection's way into one org.

use std::sync::Arc;

use crate::{ApiUsage, ApiVersion, Http, Sessions};

/// Calls Salesforce's APIs as one connection.
///
/// Cheap to clone; clones share the session and what is known of the API limit.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    sessions: Arc<dyn Sessions>,
    version: ApiVersion,
}

impl Client {
    /// A client that gets its sessions from `sessions`.
    pub fn new(http: Http, sessions: Arc<dyn Sessions>, version: ApiVersion) -> Self {
        Self {
            inner: Arc::new(Inner {
                http,
                sessions,
                version,
            }),
        }
    }

    /// How much of the org's daily API limit was used when Salesforce last said so.
    pub fn api_usage(&self) -> Option<ApiUsage> {
        todo!()
    }
}
