use super::*;

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const LEAD: ObjectName = ObjectName::from_static("Lead");

fn org() -> OrgId {
    "00D5e000000KQ2eEAG".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_342_530 + seconds).unwrap()
}

fn measured(object: &ObjectName, lane: ChangeLane, seconds: &[i64]) -> Measured {
    let mut measured = Measured::default();
    for latency in seconds {
        measured.add(org(), object, lane, (at(0), at(*latency)));
    }
    measured
}

#[test]
fn an_object_must_meet_its_own_share() {
    let objectives: Objectives = "Account=90%<60s".parse().unwrap();
    let mut all = measured(&ACCOUNT, ChangeLane::Webhook, &[1, 59, 60, 61]);
    all.extend(measured(&ACCOUNT, ChangeLane::Write, &[2]));
    all.extend(measured(&LEAD, ChangeLane::Webhook, &[900]));

    let counts = all.against(&objectives);

    let expected = [("objective.changes", 5), ("objective.late", 2), ("objective.required_permille", 4_500)];
    assert_eq!(counts, expected);
    assert_eq!(all.against(&Objectives::default()).map(|(_, count)| count), [0; 3]);
}

#[test]
fn a_clock_of_salesforce_that_is_ahead_makes_no_age() {
    let samples = measured(&LEAD, ChangeLane::Webhook, &[-3, 4]).samples();
    assert_eq!(samples, [("freshness.webhook_s", vec![0, 4])]);
}

#[test]
fn an_hour_begins_at_its_first_second() {
    let start: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    for within in ["2026-11-22T10:00:00Z", "2026-11-22T10:59:59.999Z"] {
        assert_eq!(start_of_hour(within.parse().unwrap()), start);
    }
    assert_eq!(start_of_hour(Timestamp::from_second(-1).unwrap()), Timestamp::from_second(-3_600).unwrap());
}

#[test]
fn a_row_of_an_unknown_lane_is_left_out() {
    let row = |slot: &str| Row { slot: slot.to_owned(), counters: BTreeMap::from([("m3".to_owned(), 2.into())]) };
    assert_eq!(row("2026-11-22T10:00:00.000Z#Lead#relay").parse(), None);
    let parsed = row("2026-11-22T10:00:00.000Z#Lead#webhook").parse().unwrap();
    assert_eq!((parsed.mirror.total(), parsed.event.total()), (2, 0));
}
