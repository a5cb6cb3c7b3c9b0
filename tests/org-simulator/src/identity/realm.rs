//! The orgs of one process: they share the clock, the registered apps and the login hosts; each has a port of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::data::seed::Seed;
use crate::identity::oauth::Keys;
use crate::messages::callout::Callouts;
use crate::model::kind::{Environment, Features, OrgKind};
use crate::model::logins::apps::Apps;
use crate::model::org::Org;
use crate::{Clock, Error};

/// Starts a further org of a realm, which runs until the realm is released.
pub(crate) type StartOrg = fn(Realm, OrgOptions) -> BoxFuture<'static, Result<Shared, Error>>;

/// The orgs that know of each other. Clones are the same realm.
#[derive(Clone)]
pub(crate) struct Realm(Arc<Inner>);

struct Inner {
    clock: Clock,
    apps: Apps,
    keys: &'static Keys,
    login_url: String,
    sandbox_login_url: String,
    start_org: StartOrg,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    /// How many orgs were ever made; each gets ids of its own by it.
    made: u32,
    /// Where the orgs listen; 127.0.0.1 when not set.
    listen: Option<IpAddr>,
    orgs: Vec<(Weak<OrgLock>, Callouts)>,
    /// Servers that run until the first org stops: the login hosts, and orgs to which nobody holds an owning handle.
    servers: Vec<Box<dyn Send>>,
}

impl Realm {
    /// A realm without orgs, whose login hosts are at these addresses.
    pub(crate) fn new(
        clock: Clock,
        [login_url, sandbox_login_url]: [String; 2],
        start_org: StartOrg,
    ) -> Result<Self, Error> {
        let (apps, members) = (Apps::default(), Mutex::default());
        let keys = Keys::shared()?;
        Ok(Self(Arc::new(Inner { clock, apps, keys, login_url, sandbox_login_url, start_org, members })))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn apps(&self) -> &Apps {
        &self.0.apps
    }

    /// Lets the orgs that are made from now on listen elsewhere than on 127.0.0.1.
    pub(crate) fn listen_on(&self, address: IpAddr) {
        if !address.is_loopback() {
            tracing::warn!(%address, "the simulator can be reached from other machines; whoever reaches it can do everything");
        }
        self.members().listen = Some(address);
    }

    /// Where an org listens.
    pub(crate) fn address(&self) -> IpAddr {
        self.members().listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    pub(crate) fn keys(&self) -> &'static Keys {
        self.0.keys
    }

    /// Address of a login host, without a trailing slash.
    pub(crate) fn login_url(&self, environment: Environment) -> &str {
        match environment {
            Environment::Production => &self.0.login_url,
            Environment::Sandbox => &self.0.sandbox_login_url,
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next org, from 0.
    pub(crate) fn number(&self) -> u32 {
        let mut members = self.members();
        members.made += 1;
        members.made - 1
    }

    /// How many orgs were ever made.
    pub(crate) fn made(&self) -> u32 {
        self.members().made
    }

    /// Goes on counting where a saved realm stopped.
    pub(crate) fn count_from(&self, made: u32) {
        self.members().made = made;
    }

    /// Makes an org known to the others.
    pub(crate) fn join(&self, org: &Arc<OrgLock>, callouts: &Callouts) {
        self.members().orgs.push((Arc::downgrade(org), callouts.clone()));
    }

    /// Takes an org off the list, as it stops.
    pub(crate) fn leave(&self, org: &Arc<OrgLock>) {
        self.members().orgs.retain(|(known, _)| !Weak::ptr_eq(known, &Arc::downgrade(org)));
    }

    /// The orgs that run, in the order they were made.
    pub(crate) fn orgs(&self) -> Vec<Shared> {
        let live = |(org, callouts): &(Weak<OrgLock>, Callouts)| Some((org.upgrade()?, callouts.clone()));
        let orgs: Vec<_> = self.members().orgs.iter().filter_map(live).collect();
        orgs.into_iter().map(|(org, callouts)| Shared::of(org, callouts, self)).collect()
    }

    /// Starts an org beside the others, which runs until the first org stops.
    pub(crate) async fn start_org(&self, options: OrgOptions) -> Result<Shared, Error> {
        (self.0.start_org)(self.clone(), options).await
    }

    /// Keeps a server running until the first org stops.
    pub(crate) fn keep(&self, server: impl Send + 'static) {
        self.members().servers.push(Box::new(server));
    }

    /// Stops what [`Realm::keep`] was given.
    pub(crate) fn release(&self) {
        let servers = std::mem::take(&mut self.members().servers);
        drop(servers);
    }
}

/// A further org to add to a running simulator.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrgOptions {
    /// What kind of org it is.
    pub kind: OrgKind,
    /// Its name; one by its kind when empty. The usernames of its seed end in it, as usernames are unique in the world.
    pub name: String,
    /// What is switched on in it.
    pub features: Features,
    /// What it holds at the start.
    pub seed: Seed,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Seed for ids and tokens; without one they come from the system.
    pub random_seed: Option<u64>,
    /// Namespace prefix of the org, where it has one.
    pub namespace_prefix: Option<String>,
    /// When the trial ends, where it is one.
    pub trial_expires_at: Option<jiff::Timestamp>,
    /// Send outbound messages by itself as they fall due.
    pub send_outbound_messages: bool,
}

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct Shared {
    org: Arc<OrgLock>,
    pub(crate) callouts: Callouts,
    /// The orgs beside this one.
    pub(crate) realm: Realm,
}

/// An org behind its lock.
pub(crate) type OrgLock = Mutex<Org>;

impl Shared {
    /// Puts a new org behind its lock and makes it known to its realm.
    pub(crate) fn new(org: Org, realm: &Realm) -> Result<Self, Error> {
        let (org, callouts) = (Arc::new(Mutex::new(org)), Callouts::new()?);
        realm.join(&org, &callouts);
        Ok(Self::of(org, callouts, realm))
    }

    /// What is shared about an org of a realm.
    pub(crate) fn of(org: Arc<OrgLock>, callouts: Callouts, realm: &Realm) -> Self {
        Self { org, callouts, realm: realm.clone() }
    }

    /// The org is no longer one of its realm.
    pub(crate) fn leave(&self) {
        self.realm.leave(&self.org);
    }

    /// The org, for one turn.
    pub(crate) fn org(&self) -> MutexGuard<'_, Org> {
        self.org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
