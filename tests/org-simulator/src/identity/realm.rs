//! The realm: all orgs of one process, which share the clock, the registered apps and the login hosts. Each has a port
//! of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::data::seed::Seed;
use crate::identity::oauth::SigningKey;
use crate::messages::callout::Callouts;
use crate::model::kind::{Environment, Features, OrgKind};
use crate::model::logins::apps::Apps;
use crate::model::org::Org;
use crate::wire::recorder::Recorder;
use crate::{Clock, Error};

/// A function that starts an additional org of a realm, which runs until [`Realm::stop_servers`].
pub(crate) type StartOrg = fn(Realm, OrgOptions) -> BoxFuture<'static, Result<Shared, Error>>;

/// All orgs of one process. Clones are the same realm.
#[derive(Clone)]
pub(crate) struct Realm(Arc<Inner>);

struct Inner {
    clock: Clock,
    apps: Apps,
    login_url: String,
    sandbox_login_url: String,
    start_org: StartOrg,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    /// The number of orgs that were ever created; each derives its record ids from it.
    made: u32,
    /// The address on which the orgs listen; 127.0.0.1 when not set.
    listen: Option<IpAddr>,
    recorder: Option<Recorder>,
    orgs: Vec<(Weak<OrgLock>, Callouts)>,
    /// Servers that run until the first org stops: the login hosts, and orgs that no handle owns.
    servers: Vec<Box<dyn Send>>,
}

impl Realm {
    /// Returns a realm without orgs, with these addresses of the login hosts.
    pub(crate) fn new(clock: Clock, [login_url, sandbox_login_url]: [String; 2], start_org: StartOrg) -> Self {
        // The key takes longer than the rest of the start, and no org needs it before a login.
        std::thread::spawn(SigningKey::of_process);
        let (apps, members) = (Apps::default(), Mutex::default());
        Self(Arc::new(Inner { clock, apps, login_url, sandbox_login_url, start_org, members }))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn apps(&self) -> &Apps {
        &self.0.apps
    }

    /// Sets the address on which new orgs listen, in place of 127.0.0.1.
    pub(crate) fn listen_on(&self, address: IpAddr) {
        if !address.is_loopback() {
            tracing::warn!(%address, "the simulator can be reached from other machines, and every client has full access");
        }
        self.members().listen = Some(address);
    }

    /// Returns the address on which an org listens.
    pub(crate) fn address(&self) -> IpAddr {
        self.members().listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Sets the file to which the requests to new servers are written.
    pub(crate) fn record_to(&self, recorder: Recorder) {
        self.members().recorder = Some(recorder);
    }

    pub(crate) fn recorder(&self) -> Option<Recorder> {
        self.members().recorder.clone()
    }

    /// Returns the address of a login host, without a trailing slash.
    pub(crate) fn login_url(&self, environment: Environment) -> &str {
        match environment {
            Environment::Production => &self.0.login_url,
            Environment::Sandbox => &self.0.sandbox_login_url,
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of the next org, from 0.
    pub(crate) fn number(&self) -> u32 {
        let mut members = self.members();
        members.made += 1;
        members.made - 1
    }

    /// Returns the number of orgs that were ever created.
    pub(crate) fn created_orgs(&self) -> u32 {
        self.members().made
    }

    /// Continues the numbers of a saved realm.
    pub(crate) fn count_from(&self, made: u32) {
        self.members().made = made;
    }

    /// Adds an org.
    pub(crate) fn join(&self, org: &Arc<OrgLock>, callouts: &Callouts) {
        self.members().orgs.push((Arc::downgrade(org), callouts.clone()));
    }

    /// Removes an org that stops.
    pub(crate) fn leave(&self, org: &Arc<OrgLock>) {
        self.members().orgs.retain(|(known, _)| !Weak::ptr_eq(known, &Arc::downgrade(org)));
    }

    /// Returns the running orgs, in the order of their creation.
    pub(crate) fn orgs(&self) -> Vec<Shared> {
        let live = |(org, callouts): &(Weak<OrgLock>, Callouts)| Some((org.upgrade()?, callouts.clone()));
        let orgs: Vec<_> = self.members().orgs.iter().filter_map(live).collect();
        orgs.into_iter().map(|(org, callouts)| Shared::of(org, callouts, self)).collect()
    }

    /// Starts an additional org, which runs until the first org stops.
    pub(crate) async fn start_org(&self, options: OrgOptions) -> Result<Shared, Error> {
        (self.0.start_org)(self.clone(), options).await
    }

    /// Keeps a server running until the first org stops.
    pub(crate) fn keep_running(&self, server: impl Send + 'static) {
        self.members().servers.push(Box::new(server));
    }

    /// Stops the servers passed to [`Realm::keep_running`].
    pub(crate) fn stop_servers(&self) {
        let servers = std::mem::take(&mut self.members().servers);
        drop(servers);
    }
}

/// The options of an additional org.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrgOptions {
    /// The kind of the org.
    pub kind: OrgKind,
    /// The name of the org; derived from its kind when empty. It is also the suffix of the seed's usernames, which are
    /// unique in the realm.
    pub name: String,
    /// The features that are enabled in the org.
    pub features: Features,
    /// The data of the org at the start.
    pub seed: Seed,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Seed of ids and tokens; from the system when absent.
    pub random_seed: Option<u64>,
    /// Namespace prefix of the org, if it has one.
    pub namespace_prefix: Option<String>,
    /// The end of the trial, if the org is one.
    pub trial_expires_at: Option<jiff::Timestamp>,
    /// Send outbound messages automatically when they are due.
    pub send_outbound_messages: bool,
}

/// The state that every HTTP handler of an org shares.
#[derive(Clone)]
pub(crate) struct Shared {
    org: Arc<OrgLock>,
    pub(crate) callouts: Callouts,
    /// The realm of the org.
    pub(crate) realm: Realm,
}

/// An org with its lock.
pub(crate) type OrgLock = Mutex<Org>;

impl Shared {
    /// Creates the lock of a new org and adds the org to its realm.
    pub(crate) fn new(org: Org, realm: &Realm) -> Result<Self, Error> {
        let (org, callouts) = (Arc::new(Mutex::new(org)), Callouts::new()?);
        realm.join(&org, &callouts);
        Ok(Self::of(org, callouts, realm))
    }

    /// Returns the shared state of an org in a realm.
    pub(crate) fn of(org: Arc<OrgLock>, callouts: Callouts, realm: &Realm) -> Self {
        Self { org, callouts, realm: realm.clone() }
    }

    /// Removes the org from its realm, and ends the requests that wait for events.
    pub(crate) fn leave(&self) {
        self.org().streams.stop();
        self.realm.leave(&self.org);
    }

    /// Locks the org.
    pub(crate) fn org(&self) -> MutexGuard<'_, Org> {
        self.org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
