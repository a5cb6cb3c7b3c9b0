//! Several orgs in one process: adding them, and finding them.

use super::{Server, Simulator, server::Port};
use crate::Error;
use crate::data::seed::{self, Naming};
use crate::identity::realm::OrgOptions;
use crate::identity::realm::Realm;
use crate::identity::realm::Shared;
use crate::model::edition;
use crate::model::ids::IdSource;
use crate::model::kind::{Features, OrgKind};
use crate::model::org::{Birth, Org};
use crate::model::random::Random;

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

/// Adds an org that runs until the first one of its realm stops.
pub(crate) async fn adopt(beside: &Shared, options: OrgOptions) -> Result<Shared, Error> {
    let (shared, server) = start(&beside.realm, options).await?;
    beside.realm.keep(server);
    Ok(shared)
}

/// Starts an org.
pub(super) async fn start(realm: &Realm, options: OrgOptions) -> Result<(Shared, Server), Error> {
    let port = Port::take(realm.address(), options.port).await?;
    let number = realm.number();
    let birth = Birth {
        base_url: port.url.clone(),
        clock: realm.clock().clone(),
        kind: options.kind,
        features: options.features,
        ids: IdSource::of_org(number),
        random: Random::new(options.random_seed).fork(&number.to_string()),
        apps: realm.apps().clone(),
    };
    let mut org = Org::born(birth);
    seed::fill_named(&mut org, options.seed, &naming(&options, number))?;
    let shared = Shared::new(org, realm)?;
    let server = Server::of_org(port, shared.clone(), options.send_outbound_messages);
    Ok((shared, server))
}

/// The letters and digits of a name, in lower case.
pub(super) fn slug(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn naming(options: &OrgOptions, number: u32) -> Naming {
    let name = match (options.name.as_str(), options.kind) {
        ("", OrgKind::LicenseManagement) => "Larkspur License Management",
        ("", OrgKind::Production | OrgKind::Sandbox | OrgKind::DeveloperEdition) => "Larkspur Instruments",
        (name, _) => name,
    };
    let username_suffix = match (number, slug(&options.name)) {
        (0, _) => String::new(),
        (number, letters) if letters.is_empty() => format!(".org{number}"),
        (_, letters) => format!(".{letters}"),
    };
    Naming {
        name: name.to_owned(),
        username_suffix,
        namespace_prefix: options.namespace_prefix.clone(),
        trial_expires_at: options.trial_expires_at,
    }
}
