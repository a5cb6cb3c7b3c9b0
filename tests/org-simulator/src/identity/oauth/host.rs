//! The hosts that serve OAuth: an org's own, as a My Domain does, and the two login hosts of a realm.

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;

use super::{Apps, Keys};
use crate::OrgKind;
use crate::http::server::{self, Shared};
use crate::identity::realm::Realm;
use crate::model::org::Org;

/// Which of the two login hosts an org belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    /// `login.salesforce.com`: production and Developer Edition.
    Production,
    /// `test.salesforce.com`.
    Sandbox,
}

impl Environment {
    pub(crate) fn of(kind: OrgKind) -> Self {
        match kind {
            OrgKind::Sandbox => Self::Sandbox,
            OrgKind::Production | OrgKind::DeveloperEdition | OrgKind::LicenseManagement => Self::Production,
        }
    }

    /// The host's name in Salesforce's own cloud, which clients name as the audience of an assertion.
    fn public_name(self) -> &'static str {
        match self {
            Self::Production => "https://login.salesforce.com",
            Self::Sandbox => "https://test.salesforce.com",
        }
    }
}

/// Where a request came in.
#[derive(Clone)]
pub(crate) enum Host {
    /// An org's own host.
    Org(Shared),
    /// A login host, which serves all orgs of its environment.
    Login(Realm, Environment),
}

impl Org {
    /// The org's own host, which stays when the org moves to another instance.
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

    pub(super) fn keys(&self) -> &'static Keys {
        self.realm().keys()
    }

    /// Its address, without a trailing slash.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Org(shared) => shared.org().login_url().to_owned(),
            Self::Login(realm, environment) => realm.login_url(*environment).to_owned(),
        }
    }

    /// The orgs that are served here.
    pub(super) fn orgs(&self) -> Vec<Shared> {
        match self {
            Self::Org(shared) => vec![shared.clone()],
            Self::Login(realm, environment) => {
                let here = |shared: &Shared| Environment::of(shared.org().kind) == *environment;
                realm.orgs().into_iter().filter(here).collect()
            }
        }
    }

    /// The first org here for which the test holds; no two orgs are locked at once.
    pub(super) fn find(&self, mut test: impl FnMut(&Org) -> bool) -> Option<Shared> {
        self.orgs().into_iter().find(|shared| test(&shared.org()))
    }

    /// The org of that id, as access tokens and identity URLs name it.
    pub(super) fn org_of(&self, id: &str) -> Option<Shared> {
        self.find(|org| id.starts_with(org.id.short()))
    }

    /// What an assertion for an org may name as its audience.
    pub(super) fn audiences(&self, org: &Org) -> Vec<String> {
        let environment = Environment::of(org.kind);
        let login = self.realm().login_url(environment).to_owned();
        vec![environment.public_name().to_owned(), login, org.login_url().to_owned()]
    }
}

/// All routes of a login host. Faults that were ordered for an org's `/services/oauth2` hit here as well.
pub(crate) fn routes(realm: &Realm, environment: Environment) -> Router {
    let host = Host::Login(realm.clone(), environment);
    let with_faults = middleware::from_fn_with_state(host.clone(), faulty);
    super::http::routes().fallback(server::unknown).layer(with_faults).with_state(host)
}

async fn faulty(State(host): State<Host>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
    let hit =
        host.find(|org| org.faults.concern(&method, &path, org.clock.now())).or_else(|| host.orgs().into_iter().next());
    match hit {
        Some(shared) => server::faulty(State(shared), request, next).await,
        None => next.run(request).await,
    }
}
