//! Sets the webhook address in an org's outbound messages through the Tooling API. A pure function decides which address.
//!
//! Ferry stores only the hashes of an address's secrets. An address that is needed again is read back from the org, or a new
//! secret is made beside the one in use, so that no message is lost in between.

use connecting::onboarding::{ManualSetup, OutboundMessages};
use futures::future::{join_all, try_join_all};
use runtime::Chain;
use salesforce::tooling::OutboundMessageDefinition;
use salesforce::{Classify as _, Client, OrgId, RecordId, Retry};
use secrecy::{ExposeSecret as _, SecretString};
use store::webhook_secret::{MAX_LIVE, digest};
use store::{ConnectionId, Edition, Org, SecretHash, WebhookSecret};

use crate::{Deps, Error, edition};

/// The secret that an org's address gets.
pub(crate) enum SecretChoice {
    /// This new secret, the only one.
    New(WebhookSecret),
    /// The one in use; another one only where none can be read back.
    Repair,
    /// Another secret in any case.
    Another,
}

/// The result of the setup.
pub(crate) struct Setup {
    /// The address to show, where it has to be entered by hand.
    pub(crate) webhook_url: Option<SecretString>,
    pub(crate) outbound_messages: OutboundMessages,
}

/// The change of the addresses in an org.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// None: all definitions have the address of the newest secret.
    Keep,
    /// The other definitions get the address of the definition at this index, which has the newest secret.
    Spread(usize),
    /// All definitions get another secret, made beside the one in use, whose hash this is.
    Another(Option<String>),
}

/// Decides from the hashes of the secrets in the definitions' addresses, in their order; `None` is not an address of this org.
fn plan(in_org: &[Option<String>], live: &[SecretHash], choice: &SecretChoice) -> Plan {
    let newest = live.first().map(|secret| secret.sha256.as_str());
    let has = |hash: &Option<String>, secret: Option<&str>| secret.is_some() && hash.as_deref() == secret;
    if !matches!(choice, SecretChoice::Another) {
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

/// Sets up the org's outbound messages. A refusal by Salesforce is not an error: the address is shown instead.
pub(crate) async fn set_up(deps: &Deps, known: Org, choice: SecretChoice) -> Result<Setup, Error> {
    let org = known.org_id;
    if known.edition.as_ref().and_then(Edition::has_outbound_messages) == Some(false) {
        return Ok(polled(org));
    }
    let client = deps.salesforce.client(org, &ConnectionId::team());
    let definitions = match find(deps, known, &client).await {
        Found::Definitions(definitions) if definitions.is_empty() => {
            return by_hand(deps, org, choice, ManualSetup::NoMessages).await;
        }
        Found::Definitions(definitions) => definitions,
        Found::NotInEdition => return Ok(polled(org)),
        Found::Unreadable(reason) => return by_hand(deps, org, choice, reason).await,
    };
    let Some(target) = target(deps, org, &definitions, choice).await? else {
        let outbound_messages = OutboundMessages::Configured { messages: definitions.len() };
        return Ok(Setup { webhook_url: None, outbound_messages });
    };
    let put = put(&client, &definitions, &target);
    match tokio::time::timeout(deps.setup_timeout, put).await.unwrap_or(Err(ManualSetup::Unavailable)) {
        Ok(()) => {
            tracing::info!(org.id = %org, messages = definitions.len(), "set the webhook address in the outbound messages of org {org}");
            let outbound_messages = OutboundMessages::Configured { messages: definitions.len() };
            Ok(Setup { webhook_url: None, outbound_messages })
        }
        Err(reason) => Ok(shown(org, Some(target), reason)),
    }
}

/// Returns the address that the definitions get; `None` when all have it.
async fn target(
    deps: &Deps,
    org: OrgId,
    definitions: &[OutboundMessageDefinition],
    choice: SecretChoice,
) -> Result<Option<SecretString>, Error> {
    let base = base(deps, org);
    let in_org: Vec<_> = definitions.iter().map(|definition| hash_in(&definition.endpoint_url, &base)).collect();
    let live = live(deps, org).await?;
    match (plan(&in_org, &live, &choice), choice) {
        (_, SecretChoice::New(secret)) => Ok(Some(address(&base, &secret))),
        (Plan::Keep, _) => Ok(None),
        (Plan::Spread(place), _) => Ok(definitions.get(place).map(|definition| definition.endpoint_url.clone())),
        (Plan::Another(in_use), _) => Ok(Some(another(deps, org, in_use.as_deref()).await?)),
    }
}

/// Returns the address to enter by hand. A second one is made where only one is live, in case the first was lost; a third
/// would end one that may be in use, and is made on request only.
async fn by_hand(deps: &Deps, org: OrgId, choice: SecretChoice, reason: ManualSetup) -> Result<Setup, Error> {
    let url = match choice {
        SecretChoice::New(secret) => Some(address(&base(deps, org), &secret)),
        SecretChoice::Repair if live(deps, org).await?.len() >= MAX_LIVE => None,
        SecretChoice::Repair | SecretChoice::Another => Some(another(deps, org, None).await?),
    };
    Ok(shown(org, url, reason))
}

/// The result for an org whose edition has no outbound messages.
fn polled(org: OrgId) -> Setup {
    tracing::info!(org.id = %org, "org {org} has no outbound messages");
    Setup { webhook_url: None, outbound_messages: OutboundMessages::NotInEdition }
}

fn shown(org: OrgId, webhook_url: Option<SecretString>, reason: ManualSetup) -> Setup {
    tracing::info!(org.id = %org, ?reason, "the outbound messages of org {org} have to be set up by hand");
    Setup { webhook_url, outbound_messages: OutboundMessages::Manual { reason } }
}

async fn live(deps: &Deps, org: OrgId) -> Result<Vec<SecretHash>, Error> {
    let org = deps.orgs.load(org).await?;
    Ok(org.map(|org| org.webhook_secrets).unwrap_or_default())
}

async fn another(deps: &Deps, org: OrgId, in_use: Option<&str>) -> Result<SecretString, Error> {
    let secret = WebhookSecret::generate(&mut rand::rng());
    let hash = secret.hash(deps.clock.now());
    deps.orgs.rotate_webhook_secret(org, hash, in_use).await?;
    Ok(address(&base(deps, org), &secret))
}

fn base(deps: &Deps, org: OrgId) -> String {
    format!("{}/webhooks/salesforce/{org}/", deps.webhook_url)
}

/// Returns the address for the org's outbound messages, the only place that has the secret.
fn address(base: &str, secret: &WebhookSecret) -> SecretString {
    format!("{base}{}", secret.reveal()).into()
}

/// Returns the hash of the secret in an address of this org.
fn hash_in(url: &SecretString, base: &str) -> Option<String> {
    url.expose_secret().strip_prefix(base).map(digest)
}

/// Returns whether a definition is Ferry's: `Ferry_Account_Changed`, `Ferry Account Changed`, ...
fn is_ferrys(name: &str) -> bool {
    name.strip_prefix("Ferry").is_some_and(|rest| rest.starts_with(['_', ' ']))
}

/// The result of reading an org's outbound messages.
enum Found {
    Definitions(Vec<OutboundMessageDefinition>),
    NotInEdition,
    /// They cannot be read, for this reason.
    Unreadable(ManualSetup),
}

/// Reads Ferry's definitions, and stores whether the org has outbound messages at all.
async fn find(deps: &Deps, known: Org, client: &Client) -> Found {
    let reason = match tokio::time::timeout(deps.setup_timeout, definitions(client)).await {
        Ok(Ok(Some(definitions))) => {
            edition::set_outbound_messages_unsupported(deps, known, false).await;
            return Found::Definitions(definitions);
        }
        Ok(Ok(None)) => {
            let known = edition::set_outbound_messages_unsupported(deps, known, true).await;
            return if known.lacks_outbound_messages() {
                Found::NotInEdition
            } else {
                Found::Unreadable(ManualSetup::NotPermitted)
            };
        }
        Ok(Err(error)) => manual_setup(&error),
        Err(_) => ManualSetup::Unavailable,
    };
    if known.lacks_outbound_messages() { Found::NotInEdition } else { Found::Unreadable(reason) }
}

/// Returns Ferry's definitions; `None` if the org has no outbound messages.
async fn definitions(client: &Client) -> Result<Option<Vec<OutboundMessageDefinition>>, salesforce::Error> {
    let Some(ids) = client.list_outbound_message_definitions(is_ferrys).await? else { return Ok(None) };
    try_join_all(ids.iter().map(|id| client.fetch_outbound_message_definition(id))).await.map(Some)
}

/// Sets the address in the definitions, and reads it back.
async fn put(
    client: &Client,
    definitions: &[OutboundMessageDefinition],
    url: &SecretString,
) -> Result<(), ManualSetup> {
    let has = |definition: &OutboundMessageDefinition| definition.endpoint_url.expose_secret() == url.expose_secret();
    let others = definitions.iter().filter(|definition| !has(definition));
    let done = join_all(others.map(|definition| client.set_outbound_message_endpoint(definition, url))).await;
    done.into_iter().collect::<Result<(), _>>().map_err(|error| manual_setup(&error))?;
    let ids: Vec<RecordId> = definitions.iter().map(|definition| definition.id).collect();
    let now = try_join_all(ids.iter().map(|id| client.fetch_outbound_message_definition(id))).await;
    if now.map_err(|error| manual_setup(&error))?.iter().all(has) { Ok(()) } else { Err(ManualSetup::NotConfirmed) }
}

/// Returns why the setup has to be done by hand.
fn manual_setup(error: &salesforce::Error) -> ManualSetup {
    tracing::info!(error = %Chain(error), "could not set up the org's outbound messages");
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
    fn right_addresses_are_kept() {
        assert_eq!(plan(&in_org(&["a", "a"]), &live(&["a", "b"]), &SecretChoice::Repair), Plan::Keep);
    }

    #[test]
    fn an_incomplete_setup_is_completed_with_the_same_secret() {
        assert_eq!(plan(&in_org(&["b", "", "a"]), &live(&["a", "b"]), &SecretChoice::Repair), Plan::Spread(2));
    }

    #[test]
    fn another_secret_is_made_beside_the_one_in_use() {
        for (hashes, in_use) in [(&["b", "b"][..], Some("b")), (&["", "b"], Some("b")), (&["", "gone"], None)] {
            let plan = plan(&in_org(hashes), &live(&["a", "b"]), &SecretChoice::Repair);
            assert_eq!(plan, Plan::Another(in_use.map(str::to_owned)), "{hashes:?}");
        }
        let forced = plan(&in_org(&["a"]), &live(&["a", "b"]), &SecretChoice::Another);
        assert_eq!(forced, Plan::Another(Some("a".to_owned())));
    }

    #[test]
    fn an_org_without_secrets_gets_one() {
        assert_eq!(plan(&in_org(&[""]), &[], &SecretChoice::Repair), Plan::Another(None));
    }

    #[test]
    fn only_messages_named_after_ferry_are_changed() {
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
