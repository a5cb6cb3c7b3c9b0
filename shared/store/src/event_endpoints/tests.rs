use super::*;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + hours * 3600).unwrap()
}

fn endpoint() -> EventEndpoint {
    EventEndpoint::new("acme".parse().unwrap(), "https://platform.example.com/ferry", at(0), &mut rand::rng())
}

#[test]
fn a_replaced_secret_signs_for_a_day_beside_the_new_one() {
    let mut endpoint = endpoint();
    let old = endpoint.secrets[0].secret.clone();
    let new = SigningSecret::generate(&mut rand::rng());
    endpoint.rotate(new.clone(), at(1));
    let signing = |hour| endpoint.signing_secrets(at(hour)).cloned().collect::<Vec<_>>();
    assert_eq!(signing(1), [new.clone(), old.clone()]);
    assert_eq!(signing(24), [new.clone(), old.clone()]);
    assert_eq!(signing(25), std::slice::from_ref(&new));
    // A second rotation does not prolong the first secret.
    let newest = SigningSecret::generate(&mut rand::rng());
    endpoint.rotate(newest.clone(), at(2));
    assert_eq!(endpoint.signing_secrets(at(25)).cloned().collect::<Vec<_>>(), [newest, new]);
}

#[test]
fn an_endpoint_keeps_few_secrets_and_the_newest() {
    let mut endpoint = endpoint();
    for _ in 0..10 {
        endpoint.rotate(SigningSecret::generate(&mut rand::rng()), at(1));
    }
    assert_eq!(endpoint.secrets.len(), MAX_SECRETS);
    assert_eq!(endpoint.secrets[0].ends_at, None);
}

#[test]
fn an_endpoint_gets_the_events_that_it_wants() {
    let (org, other) = ("00D5e000000KQ2eEAG".parse().unwrap(), "00D79000000exLEEAY".parse().unwrap());
    let all = endpoint();
    assert!(all.wants(EventKind::RecordChanged, Some(org)));
    let some = EventEndpoint { events: vec![EventKind::WriteFailed], orgs: vec![org], ..endpoint() };
    assert!(some.wants(EventKind::WriteFailed, Some(org)) && some.wants(EventKind::WriteFailed, None));
    assert!(!some.wants(EventKind::WriteFailed, Some(other)) && !some.wants(EventKind::RecordChanged, Some(org)));
}

#[test]
fn an_endpoint_reads_back_as_it_was_stored() {
    let mut endpoint = endpoint();
    endpoint.rotate(SigningSecret::generate(&mut rand::rng()), at(1));
    endpoint.paused = Some(Pause { at: at(2), reason: PauseReason::Gone });
    let item: Item = to_item("test", &endpoint).unwrap();
    assert_eq!(crate::table::from_item::<EventEndpoint>("test", item).unwrap(), endpoint);
}

#[test]
fn an_id_is_checked() {
    let id = EndpointId::generate(&mut rand::rng());
    assert_eq!(id.as_str().parse(), Ok(id.clone()));
    for wrong in ["", "we_", "we_0", "WE_00000000000000000000000000000000", "we_0000000000000000000000000000000g"] {
        assert!(wrong.parse::<EndpointId>().is_err(), "{wrong}");
    }
}
