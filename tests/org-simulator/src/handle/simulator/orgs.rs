//! Several orgs in one process: adding them, and finding them.

use super::Simulator;
use crate::Error;
use crate::handle::simulator::launch::start;
use crate::identity::realm::OrgOptions;
use crate::model::edition;
use crate::model::kind::{Features, OrgKind};

impl Simulator {
    /// Adds an org to the realm of this one and gives its handle, which stops that org when dropped.
    ///
    /// The orgs share the clock, the registered apps and the login hosts. What is in the new org by its seed is the same, but its
    /// usernames end in a dot and its name in lower case: usernames are unique among all orgs.
    pub async fn add_org(&self, options: OrgOptions) -> Result<Self, Error> {
        let (shared, server) = start(&self.shared.realm, options).await?;
        Ok(Self::new(shared, Some(server), false))
    }

    /// Handles of all orgs that run in this realm, in the order they were made. They stop nothing when dropped.
    #[must_use]
    pub fn orgs(&self) -> Vec<Self> {
        self.shared.realm.orgs().into_iter().map(|shared| Self::new(shared, None, false)).collect()
    }

    /// What kind of org this is.
    #[must_use]
    pub fn kind(&self) -> OrgKind {
        self.shared.org().kind
    }

    /// What is switched on in this org.
    #[must_use]
    pub fn features(&self) -> Features {
        self.shared.org().features
    }

    /// Moves the org to another edition, by its name in `OrganizationType`. Some have no outbound messages.
    pub fn set_edition(&self, edition: &str) {
        edition::set_edition(&mut self.shared.org(), edition);
    }

    /// Switches features on or off. Records that need a feature stay when it goes.
    pub fn set_features(&self, features: Features) {
        self.shared.org().features = features;
    }
}
