//! `cargo ferry polling`.

use clap::{Args, ValueEnum};
use salesforce::OrgId;
use serde_json::json;
use store::{DetectionMethod, DetectionReason, Org};

use crate::failure::Failure;
use crate::stack::Stack;

/// Turn the polling of an org for changes on or off.
///
/// A polled org is read every few minutes (the stack's parameter `PollSchedule`). Orgs whose edition has no outbound messages
/// are polled by default. One poll costs two API calls per mirrored object, and one more for every 2,000 changed records.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  cargo ferry polling --org 00D5e000000KQ2eEAG on

Exit codes:
  0  stored
  1  AWS could not be reached
  2  the org is unknown")]
pub(crate) struct PollingArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// New setting.
    #[arg(value_enum)]
    setting: Setting,
    /// Print one JSON object instead of a sentence.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Setting {
    /// Poll the org, even if it sends outbound messages.
    On,
    /// Do not poll the org. Without outbound messages, only the nightly refresh reads its changes.
    Off,
    /// Poll the org if its edition has no outbound messages.
    ByEdition,
}

/// Stores the setting and reports its effect.
pub(crate) async fn set(stack: &Stack, args: PollingArgs) -> Result<String, Failure> {
    let on = match args.setting {
        Setting::On => Some(true),
        Setting::Off => Some(false),
        Setting::ByEdition => None,
    };
    let chosen = stack.orgs().set_polling(args.org, on, stack.clock().now()).await;
    let org = chosen.map_err(|error| match error {
        store::Error::NotFound { .. } => Failure::unknown_org(args.org),
        error => stack.unavailable(&error),
    })?;
    let edition = org.edition.as_ref().map(|edition| edition.organization_type.as_str());
    Ok(if args.json {
        format!(
            "{:#}",
            json!({ "org_id": org.org_id, "state": org.state, "changes": org.change_detection(), "edition": edition })
        )
    } else {
        report(&org, edition)
    })
}

fn report(org: &Org, edition: Option<&str>) -> String {
    let changes = org.change_detection();
    let because = match (changes.reason, edition) {
        (DetectionReason::Operator, _) => "because an operator set it".to_owned(),
        (DetectionReason::Edition, Some(edition)) => format!("because of its edition, {edition}"),
        (DetectionReason::Org, _) => "because the org reported that it has no outbound messages".to_owned(),
        (DetectionReason::Edition | DetectionReason::EditionUnknown, _) => {
            "because its edition is unknown: Ferry reads the edition when the team connects".to_owned()
        }
    };
    let id = org.org_id;
    match (org.is_polled(), changes.method) {
        (true, _) => format!(
            "Org {id} is polled from the next scheduled run on, {because}. `GET /v1/orgs/{id}/health` shows its polls."
        ),
        (false, DetectionMethod::Polling) => format!("Org {id} will be polled once it is active, {because}."),
        (false, DetectionMethod::OutboundMessages) if org.lacks_outbound_messages() => {
            format!(
                "Org {id} is not polled, {because}. It has no outbound messages, so only the nightly refresh reads its \
                 changes."
            )
        }
        (false, DetectionMethod::OutboundMessages) => {
            format!("Org {id} is not polled, {because}. It announces its changes by outbound messages.")
        }
    }
}
