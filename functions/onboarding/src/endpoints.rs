//! Where an org's outbound messages go: which address they are to have, decided purely, and the way to it through the Tooling
//! API.
//!
//! Ferry keeps no secret of an address but its hash. An address that is needed again is read back from the org, or a new
//! secret is made beside the one that the org uses, so that no message is lost in between.

use connecting::onboarding::{ManualSetup, OutboundMessages};
use futures::future::{join_all, try_join_all};
use runtime::{Chain, StateError};
use salesforce::tooling::OutboundMessageDefinition;
use salesforce::{Classify as _, Client, OrgId, RecordId, Retry};
use secrecy::{ExposeSecret as _, SecretString};
use store::webhook_secret::{MAX_LIVE, digest};
use store::{ConnectionId, Edition, Org, SecretHash, WebhookSecret};

use crate::{Deps, Error, edition};

/// How the address of an org is wanted.
pub(crate) enum Wanted {
    /// This secret was made just now, and is the only one.
    Fresh(WebhookSecret),
    /// Whatever is missing is to be mended.
    Mended,
    /// Another secret, whatever there is.
    Another,
}

/// How far it came: the address to show, where somebody has to put it in by hand.
pub(crate) struct SetUp {
    pub(crate) webhook_url: Option<SecretString>,
    pub(crate) outbound_messages: OutboundMessages,
}

/// What the addresses in an org call for.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// They all have the address of the newest secret.
    Keep,
    /// One of them, by its place, has the address of the newest secret: the others get it too.
    Spread(usize),
    /// Another secret is needed, beside this one, which is in use.
    Another(Option<String>),
}

/// Decides from the secrets' hashes in the order of the definitions, where `None` is an address that is not this org's.
fn plan(in_org: &[Option<String>], live: &[SecretHash], wanted: &Wanted) -> Plan {
    let newest = live.first().map(|secret| secret.sha256.as_str());
    let has = |hash: &Option<String>, secret: Option<&str>| secret.is_some() && hash.as_deref() == secret;
    if !matches!(wanted, Wanted::Another) {
        let at_newest: Vec<usize> = (0..in_org.len()).filter(|place| has(&in_org[*place], newest)).collect();
        match at_newest.first() {
            Some(_) if at_newest.len() == in_org.len() => return Plan::Keep,
            Some(first) => return Plan::Spread(*first),
            None => {}
        }
    }
    let used = |secret: &&SecretHash| in_org.iter().any(|hash| has(hash, Some(&secret.sha256)));
    Plan::Another(live.iter().find(used).map(|secret| secret.sha256.clone()))
}

/// Sets up the org's outbound messages. What Salesforce refuses is no failure: then the address is shown.
pub(crate) async fn set_up(deps: &Deps, known: Org, wanted: Wanted) -> Result<SetUp, Error> {
    let org = known.org_id;
    if known.edition.as_ref().and_then(Edition::has_outbound_messages) == Some(false) {
        return Ok(polled(org));
    }
    let client = deps.salesforce.client(org, &ConnectionId::team());
    let definitions = match find(deps, known, &client).await {
        Found::Definitions(definitions) if definitions.is_empty() => {
            return by_hand(deps, org, wanted, ManualSetup::NoMessages).await;
        }
        Found::Definitions(definitions) => definitions,
        Found::NotInEdition => return Ok(polled(org)),
        Found::Nothing(because) => return by_hand(deps, org, wanted, because).await,
    };
    let Some(target) = target(deps, org, &definitions, wanted).await? else {
        let outbound_messages = OutboundMessages::Configured { messages: definitions.len() };
        return Ok(SetUp { webhook_url: None, outbound_messages });
    };
    let put = put(&client, &definitions, &target);
    match tokio::time::timeout(deps.setup_timeout, put).await.unwrap_or(Err(ManualSetup::Unavailable)) {
        Ok(()) => {
            tracing::info!(org.id = %org, messages = definitions.len(), "the outbound messages of org {org} are set up");
            let outbound_messages = OutboundMessages::Configured { messages: definitions.len() };
            Ok(SetUp { webhook_url: None, outbound_messages })
        }
        Err(because) => Ok(shown(org, Some(target), because)),
    }
}

/// The address that the definitions are to have; `None` when all have it.
async fn target(
    deps: &Deps,
    org: OrgId,
    definitions: &[OutboundMessageDefinition],
    wanted: Wanted,
) -> Result<Option<SecretString>, Error> {
    let base = base(deps, org);
    let in_org: Vec<_> = definitions.iter().map(|definition| hash_in(&definition.endpoint_url, &base)).collect();
    let live = live(deps, org).await?;
    match (plan(&in_org, &live, &wanted), wanted) {
        (_, Wanted::Fresh(secret)) => Ok(Some(address(&base, &secret))),
        (Plan::Keep, _) => Ok(None),
        (Plan::Spread(place), _) => Ok(definitions.get(place).map(|definition| definition.endpoint_url.clone())),
        (Plan::Another(in_use), _) => Ok(Some(another(deps, org, in_use.as_deref()).await?)),
    }
}

/// The address for somebody to put in. A second one is made where only one is live, in case the first was lost; a third would
/// end one that may be in use, and is made on demand only.
async fn by_hand(deps: &Deps, org: OrgId, wanted: Wanted, because: ManualSetup) -> Result<SetUp, Error> {
    let url = match wanted {
        Wanted::Fresh(secret) => Some(address(&base(deps, org), &secret)),
        Wanted::Mended if live(deps, org).await?.len() >= MAX_LIVE => None,
        Wanted::Mended | Wanted::Another => Some(another(deps, org, None).await?),
    };
    Ok(shown(org, url, because))
}

/// There is nothing to put an address into.
fn polled(org: OrgId) -> SetUp {
    tracing::info!(org.id = %org, "org {org} has no outbound messages");
    SetUp { webhook_url: None, outbound_messages: OutboundMessages::NotInEdition }
}

fn shown(org: OrgId, webhook_url: Option<SecretString>, because: ManualSetup) -> SetUp {
    tracing::info!(org.id = %org, because = ?because, "the outbound messages of org {org} are to be set up by hand");
    SetUp { webhook_url, outbound_messages: OutboundMessages::Manual { reason: because } }
}

async fn live(deps: &Deps, org: OrgId) -> Result<Vec<SecretHash>, Error> {
    let org = deps.orgs.load(org).await.map_err(StateError::during("load the org"))?;
    Ok(org.map(|org| org.webhook_secrets).unwrap_or_default())
}

async fn another(deps: &Deps, org: OrgId, in_use: Option<&str>) -> Result<SecretString, Error> {
    let secret = WebhookSecret::generate(&mut rand::rng());
    let hash = secret.hash(deps.clock.now());
    deps.orgs
        .rotate_webhook_secret(org, hash, in_use)
        .await
        .map_err(StateError::during("rotate the webhook secret"))?;
    Ok(address(&base(deps, org), &secret))
}

fn base(deps: &Deps, org: OrgId) -> String {
    format!("{}/webhooks/salesforce/{org}/", deps.webhook_url)
}

/// Where the org's outbound messages go. The secret is in no other place than this address.
fn address(base: &str, secret: &WebhookSecret) -> SecretString {
    format!("{base}{}", secret.reveal()).into()
}

/// The hash of the secret in an address of this org.
fn hash_in(url: &SecretString, base: &str) -> Option<String> {
    url.expose_secret().strip_prefix(base).map(digest)
}

/// Ferry's messages are named `Ferry_Account_Changed`, `Ferry Account Changed`, ...
fn is_ferrys(name: &str) -> bool {
    name.strip_prefix("Ferry").is_some_and(|rest| rest.starts_with(['_', ' ']))
}

/// What an org shows of its outbound messages.
enum Found {
    Definitions(Vec<OutboundMessageDefinition>),
    NotInEdition,
    Nothing(ManualSetup),
}

/// Looks for Ferry's messages, and notes whether the org knows outbound messages at all.
async fn find(deps: &Deps, known: Org, client: &Client) -> Found {
    let because = match tokio::time::timeout(deps.setup_timeout, definitions(client)).await {
        Ok(Ok(definitions)) => {
            edition::outbound_messages_unsupported(deps, known, false).await;
            return Found::Definitions(definitions);
        }
        Ok(Err(error)) if error.has_code("INVALID_TYPE") => {
            let known = edition::outbound_messages_unsupported(deps, known, true).await;
            return if known.lacks_outbound_messages() { Found::NotInEdition } else { Found::Nothing(because(&error)) };
        }
        Ok(Err(error)) => because(&error),
        Err(_) => ManualSetup::Unavailable,
    };
    if known.lacks_outbound_messages() { Found::NotInEdition } else { Found::Nothing(because) }
}

async fn definitions(client: &Client) -> Result<Vec<OutboundMessageDefinition>, salesforce::Error> {
    let ids = client.list_outbound_message_definitions(is_ferrys).await?;
    try_join_all(ids.iter().map(|id| client.fetch_outbound_message_definition(id))).await
}

/// Puts the address in, and reads it back.
async fn put(
    client: &Client,
    definitions: &[OutboundMessageDefinition],
    url: &SecretString,
) -> Result<(), ManualSetup> {
    let has = |definition: &OutboundMessageDefinition| definition.endpoint_url.expose_secret() == url.expose_secret();
    let others = definitions.iter().filter(|definition| !has(definition));
    let done = join_all(others.map(|definition| client.set_outbound_message_endpoint(definition, url))).await;
    done.into_iter().collect::<Result<(), _>>().map_err(|error| because(&error))?;
    let ids: Vec<RecordId> = definitions.iter().map(|definition| definition.id).collect();
    let now = try_join_all(ids.iter().map(|id| client.fetch_outbound_message_definition(id))).await;
    if now.map_err(|error| because(&error))?.iter().all(has) { Ok(()) } else { Err(ManualSetup::NotConfirmed) }
}

fn because(error: &salesforce::Error) -> ManualSetup {
    tracing::info!(error = %Chain(error), "the org's outbound messages cannot be set up");
    match error.retry() {
        Retry::After(_) | Retry::Unknown(_) => ManualSetup::Unavailable,
        Retry::Never | Retry::NeedsHuman => ManualSetup::NotPermitted,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn live(hashes: &[&str]) -> Vec<SecretHash> {
        let hash = |hash: &&str| SecretHash { sha256: (*hash).to_owned(), created_at: Timestamp::UNIX_EPOCH };
        hashes.iter().map(hash).collect()
    }

    fn in_org(hashes: &[&str]) -> Vec<Option<String>> {
        hashes.iter().map(|hash| (!hash.is_empty()).then(|| (*hash).to_owned())).collect()
    }

    #[test]
    fn what_is_right_is_left_alone() {
        assert_eq!(plan(&in_org(&["a", "a"]), &live(&["a", "b"]), &Wanted::Mended), Plan::Keep);
    }

    #[test]
    fn a_half_done_set_up_is_finished_with_the_same_secret() {
        assert_eq!(plan(&in_org(&["b", "", "a"]), &live(&["a", "b"]), &Wanted::Mended), Plan::Spread(2));
    }

    #[test]
    fn another_secret_stands_beside_the_one_that_is_in_use() {
        for (hashes, in_use) in [(&["b", "b"][..], Some("b")), (&["", "b"], Some("b")), (&["", "gone"], None)] {
            let plan = plan(&in_org(hashes), &live(&["a", "b"]), &Wanted::Mended);
            assert_eq!(plan, Plan::Another(in_use.map(str::to_owned)), "{hashes:?}");
        }
        let forced = plan(&in_org(&["a"]), &live(&["a", "b"]), &Wanted::Another);
        assert_eq!(forced, Plan::Another(Some("a".to_owned())));
    }

    #[test]
    fn an_org_without_secrets_gets_one() {
        assert_eq!(plan(&in_org(&[""]), &[], &Wanted::Mended), Plan::Another(None));
    }

    #[test]
    fn only_messages_named_after_ferry_are_touched() {
        assert!(is_ferrys("Ferry_Account_Changed") && is_ferrys("Ferry Account Changed"));
        assert!(!is_ferrys("FerryBoats") && !is_ferrys("Notify_Ferry") && !is_ferrys("Ferry"));
    }

    #[test]
    fn an_address_of_another_org_has_no_secret_of_this_one() {
        let base = "https://ferry.example.com/webhooks/salesforce/00D5e000000KQ2eEAG/";
        let own: SecretString = format!("{base}secret").into();
        let other: SecretString = "https://ferry.example.com/webhooks/salesforce/unset/unset".to_owned().into();
        assert_eq!(hash_in(&own, base), Some(digest("secret")));
        assert_eq!(hash_in(&other, base), None);
    }
}
