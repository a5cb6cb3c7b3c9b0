//! The start of an org: its port, its data and its server.

use futures::future::BoxFuture;

use crate::Error;
use crate::data::seed::{self, Naming};
use crate::handle::simulator::Server;
use crate::handle::simulator::options::Options;
use crate::handle::simulator::server::Port;
use crate::handle::state::{SavedOrg, SavedRealm};
use crate::identity::realm::{OrgOptions, Realm, Shared};
use crate::model::ids::IdSource;
use crate::model::kind::OrgKind;
use crate::model::org::{Org, OrgSeed};
use crate::model::random::Random;

/// Starts an org that runs until the first org of its realm stops.
pub(crate) fn start_kept(realm: Realm, options: OrgOptions) -> BoxFuture<'static, Result<Shared, Error>> {
    Box::pin(async move {
        let (shared, server) = start(&realm, options).await?;
        realm.keep(server);
        Ok(shared)
    })
}

/// Starts an org.
pub(crate) async fn start(realm: &Realm, options: OrgOptions) -> Result<(Shared, Server), Error> {
    let port = Port::take(realm.address(), options.port).await?;
    let number = realm.number();
    let seed = OrgSeed {
        base_url: port.url.clone(),
        clock: realm.clock().clone(),
        kind: options.kind,
        features: options.features,
        ids: IdSource::of_org(number),
        random: Random::new(options.random_seed).fork(&number.to_string()),
        apps: realm.apps().clone(),
    };
    let mut org = Org::new(seed);
    seed::fill_named(&mut org, options.seed, &naming(&options, number))?;
    let shared = Shared::new(org, realm)?;
    let server = Server::of_org(port, shared.clone(), options.send_outbound_messages);
    Ok((shared, server))
}

/// Returns the letters and digits of a name, in lower case.
pub(crate) fn slug(name: &str) -> String {
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

/// Starts the orgs of a saved realm and returns the first one with its server.
pub(crate) async fn resume(
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

pub(crate) fn serve(
    realm: &Realm,
    saved: SavedOrg,
    port: Port,
    send_outbound_messages: bool,
) -> Result<(Shared, Server), Error> {
    let org = saved.restore(port.url.clone(), realm.clock().clone(), realm.apps().clone());
    let shared = Shared::new(org, realm)?;
    let server = Server::of_org(port, shared.clone(), send_outbound_messages);
    Ok((shared, server))
}
