//! `cargo ferry lmo-address` and `cargo ferry rotate-webhook-secret`.

use clap::Args;
use connecting::onboarding::{ManualSetup, OutboundMessages};
use salesforce::{OrgId, RecordId};
use secrecy::ExposeSecret as _;
use store::WebhookSecret;

use crate::failure::Failure;
use crate::stack::Stack;

/// Create an endpoint URL for the License Management Org.
///
/// The org is registered, and its outbound message about licenses is accepted at the printed URL. The URL contains a secret and is printed only once. Each further run creates another URL; the previous one stays valid.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  cargo ferry lmo-address --org 00D79000000exLEEAY \\
    --public-url https://ferry.example.com

Exit codes:
  0  registered
  1  AWS could not be reached
  2  --public-url is not an https URL")]
pub(crate) struct LmoAddressArgs {
    /// Org id of the License Management Org, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Id of Ferry's `sfLma__Package__c` record. Required if the org manages several packages.
    #[arg(long, value_name = "ID")]
    package: Option<RecordId>,
    /// Base URL of Ferry's HTTP API, as in the stack's parameter `PublicUrl`.
    #[arg(long, value_name = "URL")]
    public_url: String,
}

/// Create another webhook secret for an org.
///
/// Ferry writes the new endpoint URL into the org's outbound messages if its connection may; otherwise the URL is printed for
/// an admin of the org. The previous secret stays valid.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  cargo ferry rotate-webhook-secret --org 00D5e000000KQ2eEAG

Exit codes:
  0  created
  1  AWS could not be reached, or the onboarding function failed
  2  the org is not active, or has no outbound messages")]
pub(crate) struct RotateArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
}

/// Registers the License Management Org with a new secret and returns the URL that contains it.
pub(crate) async fn lmo_address(stack: &Stack, args: LmoAddressArgs) -> Result<String, Failure> {
    let LmoAddressArgs { org, package, public_url } = args;
    let public_url = public_url.trim_end_matches('/');
    if !public_url.starts_with("https://") {
        return Err(Failure::BadInput(format!("--public-url `{public_url}` does not start with https://")));
    }
    let secret = WebhookSecret::generate(&mut rand::rng());
    let hash = secret.hash(stack.clock().now());
    let registered = stack.orgs().register_license_management(org, package, hash).await;
    let registered = registered.map_err(|error| stack.unavailable(&error))?;
    let previous = if registered.webhook_secrets.len() > 1 { "\nThe previous URL stays valid." } else { "" };
    Ok(format!(
        "{public_url}/webhooks/licenses/{org}/{}\n\nUse it as the endpoint URL of the outbound message on sfLma__License__c in \
         org {org}.\nIt contains a secret and is not shown again.{previous}",
        secret.reveal()
    ))
}

/// Creates another webhook secret for an org and reports how its outbound messages get it.
pub(crate) async fn rotate(stack: &Stack, args: RotateArgs) -> Result<String, Failure> {
    let org = args.org;
    let rotated = stack.onboarding().rotate_webhook_secret(org).await;
    let rotated = rotated.map_err(|error| {
        Failure::Unavailable(format!(
            "could not rotate the webhook secret: {}; see the log of the function {}-onboarding",
            runtime::Chain(&error),
            stack.name()
        ))
    })?;
    match (rotated.webhook_url, rotated.outbound_messages) {
        (Some(url), because) => Ok(format!(
            "{}\n\nAn admin of org {org} has to enter it as the endpoint URL of the outbound messages whose names begin with \
             Ferry, because {}.\nIt contains a secret and is not shown again. The previous URL stays valid.",
            url.expose_secret(),
            reason(because)
        )),
        (None, Some(OutboundMessages::Configured { messages })) => {
            Ok(format!("{messages} outbound messages of org {org} have the new URL. The previous URL stays valid."))
        }
        (None, Some(OutboundMessages::NotInEdition)) => Err(Failure::BadInput(format!(
            "org {org} is polled and needs no webhook URL: its edition has no outbound messages; after a change of edition, its \
             admin has to connect again"
        ))),
        (None, _) => Err(Failure::BadInput(format!(
            "org {org} is not active and has no webhook URL; its admin has to connect first"
        ))),
    }
}

fn reason(outbound_messages: Option<OutboundMessages>) -> &'static str {
    match outbound_messages {
        Some(OutboundMessages::Manual { reason: ManualSetup::NoMessages }) => "Ferry found none of them in the org",
        Some(OutboundMessages::Manual { reason: ManualSetup::NotPermitted }) => {
            "the user of the team connection may not change them"
        }
        Some(OutboundMessages::Manual { reason: ManualSetup::NotConfirmed }) => "the org still shows another URL",
        _ => "Salesforce did not respond in time",
    }
}
