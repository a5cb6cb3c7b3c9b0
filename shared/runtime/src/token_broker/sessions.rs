//! Sessions of the token broker's, remembered for the life of the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use salesforce::{BoxFuture, Classify as _, Fingerprint, InstanceUrl, OrgId, Session, Sessions};
use store::ConnectionId;
use tokio::sync::Mutex as AsyncMutex;

use super::{Answer, ConnectionRef, Request, TokenBroker, TokenWanted};
use crate::Error;

/// What is known of one connection's session. Held while the broker is asked, so that one caller asks and the others wait.
type Slot = Arc<AsyncMutex<Option<Session>>>;

/// The slots of all connections that this process has used.
#[derive(Clone, Default)]
pub(super) struct Slots(Arc<Mutex<HashMap<(OrgId, ConnectionId), Slot>>>);

impl Slots {
    pub(super) fn of(&self, org: OrgId, connection: &ConnectionId) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((org, connection.clone())).or_default())
    }
}

/// The sessions of one connection.
pub(super) struct BrokerSessions {
    pub(super) broker: TokenBroker,
    pub(super) wanted: ConnectionRef,
    pub(super) slot: Slot,
}

impl Sessions for BrokerSessions {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, salesforce::Error>> {
        Box::pin(async move {
            let mut slot = self.slot.lock().await;
            if let Some(known) = slot.as_ref().filter(|known| refused.as_ref() != Some(&known.fingerprint())) {
                return Ok(known.clone());
            }
            *slot = None;
            let session = self.fetch(refused).await?;
            Ok(slot.insert(session).clone())
        })
    }
}

impl BrokerSessions {
    async fn fetch(&self, refused_fingerprint: Option<Fingerprint>) -> Result<Session, salesforce::Error> {
        let ConnectionRef { org_id, connection_id } = self.wanted.clone();
        let wanted = TokenWanted { org_id, connection_id, refused_fingerprint };
        let answer = self.broker.ask(&Request::AccessToken(wanted)).await;
        let token = match answer {
            Ok(Answer::Token(token)) => token,
            Ok(other) => return Err(no_session(&self.broker.unexpected(other))),
            Err(error) => return Err(no_session(&error)),
        };
        let instance_url = InstanceUrl::parse(&token.instance_url, self.broker.policy)?;
        Ok(Session { instance_url, access_token: token.access_token })
    }
}

fn no_session(error: &Error) -> salesforce::Error {
    salesforce::Error::NoSession { reason: error.to_string(), retry: error.retry() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use salesforce::HostPolicy;
    use serde_json::{Value, json};

    use super::*;
    use crate::invoke::Invoke;

    /// A broker that counts how often it is asked and gives a new token each time.
    struct Counting(Arc<AtomicUsize>);

    impl Invoke for Counting {
        fn name(&self) -> &str {
            "token-broker"
        }

        fn invoke(&self, _question: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
            Box::pin(async {
                tokio::task::yield_now().await;
                let asked = self.0.fetch_add(1, Ordering::SeqCst);
                let token = json!({
                    "answer": "token", "access_token": format!("token {asked}"), "instance_url": "https://acme.my.salesforce.com",
                });
                Ok(serde_json::to_vec(&token).unwrap())
            })
        }
    }

    fn sessions(asked: &Arc<AtomicUsize>) -> Arc<dyn Sessions> {
        let broker = TokenBroker::new(Counting(Arc::clone(asked)), HostPolicy::SalesforceOnly);
        broker.sessions("00D5e000000KQ2eEAG".parse().unwrap(), &ConnectionId::team())
    }

    #[tokio::test]
    async fn callers_at_the_same_time_share_one_request() {
        let asked = Arc::default();
        let sessions = sessions(&asked);

        let both = tokio::join!(sessions.session(None), sessions.session(None));

        assert_eq!(both.0.unwrap().fingerprint(), both.1.unwrap().fingerprint());
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_refused_session_is_replaced_once_for_all_who_had_it() {
        let asked = Arc::default();
        let sessions = sessions(&asked);
        let refused = sessions.session(None).await.unwrap().fingerprint();

        let first = sessions.session(Some(refused.clone())).await.unwrap().fingerprint();
        let second = sessions.session(Some(refused.clone())).await.unwrap().fingerprint();

        assert_ne!(first, refused);
        assert_eq!(first, second);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_instance_url_outside_salesforce_is_refused() {
        struct Evil;
        impl Invoke for Evil {
            fn name(&self) -> &str {
                "token-broker"
            }
            fn invoke(&self, _question: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
                let token: Value =
                    json!({ "answer": "token", "access_token": "t", "instance_url": "https://example.com" });
                Box::pin(async move { Ok(serde_json::to_vec(&token).unwrap()) })
            }
        }
        let broker = TokenBroker::new(Evil, HostPolicy::SalesforceOnly);
        let sessions = broker.sessions("00D5e000000KQ2eEAG".parse().unwrap(), &ConnectionId::team());

        assert!(sessions.session(None).await.is_err());
    }
}
