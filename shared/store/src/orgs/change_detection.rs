//! How an org's changes are heard of: pure rules from the edition that the org itself named, unless an operator decided.
//!
//! Some editions have no outbound messages (FACTS 1.4 and 1.10); an org of such an edition is polled.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Org, OrgState};

/// Which edition an org is of, as it said over its team connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// `Organization.OrganizationType`.
    pub organization_type: String,
    /// Whether the org said that it knows no outbound messages when its own were looked for.
    #[serde(default, rename = "knows_no_messages")]
    pub outbound_messages_unsupported: bool,
    /// When it was asked.
    #[serde(with = "crate::time::millis")]
    pub proven_at: Timestamp,
}

/// What an operator decided about polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollingChoice {
    /// Whether the org is polled, whatever its edition.
    pub on: bool,
    /// When it was decided.
    #[serde(with = "crate::time::millis")]
    pub since: Timestamp,
}

/// How an org's changes are heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeDetection {
    /// By what.
    #[serde(rename = "by")]
    pub method: DetectionMethod,
    /// Why by that.
    #[serde(rename = "because")]
    pub reason: DetectionReason,
}

/// By what an org's changes are heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectionMethod {
    /// The org tells of them. The night brings what was missed.
    OutboundMessages,
    /// The org is asked every few minutes. What it tells beside that is taken too.
    Polling,
}

/// Why an org's changes are heard of in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectionReason {
    /// Its edition has outbound messages, or has none.
    Edition,
    /// Its edition is not known, or was never asked for: most have outbound messages.
    EditionUnknown,
    /// Its edition is not one that Ferry knows, and it said that it has no outbound messages.
    Org,
    /// An operator decided so.
    Operator,
}

/// `OrganizationType` of the editions with outbound messages.
const WITH_MESSAGES: [&str; 4] =
    ["Enterprise Edition", "Performance Edition", "Unlimited Edition", "Developer Edition"];
/// `OrganizationType` of the editions without.
const WITHOUT_MESSAGES: [&str; 5] =
    ["Professional Edition", "Team Edition", "Base Edition", "Contact Manager Edition", "Personal Edition"];

/// How the changes of an org of this edition are heard of, with this choice of an operator.
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

impl Edition {
    /// Whether it has outbound messages, by its name; `None` where the name is not known.
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
    /// How its changes are heard of.
    #[must_use]
    pub fn change_detection(&self) -> ChangeDetection {
        change_detection(self.edition.as_ref(), self.polling)
    }

    /// Whether outbound messages cannot be set up in it, because it has none.
    #[must_use]
    pub fn lacks_outbound_messages(&self) -> bool {
        change_detection(self.edition.as_ref(), None).method == DetectionMethod::Polling
    }

    /// Whether it is polled now.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        self.state == OrgState::Active && self.change_detection().method == DetectionMethod::Polling
    }

    /// Whether it was not polled for so long that something is wrong, with polls every `interval` and the last one that came to its
    /// end at `last_poll`.
    #[must_use]
    pub fn poll_is_overdue(&self, last_poll: Option<Timestamp>, interval: SignedDuration, now: Timestamp) -> bool {
        let proven_at = self.edition.as_ref().map(|edition| edition.proven_at);
        let chosen_at = self.polling.map(|choice| choice.since);
        let since = last_poll.max(self.activated_at).max(proven_at).max(chosen_at);
        let claim_ttl = interval.saturating_mul(POLLS_MISSED);
        self.is_polled() && since.is_none_or(|since| now.duration_since(since) > claim_ttl)
    }
}

/// How many polls in a row may fail before somebody should know.
const POLLS_MISSED: i32 = 3;

/// The org with the edition that it named, or `None` when that is known.
#[must_use]
pub fn with_edition(known: &Org, edition: Edition) -> Option<Org> {
    let changes = known.edition.as_ref().is_none_or(|before| {
        (&before.organization_type, before.outbound_messages_unsupported)
            != (&edition.organization_type, edition.outbound_messages_unsupported)
    });
    changes.then(|| Org { updated_at: edition.proven_at, edition: Some(edition), ..known.clone() })
}

/// The org with what an operator decided about polling, or `None` when that is so already.
#[must_use]
pub fn with_polling(known: &Org, on: Option<bool>, now: Timestamp) -> Option<Org> {
    let changes = known.polling.map(|choice| choice.on) != on;
    let polling = on.map(|on| PollingChoice { on, since: now });
    changes.then(|| Org { polling, updated_at: now, ..known.clone() })
}

#[cfg(test)]
mod tests;
