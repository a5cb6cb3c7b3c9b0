//! Saving and loading a realm, and making sandboxes, which are copies of an org.

use std::path::Path;

use super::orgs::slug;
use super::{Port, Server, Simulator};
use crate::handle::state::{SavedOrg, SavedRealm, file};
use crate::identity::realm::Realm;
use crate::identity::realm::Shared;
use crate::{Error, Options};

impl Simulator {
    /// Saves all orgs of the realm, its apps and its time in a file, which is replaced as a whole. [`Options::state`] loads it.
    ///
    /// Open cursors, bulk jobs, ordered faults and the log of requests are not saved.
    pub fn save_state(&self, path: &Path) -> Result<(), Error> {
        file::write(path, &SavedRealm::of(&self.shared.realm))
    }

    /// Makes a sandbox of this org: same data and metadata, a new OrganizationId, usernames that end in the sandbox's name and addresses
    /// that end in `.invalid`. Nobody is logged in there. Its outbound messages go where those of this org go.
    pub async fn copy_to_sandbox(&self, name: &str) -> Result<Self, Error> {
        let realm = &self.shared.realm;
        let port = Port::take(realm.address(), 0).await?;
        let copy = self.sandbox_copy(&slug(name));
        let (shared, server) = serve(realm, copy, port, false)?;
        Ok(Self::new(shared, Some(server), false))
    }

    /// Refreshes a sandbox from this org: a new copy, under another OrganizationId, takes its place at its address. What was there
    /// is gone, with all sessions, grants and queued messages.
    pub fn refresh_sandbox(&self, sandbox: &Self, name: &str) {
        let copy = self.sandbox_copy(&slug(name));
        let mut org = sandbox.shared.org();
        let (base_url, clock, apps) = (org.base_url.clone(), org.clock.clone(), sandbox.shared.realm.apps().clone());
        *org = copy.restore(base_url, clock, apps);
    }

    fn sandbox_copy(&self, suffix: &str) -> SavedOrg {
        let saved = SavedOrg::of(&self.shared.org());
        saved.into_sandbox(suffix, self.shared.realm.number())
    }
}

/// Starts the orgs of a saved realm; gives the first one and its server.
pub(super) async fn resume(
    realm: &Realm,
    mut saved: SavedRealm,
    first: Port,
    options: &Options,
) -> Result<(Shared, Server), Error> {
    realm.clock().advance(jiff::SignedDuration::from_millis(saved.moved_ms));
    realm.apps().restore(saved.apps);
    realm.count_from(saved.made);
    let others = saved.orgs.split_off(1);
    let Some(org) = saved.orgs.pop() else { return Err(Error::Prepare { what: "an org from a state without any" }) };
    let started = serve(realm, org, first, options.send_outbound_messages)?;
    for org in others {
        let (_, server) = serve(realm, org, Port::take(realm.address(), 0).await?, options.send_outbound_messages)?;
        realm.keep(server);
    }
    Ok(started)
}

fn serve(realm: &Realm, saved: SavedOrg, port: Port, send_outbound_messages: bool) -> Result<(Shared, Server), Error> {
    let org = saved.restore(port.url.clone(), realm.clock().clone(), realm.apps().clone());
    let shared = Shared::new(org, realm)?;
    let server = Server::of_org(port, shared.clone(), send_outbound_messages);
    Ok((shared, server))
}
