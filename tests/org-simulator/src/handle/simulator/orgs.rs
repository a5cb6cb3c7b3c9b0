//! The handle's methods for several orgs in one process.

use super::Simulator;
use crate::Error;
use crate::handle::simulator::launch::start;
use crate::identity::realm::OrgOptions;
use crate::model::edition;
use crate::model::kind::{Features, OrgKind};

impl Simulator {
    /// Adds an org to the realm of this one and returns its handle, which stops the new org when dropped.
    ///
    /// The orgs share the clock, the registered apps and the login hosts. The seed's data is the same in each org,
    /// except that the usernames have the suffix of a dot and the org's name in lower case: usernames are unique among
    /// all orgs.
    pub async fn add_org(&self, options: OrgOptions) -> Result<Self, Error> {
        let (shared, server) = start(&self.shared.realm, options).await?;
        Ok(Self::new(shared, Some(server), false))
    }

    /// Returns handles of all running orgs of this realm, in the order of their creation. Dropping them does not stop
    /// an org.
    #[must_use]
    pub fn orgs(&self) -> Vec<Self> {
        self.shared.realm.orgs().into_iter().map(|shared| Self::new(shared, None, false)).collect()
    }

    /// Returns the kind of this org.
    #[must_use]
    pub fn kind(&self) -> OrgKind {
        self.shared.org().kind
    }

    /// Returns the features that are enabled in this org.
    #[must_use]
    pub fn features(&self) -> Features {
        self.shared.org().features
    }

    /// Changes the edition of the org, by its name in `OrganizationType`. Some editions have no outbound messages.
    pub fn set_edition(&self, edition: &str) {
        edition::set_edition(&mut self.shared.org(), edition);
    }

    /// Enables and disables features. Records that need a feature stay when it is disabled.
    pub fn set_features(&self, features: Features) {
        self.shared.org().features = features;
    }
}
