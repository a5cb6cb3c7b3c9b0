//! The orgs of one process: they share the clock, the registered apps and the login hosts; each has a port of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::Clock;
use crate::ids::RecordId;
use crate::oauth::Apps;
use crate::server::{OrgLock, Shared};
use crate::simulator::Server;

/// The orgs that know of each other. Clones are the same realm.
#[derive(Clone)]
pub(crate) struct Realm(Arc<Inner>);

struct Inner {
    clock: Clock,
    apps: Apps,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    /// How many orgs were ever made; each gets ids of its own by it.
    made: u32,
    /// Where the orgs listen; 127.0.0.1 when not set.
    listen: Option<IpAddr>,
    orgs: Vec<(RecordId, Weak<OrgLock>)>,
    /// Servers of orgs to which nobody holds an owning handle.
    servers: Vec<Server>,
}

impl Realm {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, apps: Apps::default(), members: Mutex::default() }))
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

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next org, from 0.
    pub(crate) fn number(&self) -> u32 {
        let mut members = self.members();
        members.made += 1;
        members.made - 1
    }

    /// Makes an org known to the others.
    pub(crate) fn join(&self, id: RecordId, org: &Arc<OrgLock>) {
        self.members().orgs.push((id, Arc::downgrade(org)));
    }

    /// Takes an org off the list, as it stops.
    pub(crate) fn leave(&self, org: &Arc<OrgLock>) {
        self.members().orgs.retain(|(_, known)| !Weak::ptr_eq(known, &Arc::downgrade(org)));
    }

    /// The orgs that run, in the order they were made.
    pub(crate) fn orgs(&self, like: &Shared) -> Vec<Shared> {
        let orgs: Vec<_> = self.members().orgs.iter().filter_map(|(_, org)| org.upgrade()).collect();
        orgs.into_iter().map(|org| like.with_org(org)).collect()
    }

    /// Keeps a server running until the realm ends.
    pub(crate) fn keep(&self, server: Server) {
        self.members().servers.push(server);
    }

    /// Stops what [`Realm::keep`] was given.
    pub(crate) fn release(&self) {
        let servers = std::mem::take(&mut self.members().servers);
        drop(servers);
    }
}
