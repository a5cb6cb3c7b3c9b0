//! Change detection: outbound messages or polling. Pure rules that follow from the org's edition, unless an operator
//! decided.
//!
//! Some editions have no outbound messages (FACTS 1.4 and 1.10). Orgs of these editions are polled.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Edition, Org, OrgState, PollingChoice};

/// The way in which an org's changes are detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeDetection {
    /// The method.
    #[serde(rename = "by")]
    pub method: DetectionMethod,
    /// The reason for the method.
    #[serde(rename = "because")]
    pub reason: DetectionReason,
}

/// A method of detecting changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectionMethod {
    /// The org sends outbound messages. The nightly refresh picks up missed changes.
    OutboundMessages,
    /// The org is queried every few minutes. Outbound messages are processed too.
    Polling,
}

/// The reason for a method of change detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectionReason {
    /// The edition is known to have outbound messages, or to have none.
    Edition,
    /// The edition is unknown. Most editions have outbound messages.
    EditionUnknown,
    /// The edition's name is unknown, and the org reported that it has no outbound messages.
    Org,
    /// An operator decided.
    Operator,
}

/// `OrganizationType` of the editions with outbound messages.
const WITH_MESSAGES: [&str; 4] =
    ["Enterprise Edition", "Performance Edition", "Unlimited Edition", "Developer Edition"];
/// `OrganizationType` of the editions without.
const WITHOUT_MESSAGES: [&str; 5] =
    ["Professional Edition", "Team Edition", "Base Edition", "Contact Manager Edition", "Personal Edition"];

/// Returns the change detection for an edition and an operator's choice.
#[must_use]
pub fn change_detection(edition: Option<&Edition>, choice: Option<PollingChoice>) -> ChangeDetection {
    let (polls, reason) = match (choice, edition) {
        (Some(choice), _) => (choice.on, DetectionReason::Operator),
        (None, Some(edition)) if edition.has_outbound_messages() == Some(true) => (false, DetectionReason::Edition),
        (None, Some(edition)) if edition.has_outbound_messages() == Some(false) => (true, DetectionReason::Edition),
        (None, Some(Edition { outbound_messages_unsupported: true, .. })) => (true, DetectionReason::Org),
        (None, _) => (false, DetectionReason::EditionUnknown),
    };
    ChangeDetection { method: if polls { DetectionMethod::Polling } else { DetectionMethod::OutboundMessages }, reason }
}

/// Returns whether an org is polled now.
pub(super) fn is_polled(state: OrgState, edition: Option<&Edition>, choice: Option<PollingChoice>) -> bool {
    state == OrgState::Active && change_detection(edition, choice).method == DetectionMethod::Polling
}

impl Edition {
    /// Returns whether the edition has outbound messages; `None` if its name is unknown.
    #[must_use]
    pub fn has_outbound_messages(&self) -> Option<bool> {
        let name = self.organization_type.as_str();
        match (WITH_MESSAGES.contains(&name), WITHOUT_MESSAGES.contains(&name)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        }
    }
}

impl Org {
    /// Returns the org's change detection.
    #[must_use]
    pub fn change_detection(&self) -> ChangeDetection {
        change_detection(self.edition.as_ref(), self.polling)
    }

    /// Returns whether the org has no outbound messages, so that none can be set up.
    #[must_use]
    pub fn lacks_outbound_messages(&self) -> bool {
        change_detection(self.edition.as_ref(), None).method == DetectionMethod::Polling
    }

    /// Returns whether the org is polled now.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        is_polled(self.state, self.edition.as_ref(), self.polling)
    }

    /// Returns whether polls are overdue, given the interval between polls and the start of the last complete one.
    #[must_use]
    pub fn poll_is_overdue(&self, last_poll: Option<Timestamp>, interval: SignedDuration, now: Timestamp) -> bool {
        let proven_at = self.edition.as_ref().map(|edition| edition.proven_at);
        let chosen_at = self.polling.map(|choice| choice.since);
        let since = last_poll.max(self.activated_at).max(proven_at).max(chosen_at);
        let longest_pause = interval.saturating_mul(POLLS_MISSED);
        self.is_polled() && since.is_none_or(|since| now.duration_since(since) > longest_pause)
    }
}

/// The number of missed polls after which they are overdue.
const POLLS_MISSED: i32 = 3;

/// Returns the org with the edition, or `None` if that is stored already.
#[must_use]
pub fn with_edition(known: &Org, edition: Edition) -> Option<Org> {
    let changes = known.edition.as_ref().is_none_or(|before| {
        (&before.organization_type, before.outbound_messages_unsupported)
            != (&edition.organization_type, edition.outbound_messages_unsupported)
    });
    changes.then(|| Org { updated_at: edition.proven_at, edition: Some(edition), ..known.clone() })
}

/// Returns the org with the operator's choice of polling, or `None` if that is stored already.
#[must_use]
pub fn with_polling(known: &Org, on: Option<bool>, now: Timestamp) -> Option<Org> {
    let changes = known.polling.map(|choice| choice.on) != on;
    let polling = on.map(|on| PollingChoice { on, since: now });
    changes.then(|| Org { polling, updated_at: now, ..known.clone() })
}

#[cfg(test)]
mod tests;
