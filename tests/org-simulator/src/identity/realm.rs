//! The orgs of one process: they share the clock, the registered apps and the login hosts; each has a port of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::handle::simulator::Server;
use crate::http::server::{OrgLock, Shared};
use crate::identity::oauth::host::Environment;
use crate::identity::oauth::{Apps, Keys};
use crate::messages::callout::Callouts;
use crate::{Clock, Error};

/// The orgs that know of each other. Clones are the same realm.
#[derive(Clone)]
pub(crate) struct Realm(Arc<Inner>);

struct Inner {
    clock: Clock,
    apps: Apps,
    keys: &'static Keys,
    login_url: String,
    sandbox_login_url: String,
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
    servers: Vec<Server>,
}

impl Realm {
    /// A realm without orgs, whose login hosts are at these addresses.
    pub(crate) fn new(clock: Clock, login_url: String, sandbox_login_url: String) -> Result<Self, Error> {
        let (apps, members) = (Apps::default(), Mutex::default());
        let keys = Keys::shared()?;
        Ok(Self(Arc::new(Inner { clock, apps, keys, login_url, sandbox_login_url, members })))
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

    /// Keeps a server running until the first org stops.
    pub(crate) fn keep(&self, server: Server) {
        self.members().servers.push(server);
    }

    /// Stops what [`Realm::keep`] was given.
    pub(crate) fn release(&self) {
        let servers = std::mem::take(&mut self.members().servers);
        drop(servers);
    }
}
