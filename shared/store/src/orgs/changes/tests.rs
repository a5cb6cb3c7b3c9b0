use super::*;
use crate::orgs::Environment;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

fn edition(name: &str) -> Edition {
    Edition { organization_type: name.to_owned(), knows_no_messages: false, proven_at: at(0) }
}

fn org(edition: Option<Edition>, on: Option<bool>) -> Org {
    let org = Org::unannounced("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, at(0));
    let polling = on.map(|on| PollingChoice { on, since: at(0) });
    Org { state: OrgState::Active, activated_at: Some(at(0)), edition, polling, ..org }
}

#[test]
fn the_edition_decides_where_it_is_known() {
    for name in ["Enterprise Edition", "Performance Edition", "Unlimited Edition", "Developer Edition"] {
        let changes = changes(Some(&edition(name)), None);
        let told = Changes { by: ChangesBy::OutboundMessages, because: ChangesBecause::Edition };
        assert_eq!(changes, told, "{name}");
    }
    for name in ["Professional Edition", "Team Edition", "Base Edition", "Contact Manager Edition", "Personal Edition"]
    {
        let changes = changes(Some(&edition(name)), None);
        assert_eq!(changes, Changes { by: ChangesBy::Polling, because: ChangesBecause::Edition }, "{name}");
    }
}

#[test]
fn an_edition_that_is_not_known_has_messages_unless_the_org_says_otherwise() {
    let told = Changes { by: ChangesBy::OutboundMessages, because: ChangesBecause::EditionUnknown };
    assert_eq!(changes(None, None), told);
    assert_eq!(changes(Some(&edition("Agentforce 1 Edition")), None), told);
    let says_no = |name| Edition { knows_no_messages: true, ..edition(name) };
    let polled = Changes { by: ChangesBy::Polling, because: ChangesBecause::Org };
    assert_eq!(changes(Some(&says_no("Agentforce 1 Edition")), None), polled);
    assert_eq!(changes(Some(&says_no("Enterprise Edition")), None).by, ChangesBy::OutboundMessages);
}

#[test]
fn an_operator_decides_over_the_edition_and_can_take_it_back() {
    for name in ["Professional Edition", "Enterprise Edition"] {
        let by_edition = org(Some(edition(name)), None);
        for (on, by) in [(true, ChangesBy::Polling), (false, ChangesBy::OutboundMessages)] {
            let chosen = choose(&by_edition, Some(on), at(1)).unwrap();
            assert_eq!(chosen.changes(), Changes { by, because: ChangesBecause::Operator });
            assert_eq!(chosen.lacks_messages(), by_edition.lacks_messages(), "what the org has is no choice");
            assert_eq!(choose(&chosen, Some(on), at(2)), None);
            assert_eq!(choose(&chosen, None, at(2)).unwrap().changes(), by_edition.changes());
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
fn an_upgrade_is_noted_and_a_repetition_is_not() {
    let known = org(Some(edition("Professional Edition")), None);
    assert_eq!(prove(&known, Edition { proven_at: at(5), ..edition("Professional Edition") }), None);
    let upgraded = prove(&known, Edition { proven_at: at(5), ..edition("Enterprise Edition") }).unwrap();
    assert_eq!((upgraded.changes().by, upgraded.updated_at), (ChangesBy::OutboundMessages, at(5)));
}

#[test]
fn polls_are_overdue_after_three_were_missed() {
    let interval = SignedDuration::from_mins(15);
    let polled = org(Some(edition("Professional Edition")), None);
    assert!(!polled.poll_is_overdue(None, interval, at(45)), "the first one has time too");
    assert!(polled.poll_is_overdue(None, interval, at(46)));
    assert!(!polled.poll_is_overdue(Some(at(100)), interval, at(145)));
    assert!(polled.poll_is_overdue(Some(at(100)), interval, at(146)));
    let chosen = choose(&polled, Some(true), at(200)).unwrap();
    assert!(!chosen.poll_is_overdue(Some(at(100)), interval, at(245)));
    assert!(!org(None, None).poll_is_overdue(None, interval, at(10_000)), "nobody waits for a poll");
}
