use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn place(millis: i64, org: u8, object: &str, id: u8) -> Place {
    Place {
        at: at(millis),
        org: format!("00D00000000000{org}").parse().unwrap(),
        object: object.parse().unwrap(),
        id: format!("00100000000000{id}").parse().unwrap(),
    }
}

/// Returns whether a change of an index is in the range.
fn is_in(from: ChangesFrom, place: &Place) -> bool {
    match from {
        ChangesFrom::Time(at) => place.at >= at,
        ChangesFrom::After(key) => (place.at, place.id) > (key.changed_at, key.record_id),
    }
}

#[test]
fn every_index_continues_after_the_same_place() {
    let mut places = Vec::new();
    for millis in 0..3 {
        for org in 1..=2 {
            for object in ["Account", "Contact"] {
                places.extend((1..=2).map(|id| place(millis, org, object, id)));
            }
        }
    }
    for last in &places {
        let position = Position::After(last.clone());
        for other in &places {
            let from = position.within(other.org, &other.object);
            assert_eq!(is_in(from, other), other > last, "{other:?} after {last:?}");
        }
    }
}

#[test]
fn the_feed_begins_at_the_oldest_change_that_it_has() {
    let feed = ListId::of(&"feed");
    let now = at(100 * 86_400_000);
    let oldest = oldest(now, SignedDuration::from_hours(90 * 24));
    assert_eq!(oldest, at(11 * 86_400_000));
    assert_eq!(start(&FeedQuery::default(), feed, (oldest, now)).unwrap(), Position::Time(oldest));

    let since = |at: Timestamp| FeedQuery { since: Some(at.to_string()), ..FeedQuery::default() };
    assert!(start(&since(oldest), feed, (oldest, now)).is_ok());
    let after = |at: Timestamp| FeedQuery { after: Some(feed.cursor(&Position::Time(at))), ..FeedQuery::default() };
    for early in [since(at(0)), after(at(0))] {
        assert!(matches!(start(&early, feed, (oldest, now)), Err(Error::CursorExpired { .. })), "{early:?}");
    }
    let both = FeedQuery { since: since(oldest).since, ..after(oldest) };
    assert!(matches!(start(&both, feed, (oldest, now)), Err(Error::Invalid(_))));
    let minutes = |minutes| now.saturating_add(SignedDuration::from_mins(minutes)).unwrap();
    assert!(start(&since(minutes(5)), feed, (oldest, now)).is_ok());
    assert!(matches!(start(&since(minutes(6)), feed, (oldest, now)), Err(Error::Invalid(_))));
}

#[test]
fn an_erased_record_has_neither_fields_nor_a_time_in_salesforce() {
    let row = MirrorRecord {
        org_id: "00D000000000001".parse().unwrap(),
        object: "Account".parse().unwrap(),
        record_id: "001000000000001".parse().unwrap(),
        fields: Map::new(),
        system_modstamp: Timestamp::MAX,
        read_at: Timestamp::MAX,
        deleted: true,
        master_record_id: None,
        deletion_reason: None,
        erased: true,
        outdated_since: None,
        carried: store::records::Carried::default(),
    };
    let shown = serde_json::to_value(change(place(1, 1, "Account", 1), row, Fields::All)).unwrap();
    assert_eq!(
        (shown["deleted"].as_bool(), shown.get("fields"), shown.get("system_modstamp")),
        (Some(true), None, None)
    );
}
