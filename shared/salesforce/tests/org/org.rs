//! A simulated org, and clients of its users.

use std::sync::Arc;

use org_simulator::{Effect, Fault, Options, Seed, Simulator};
use salesforce::auth::{self, App};
use salesforce::{
    ApiVersion, BoxFuture, Client, Clock, Error, FieldName, Fingerprint, HostPolicy, Http, InstanceUrl, JsonObject,
    LoginHost, ObjectName, RecordId, Session, Sessions,
};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

pub(crate) const ADMIN: &str = "admin@larkspur.example";
pub(crate) const REP: &str = "casey@larkspur.example";
pub(crate) const REDIRECT: &str = "http://localhost:8580/oauth/callback";

pub(crate) const ACCOUNT: ObjectName = ObjectName::from_static("Account");
pub(crate) const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
pub(crate) const ID: FieldName = FieldName::ID;
pub(crate) const NAME: FieldName = FieldName::from_static("Name");
pub(crate) const KEY: FieldName = FieldName::from_static("Ferry_External_Id__c");

/// A running org.
pub(crate) struct Org(pub(crate) Simulator);

impl Org {
    pub(crate) async fn start() -> Self {
        let options = Options { seed: Seed::None, ..Options::default() };
        Self(Simulator::start(options).await.unwrap())
    }

    /// Returns a client with a session of a user.
    pub(crate) fn client(&self, username: &str) -> Client {
        let token = self.0.access_token(username).unwrap();
        Client::new(http(), Arc::new(Single(session(self.0.url(), token.into()))), ApiVersion::DEFAULT)
    }

    pub(crate) fn login(&self) -> LoginHost {
        LoginHost::parse(self.0.url(), HostPolicy::LoopbackToo).unwrap()
    }

    pub(crate) fn app(&self) -> App {
        App {
            name: "simulator".to_owned(),
            client_id: self.0.client_id().to_owned(),
            client_secret: self.0.client_secret().into(),
        }
    }

    /// Consents as a user, and returns the code and the state that the redirect URI receives.
    pub(crate) async fn consent(&self, authorize: &url::Url, username: &str) -> (String, String) {
        let address = format!("127.0.0.1:{}", authorize.port().unwrap());
        let mut stream = TcpStream::connect(address).await.unwrap();
        let target = format!("{}?{}", authorize.path(), authorize.query().unwrap());
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-simulator-user: {username}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let location = response.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
        let callback = url::Url::parse(location.trim()).unwrap();
        let pair = |wanted: &str| callback.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
        (pair("code"), pair("state"))
    }

    /// Creates a record as a user.
    pub(crate) fn create(&self, username: &str, object: &ObjectName, fields: &JsonObject) -> RecordId {
        self.0.create_record(username, object.as_str(), fields).unwrap().parse().unwrap()
    }

    /// Moves a record to the recycle bin.
    pub(crate) fn delete(&self, object: &ObjectName, id: &RecordId) {
        self.0.delete_record(ADMIN, object.as_str(), id.as_str()).unwrap();
    }

    /// Applies an effect to the next requests to a path.
    pub(crate) fn fault(&self, path: &str, times: u32, effect: Effect) {
        let path_prefix = format!("/services/data/v66.0/{path}");
        self.0.fault(Fault { path_prefix, method: None, times, effect });
    }

    pub(crate) fn count(&self, object: &str) -> usize {
        self.0.record_counts().get(object).copied().unwrap_or_default()
    }
}

pub(crate) fn http() -> Http {
    Http::new(HostPolicy::LoopbackToo, Clock::system()).unwrap()
}

pub(crate) fn session(url: &str, access_token: SecretString) -> Session {
    Session { instance_url: InstanceUrl::parse(url, HostPolicy::LoopbackToo).unwrap(), access_token }
}

pub(crate) fn fields(json: Value) -> JsonObject {
    serde_json::from_value(json).unwrap()
}

/// Has only one session.
struct Single(Session);

impl Sessions for Single {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(async move {
            match refused {
                None => Ok(self.0.clone()),
                Some(_) => Err(Error::SessionRefused { operation: "renew the session" }),
            }
        })
    }
}

/// Sessions of a grant. Refreshes a refused session, unless it was refreshed already.
pub(crate) struct Renewing {
    pub(crate) app: App,
    pub(crate) login: LoginHost,
    pub(crate) tokens: Mutex<(Session, SecretString)>,
}

impl Sessions for Renewing {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(async move {
            let mut tokens = self.tokens.lock().await;
            if refused == Some(tokens.0.fingerprint()) {
                let response = auth::refresh(&http(), &self.app, &self.login, &tokens.1).await?;
                tokens.0.access_token = response.access_token;
                tokens.1 = response.refresh_token.unwrap_or_else(|| tokens.1.clone());
            }
            Ok(tokens.0.clone())
        })
    }
}
