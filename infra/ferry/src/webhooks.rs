//! Addresses that hold a secret, made from the operator's hand: the License Management Org's and a customer org's; and the
//! release of an org from quarantine.

use connecting::onboarding::{ManualSetup, OutboundMessages};
use salesforce::{OrgId, RecordId};
use secrecy::ExposeSecret as _;
use store::{OrgState, WebhookSecret};

use crate::cli::Failure;
use crate::stack::Stack;

/// Registers the License Management Org with a fresh secret, and shows the address that holds it: this once.
pub(crate) async fn lmo_address(
    stack: &Stack,
    org: OrgId,
    package: Option<RecordId>,
    public_url: &str,
) -> Result<String, Failure> {
    let public_url = public_url.trim_end_matches('/');
    if !public_url.starts_with("https://") {
        return Err(Failure::BadInput("--public-url is not an https address".to_owned()));
    }
    let secret = WebhookSecret::generate(&mut rand::rng());
    let hash = secret.hash(stack.clock().now());
    let registered = stack.orgs().register_license_management(org, package, hash).await;
    let registered = registered.map_err(stack.unavailable("register the License Management Org"))?;
    let older = if registered.webhook_secrets.len() > 1 { "\nThe address before it stays good." } else { "" };
    Ok(format!(
        "{public_url}/webhooks/licenses/{org}/{}\n\nEndpoint URL of the outbound message on sfLma__License__c in org {org}. It \
         is a secret, and is not shown again.{older}",
        secret.reveal()
    ))
}

/// Gives an org another webhook secret beside the one that it uses.
pub(crate) async fn rotate(stack: &Stack, org: OrgId) -> Result<String, Failure> {
    let answer = stack.onboarding().rotate_webhook_secret(org).await;
    let answer = answer.map_err(|error| {
        Failure::Unavailable(format!("the onboarding function did not do it: {error}; its last log line says why"))
    })?;
    match (answer.webhook_url, answer.outbound_messages) {
        (Some(url), because) => Ok(format!(
            "{}\n\nEndpoint URL of the outbound messages of org {org} whose names begin with Ferry: an admin of the org has to \
             put it in, because {}. It is a secret, and is not shown again. The address that the org uses stays good.",
            url.expose_secret(),
            reason(because)
        )),
        (None, Some(OutboundMessages::Configured { messages })) => {
            Ok(format!("{messages} outbound messages of org {org} have the new address. The one before stays good."))
        }
        (None, Some(OutboundMessages::NotInEdition)) => Err(Failure::BadInput(format!(
            "org {org} has no outbound messages and needs no address: it is polled. Its admin connects again after an upgrade \
             of its edition"
        ))),
        (None, _) => Err(Failure::BadInput(format!("org {org} is not active: it has no address"))),
    }
}

fn reason(outbound_messages: Option<OutboundMessages>) -> &'static str {
    match outbound_messages {
        Some(OutboundMessages::Manual { reason: ManualSetup::NoMessages }) => "the org has none that Ferry could find",
        Some(OutboundMessages::Manual { reason: ManualSetup::NotPermitted }) => {
            "the user of the team connection may not change them"
        }
        Some(OutboundMessages::Manual { reason: ManualSetup::NotConfirmed }) => "the org still shows another address",
        _ => "Salesforce did not answer in time",
    }
}

/// Ends an org's quarantine.
pub(crate) async fn release(stack: &Stack, org: OrgId) -> Result<String, Failure> {
    let orgs = stack.orgs();
    let known = orgs.load(org).await.map_err(stack.unavailable("load the org"))?;
    let copy_of = match known {
        Some(org) if org.state == OrgState::Quarantined => org.quarantine.map(|reason| reason.copy_of),
        Some(_) => return Err(Failure::BadInput(format!("org {org} is not quarantined"))),
        None => return Err(Failure::BadInput(format!("org {org} is not known"))),
    };
    orgs.release(org, stack.clock().now()).await.map_err(stack.unavailable("release the org"))?;
    let copied = copy_of.map(|original| {
        format!(
            "\nIt is a copy of org {original}, and its outbound messages still send to the address of that one, where they are \
             refused: connecting it gives it an address of its own."
        )
    });
    Ok(format!("Org {org} is released. An admin of the org may connect it now.{}", copied.unwrap_or_default()))
}
