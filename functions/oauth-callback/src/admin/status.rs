//! The state of a connection and of an org, as text for the page. Pure.

use salesforce::{Condition, ResolvedBy};
use store::{Connection, ConnectionState, OrgState};

/// The advice about a condition that the vendor's operator has to end. The operator's own is about things that a customer does
/// not see.
const VENDOR_HAS_TO_ACT: &str =
    "The people who sent you the link to this page have to act. You need not change anything in Salesforce.";

/// A connection's state, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// The state in one to three words.
    pub(super) label: &'static str,
    /// The CSS class of the label: `good`, `wait` or `bad`. It only repeats what the label says.
    pub(super) class: &'static str,
    /// The meaning of the state, and what to do.
    pub(super) explanation: Option<&'static str>,
    /// The remedy of an administrator or of the operator.
    pub(super) advice: Option<&'static str>,
}

/// Describes a connection's state, and the condition that it is in.
pub(super) fn of_connection(connection: &Connection) -> Status {
    let is_live = matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain);
    match connection.shown_condition().filter(|_| is_live) {
        Some(state) if state.reported => {
            let explanation = Some(state.condition.explanation());
            Status { label: "Blocked", class: "bad", explanation, advice: Some(advice(state.condition)) }
        }
        Some(state) if connection.state == ConnectionState::Active => Status {
            label: "Waiting",
            class: "wait",
            explanation: Some(state.condition.explanation()),
            advice: Some("Ferry tries again by itself."),
        },
        _ => of_state(&connection.state),
    }
}

/// Returns the advice to a customer's administrator.
fn advice(condition: Condition) -> &'static str {
    match condition.resolved_by() {
        ResolvedBy::OrgAdministrator => condition.advice(),
        ResolvedBy::Operator => VENDOR_HAS_TO_ACT,
    }
}

fn of_state(state: &ConnectionState) -> Status {
    let status = |label, class, explanation| Status { label, class, explanation, advice: None };
    match state {
        ConnectionState::Active => status("Connected", "good", None),
        ConnectionState::Uncertain => status(
            "Recovering",
            "wait",
            Some("A response from Salesforce was lost. Ferry tries to recover the connection. You have nothing to do."),
        ),
        ConnectionState::ReauthRequired { reason } if reason == "not_connected_yet" => {
            status("Not finished", "wait", Some("The connection was started but not completed. Connect again."))
        }
        ConnectionState::ReauthRequired { reason } => {
            status("Must be reconnected", "bad", Some(reauth_explanation(reason)))
        }
        ConnectionState::Revoked => status("Disconnected", "bad", Some("It was disconnected on purpose.")),
    }
}

fn reauth_explanation(reason: &str) -> &'static str {
    match reason {
        "grant_ended" => "Salesforce ended the access: it was revoked, or it was not used for too long.",
        "user_inactive" => "The Salesforce user was deactivated or frozen.",
        "answer_lost" => "A response from Salesforce was lost, and the connection could not be recovered.",
        "app_sunset" => "It was made with an older Ferry app that is no longer in use.",
        "displaced" => {
            "The same Salesforce user has connected more than five times. Salesforce keeps five, so this one was ended."
        }
        _ => "Salesforce no longer accepts it.",
    }
}

/// Describes an org's state. Returns `None` for an active org.
pub(super) fn of_org(state: OrgState) -> Option<&'static str> {
    match state {
        OrgState::Active => None,
        OrgState::Claimed => Some("The Ferry package is installed, but the team is not connected yet."),
        OrgState::Uninstalled => Some("The Ferry package was removed from this org. To continue, install it again."),
        OrgState::Disconnected | OrgState::Quarantined => {
            Some("This org was disconnected. To continue, connect the team.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reauth(reason: &str) -> Status {
        of_state(&ConnectionState::ReauthRequired { reason: reason.to_owned() })
    }

    #[test]
    fn each_reason_has_its_text_and_no_code_is_shown() {
        let known = [
            "grant_ended",
            "user_inactive",
            "answer_lost",
            "app_sunset",
            "displaced",
            "not_connected_yet",
            "<b>new_code</b>",
        ];
        let explanations = known.map(|reason| reauth(reason).explanation.unwrap());
        for (index, explanation) in explanations.iter().enumerate() {
            assert!(!explanations[index + 1..].contains(explanation), "{explanation}");
            assert!(!explanation.contains('_') && !explanation.contains('<'));
        }
    }

    #[test]
    fn a_customer_gets_no_advice_to_the_operator() {
        for condition in Condition::ALL {
            let shown = advice(condition);
            assert!(!shown.contains("Secrets Manager") && !shown.contains("token-broker"), "{condition}: {shown}");
        }
        assert_eq!(advice(Condition::AppBlocked), Condition::AppBlocked.advice());
    }

    #[test]
    fn only_an_active_connection_is_good() {
        let active = of_state(&ConnectionState::Active);
        assert_eq!((active.class, active.explanation), ("good", None));
        assert_eq!(of_state(&ConnectionState::Uncertain).class, "wait");
        assert_eq!(reauth("grant_ended").class, "bad");
        assert_eq!(of_state(&ConnectionState::Revoked).class, "bad");
    }
}
