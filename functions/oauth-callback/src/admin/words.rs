//! The state of a connection and of an org, as text for the page. Pure.

use store::{ConnectionState, OrgState};

/// A state, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Health {
    /// One or two words.
    pub(super) word: &'static str,
    /// `good`, `wait` or `bad`: a style beside the word, never instead of it.
    pub(super) mood: &'static str,
    /// The meaning and what to do, if anything.
    pub(super) meaning: Option<&'static str>,
}

/// Describes a connection's state.
pub(super) fn of_connection(state: &ConnectionState) -> Health {
    let health = |word, mood, meaning| Health { word, mood, meaning };
    match state {
        ConnectionState::Active => health("Connected", "good", None),
        ConnectionState::Uncertain => health(
            "Recovering",
            "wait",
            Some(
                "An answer from Salesforce was lost. Ferry goes on and tries to recover by itself; there is nothing to do.",
            ),
        ),
        ConnectionState::ReauthRequired { reason } if reason == "not_connected_yet" => {
            health("Not finished", "wait", Some("The connection was begun and not finished. Connect again."))
        }
        ConnectionState::ReauthRequired { reason } => health("Must be reconnected", "bad", Some(why_reauth(reason))),
        ConnectionState::Revoked => health("Disconnected", "bad", Some("It was disconnected on purpose.")),
    }
}

fn why_reauth(reason: &str) -> &'static str {
    match reason {
        "grant_ended" => {
            "Salesforce has ended the access: it was revoked, it was not used for too long, or the user was deactivated."
        }
        "answer_lost" => "An answer from Salesforce was lost, and the access could not be recovered.",
        "app_sunset" => "The older Ferry app, with which it was made, was stopped.",
        "displaced" => {
            "The same Salesforce user has connected more than five times. Salesforce keeps five, so this one was ended."
        }
        _ => "Salesforce no longer accepts it.",
    }
}

/// Describes an org's state, where it is not active.
pub(super) fn of_org(state: OrgState) -> Option<&'static str> {
    match state {
        OrgState::Active => None,
        OrgState::Claimed => Some("The package is installed, and the team is not connected yet."),
        OrgState::Uninstalled => Some("The Ferry package was removed from this org. Install it again to go on."),
        OrgState::Disconnected => Some("This org was disconnected. Connect the team to go on."),
        OrgState::Quarantined => Some("This org is on hold until the people who run Ferry have looked at it."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reauth(reason: &str) -> Health {
        of_connection(&ConnectionState::ReauthRequired { reason: reason.to_owned() })
    }

    #[test]
    fn every_reason_has_words_of_its_own_and_an_unknown_one_is_not_shown_as_a_code() {
        let known = ["grant_ended", "answer_lost", "app_sunset", "displaced", "not_connected_yet", "<b>new_code</b>"];
        let meanings = known.map(|reason| reauth(reason).meaning.unwrap());
        for (index, meaning) in meanings.iter().enumerate() {
            assert!(!meanings[index + 1..].contains(meaning), "{meaning}");
            assert!(!meaning.contains('_') && !meaning.contains('<'));
        }
    }

    #[test]
    fn only_an_active_connection_is_simply_good() {
        assert_eq!(
            (of_connection(&ConnectionState::Active).mood, of_connection(&ConnectionState::Active).meaning),
            ("good", None)
        );
        assert_eq!(of_connection(&ConnectionState::Uncertain).mood, "wait");
        assert_eq!(reauth("grant_ended").mood, "bad");
        assert_eq!(of_connection(&ConnectionState::Revoked).mood, "bad");
    }
}
