//! The handle's methods to save a realm and to copy an org to a sandbox.

use std::path::Path;

use super::{Port, Simulator};
use crate::Error;
use crate::handle::simulator::launch::{serve, slug};
use crate::handle::state::{SavedOrg, SavedRealm, file};

impl Simulator {
    /// Saves all orgs of the realm, its apps and its clock in a file, which is replaced as a whole.
    /// [`Options::state`](crate::Options::state) loads it.
    ///
    /// Open cursors, bulk jobs, faults and the request log are not saved.
    pub fn save_state(&self, path: &Path) -> Result<(), Error> {
        file::write(path, &SavedRealm::of(&self.shared.realm))
    }

    /// Copies this org to a new sandbox: the same data and metadata, a new OrganizationId, usernames with the sandbox's
    /// name as suffix, and e-mail addresses with the suffix `.invalid`. No user is logged in there. Its outbound
    /// messages go to the endpoints of this org.
    pub async fn copy_to_sandbox(&self, name: &str) -> Result<Self, Error> {
        let realm = &self.shared.realm;
        let port = Port::take(realm.address(), 0).await?;
        let copy = self.sandbox_copy(&slug(name));
        let (shared, server) = serve(realm, copy, port, false)?;
        Ok(Self::new(shared, Some(server), false))
    }

    /// Refreshes a sandbox from this org: a new copy, with another OrganizationId, replaces it at its address. The
    /// earlier data of the sandbox is lost, with all sessions, grants and queued messages.
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
