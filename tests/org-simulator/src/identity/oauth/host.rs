//! The hosts that serve OAuth: an org's own host, as a My Domain, and the two login hosts of a realm.

use axum::extract::FromRef;

use crate::identity::realm::{Realm, Shared};
use crate::model::kind::Environment;
use crate::model::logins::apps::Apps;
use crate::model::org::Org;

/// The host that received a request.
#[derive(Clone)]
pub(crate) enum Host {
    /// An org's own host.
    Org(Shared),
    /// A login host, which serves all orgs of its environment.
    Login(Realm, Environment),
}

impl Org {
    /// Returns the address of the org's own host, which stays the same when the org moves to another instance.
    pub(crate) fn login_url(&self) -> &str {
        self.login_url.as_deref().unwrap_or(&self.base_url)
    }
}

impl FromRef<Shared> for Host {
    fn from_ref(shared: &Shared) -> Self {
        Self::Org(shared.clone())
    }
}

impl Host {
    fn realm(&self) -> &Realm {
        match self {
            Self::Org(shared) => &shared.realm,
            Self::Login(realm, _) => realm,
        }
    }

    pub(super) fn apps(&self) -> &Apps {
        self.realm().apps()
    }

    /// Returns the address, without a trailing slash.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Org(shared) => shared.org().login_url().to_owned(),
            Self::Login(realm, environment) => realm.login_url(*environment).to_owned(),
        }
    }

    /// Returns the orgs of this host.
    pub(crate) fn orgs(&self) -> Vec<Shared> {
        match self {
            Self::Org(shared) => vec![shared.clone()],
            Self::Login(realm, environment) => {
                let here = |shared: &Shared| Environment::of(shared.org().kind) == *environment;
                realm.orgs().into_iter().filter(here).collect()
            }
        }
    }

    /// Returns the first org for which the test is true; only one org is locked at a time.
    pub(crate) fn find(&self, mut test: impl FnMut(&Org) -> bool) -> Option<Shared> {
        self.orgs().into_iter().find(|shared| test(&shared.org()))
    }

    /// Returns the org with an id, as access tokens and identity URLs name it.
    pub(super) fn org_of(&self, id: &str) -> Option<Shared> {
        self.find(|org| id.starts_with(org.id.short()))
    }

    /// Returns the audiences that an assertion for an org may name.
    pub(super) fn audiences(&self, org: &Org) -> Vec<String> {
        let environment = Environment::of(org.kind);
        let login = self.realm().login_url(environment).to_owned();
        vec![environment.public_name().to_owned(), login, org.login_url().to_owned()]
    }
}
