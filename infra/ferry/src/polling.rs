//! `ferry polling`: whether an org is asked for its changes every few minutes.

use clap::ValueEnum;
use salesforce::OrgId;
use serde_json::json;
use store::{DetectionMethod, DetectionReason, Org};

use crate::cli::Failure;
use crate::stack::Stack;

/// What is wanted.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Choice {
    /// Poll it, beside whatever it tells by itself.
    On,
    /// Do not poll it, even where its edition has no outbound messages: then only the night brings its changes.
    Off,
    /// Poll it where its edition has no outbound messages.
    ByEdition,
}

/// Notes what is wanted, and says what it comes to.
pub(crate) async fn choose(stack: &Stack, org: OrgId, choice: Choice, as_json: bool) -> Result<String, Failure> {
    let on = match choice {
        Choice::On => Some(true),
        Choice::Off => Some(false),
        Choice::ByEdition => None,
    };
    let chosen = stack.orgs().set_polling(org, on, stack.clock().now()).await;
    let org = chosen.map_err(|error| match error {
        store::Error::NotFound { .. } => Failure::BadInput(format!("org {org} is not known")),
        error => stack.unavailable("note what is wanted of polling")(error),
    })?;
    let edition = org.edition.as_ref().map(|edition| edition.organization_type.as_str());
    Ok(if as_json {
        format!(
            "{:#}",
            json!({ "org_id": org.org_id, "state": org.state, "changes": org.change_detection(), "edition": edition })
        )
    } else {
        told(&org, edition)
    })
}

fn told(org: &Org, edition: Option<&str>) -> String {
    let changes = org.change_detection();
    let because = match (changes.reason, edition) {
        (DetectionReason::Operator, _) => "because an operator wants it so".to_owned(),
        (DetectionReason::Edition, Some(edition)) => format!("because of its edition, {edition}"),
        (DetectionReason::Org, _) => "because it said that it has no outbound messages".to_owned(),
        (DetectionReason::Edition | DetectionReason::EditionUnknown, _) => {
            "because its edition is not known: it is asked when the team connects".to_owned()
        }
    };
    let id = org.org_id;
    match (org.is_polled(), changes.method) {
        (true, _) => format!(
            "Org {id} is polled from the next schedule on, {because}. `GET /v1/orgs/{id}/health` tells of the polls."
        ),
        (false, DetectionMethod::Polling) => format!("Org {id} will be polled once it is active, {because}."),
        (false, DetectionMethod::OutboundMessages) if org.lacks_outbound_messages() => {
            format!(
                "Org {id} is not polled, {because}. It has no outbound messages: only the night brings its changes."
            )
        }
        (false, DetectionMethod::OutboundMessages) => {
            format!("Org {id} is not polled, {because}. Its outbound messages tell of its changes.")
        }
    }
}
