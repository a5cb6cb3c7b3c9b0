use super::*;
use crate::orgs::Environment;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

fn edition(name: &str) -> Edition {
    Edition { organization_type: name.to_owned(), outbound_messages_unsupported: false, proven_at: at(0) }
}

fn org(edition: Option<Edition>, on: Option<bool>) -> Org {
    let org = Org::claimed("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, at(0));
    let polling = on.map(|on| PollingChoice { on, since: at(0) });
    Org { state: OrgState::Active, activated_at: Some(at(0)), edition, polling, ..org }
}

#[test]
fn a_known_edition_decides() {
    for name in ["Enterprise Edition", "Performance Edition", "Unlimited Edition", "Developer Edition"] {
        let changes = change_detection(Some(&edition(name)), None);
        let by_messages =
            ChangeDetection { method: DetectionMethod::OutboundMessages, reason: DetectionReason::Edition };
        assert_eq!(changes, by_messages, "{name}");
    }
    for name in ["Professional Edition", "Team Edition", "Base Edition", "Contact Manager Edition", "Personal Edition"]
    {
        let changes = change_detection(Some(&edition(name)), None);
        assert_eq!(
            changes,
            ChangeDetection { method: DetectionMethod::Polling, reason: DetectionReason::Edition },
            "{name}"
        );
    }
}

#[test]
fn an_unknown_edition_has_messages_unless_the_org_has_none() {
    let by_messages =
        ChangeDetection { method: DetectionMethod::OutboundMessages, reason: DetectionReason::EditionUnknown };
    assert_eq!(change_detection(None, None), by_messages);
    assert_eq!(change_detection(Some(&edition("Agentforce 1 Edition")), None), by_messages);
    let unsupported = |name| Edition { outbound_messages_unsupported: true, ..edition(name) };
    let polled = ChangeDetection { method: DetectionMethod::Polling, reason: DetectionReason::Org };
    assert_eq!(change_detection(Some(&unsupported("Agentforce 1 Edition")), None), polled);
    assert_eq!(
        change_detection(Some(&unsupported("Enterprise Edition")), None).method,
        DetectionMethod::OutboundMessages
    );
}

#[test]
fn an_operator_overrides_the_edition() {
    for name in ["Professional Edition", "Enterprise Edition"] {
        let by_edition = org(Some(edition(name)), None);
        for (on, by) in [(true, DetectionMethod::Polling), (false, DetectionMethod::OutboundMessages)] {
            let chosen = with_polling(&by_edition, Some(on), at(1)).unwrap();
            assert_eq!(chosen.change_detection(), ChangeDetection { method: by, reason: DetectionReason::Operator });
            assert_eq!(
                chosen.lacks_outbound_messages(),
                by_edition.lacks_outbound_messages(),
                "a choice does not change what the org has"
            );
            assert_eq!(with_polling(&chosen, Some(on), at(2)), None);
            assert_eq!(with_polling(&chosen, None, at(2)).unwrap().change_detection(), by_edition.change_detection());
        }
    }
}

#[test]
fn only_an_active_org_is_polled() {
    let polled = org(Some(edition("Professional Edition")), None);
    assert!(polled.is_polled());
    for state in [OrgState::Claimed, OrgState::Uninstalled, OrgState::Disconnected, OrgState::Quarantined] {
        assert!(!Org { state, ..polled.clone() }.is_polled(), "{state:?}");
    }
}

#[test]
fn a_repeated_edition_changes_nothing() {
    let known = org(Some(edition("Professional Edition")), None);
    assert_eq!(with_edition(&known, Edition { proven_at: at(5), ..edition("Professional Edition") }), None);
    let upgraded = with_edition(&known, Edition { proven_at: at(5), ..edition("Enterprise Edition") }).unwrap();
    assert_eq!((upgraded.change_detection().method, upgraded.updated_at), (DetectionMethod::OutboundMessages, at(5)));
}

#[test]
fn polls_are_overdue_after_three_were_missed() {
    let interval = SignedDuration::from_mins(15);
    let polled = org(Some(edition("Professional Edition")), None);
    assert!(!polled.poll_is_overdue(None, interval, at(45)), "the first poll is not late yet");
    assert!(polled.poll_is_overdue(None, interval, at(46)));
    assert!(!polled.poll_is_overdue(Some(at(100)), interval, at(145)));
    assert!(polled.poll_is_overdue(Some(at(100)), interval, at(146)));
    let chosen = with_polling(&polled, Some(true), at(200)).unwrap();
    assert!(!chosen.poll_is_overdue(Some(at(100)), interval, at(245)));
    assert!(!org(None, None).poll_is_overdue(None, interval, at(10_000)), "the org is not polled");
}
