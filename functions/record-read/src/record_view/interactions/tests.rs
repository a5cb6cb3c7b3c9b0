use serde_json::json;

use super::*;

/// Days and times: one within a day, and one at the beginning of a day.
const TIMES: [Option<&str>; 4] = [
    Some("2026-11-22T09:00:00.000+0000"),
    Some("2026-11-22T00:00:00.000+0000"),
    Some("2026-11-21T12:00:00.000+0000"),
    None,
];
const DAYS: [Option<&str>; 4] = [Some("2026-11-23"), Some("2026-11-22"), Some("2026-11-21"), None];

fn id(number: usize) -> RecordId {
    format!("00T000000000{number:03}").parse().unwrap()
}

/// Rows of three objects: each with every time and two ids. Tasks have days only.
fn places() -> Vec<(ObjectName, Option<&'static str>, RecordId)> {
    let times = |object: &ObjectName| if *object == TASK { DAYS } else { TIMES };
    let rows = |object: ObjectName| times(&object).map(|time| [1, 2].map(|number| (object.clone(), time, id(number))));
    [TASK, EVENT, EMAIL].into_iter().flat_map(rows).flatten().collect()
}

#[test]
fn the_newest_come_first_and_those_without_a_time_last() {
    let position = |object: &ObjectName, time, number| Position::of(object, time, id(number));
    let mut sorted = [
        position(&TASK, None, 1),
        position(&TASK, Some("2026-11-22"), 1),
        position(&EVENT, Some("2026-11-22T09:00:00.000+0000"), 1),
        position(&EMAIL, Some("2026-11-22T09:00:00.000+0000"), 1),
        position(&EMAIL, Some("2026-11-22T09:00:00.000+0000"), 2),
    ];
    sorted.reverse();
    let expected = sorted;
    sorted.sort();
    assert_eq!(sorted, expected);
}

#[test]
fn a_cursor_is_parsed_back_and_a_wrong_one_refused() {
    for (object, time, id) in places() {
        let position = Position::of(&object, time, id);
        assert_eq!(position.to_string().parse(), Ok(position));
    }
    let good = Position::of(&TASK, None, id(1)).to_string();
    for wrong in [
        "",
        "1",
        "2~~2~00T000000000001AAA",
        "1~x~2~00T000000000001AAA",
        "1~~3~00T000000000001AAA",
        "1~~2~me",
        &format!("{good}~"),
    ] {
        assert!(wrong.parse::<Position>().is_err(), "{wrong}");
    }
}

/// Evaluates the condition as Salesforce does, for the forms that [`Position::follows`] renders.
fn holds(condition: &str, time: Option<&str>, id: RecordId) -> bool {
    let condition = condition.trim();
    if let Some(inner) = condition.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let mut depth = 0;
        for (at, character) in inner.char_indices() {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                if let Some(right) = inner[at..].strip_prefix(" OR ") {
                    return holds(&inner[..at], time, id) || holds(right, time, id);
                }
                if let Some(right) = inner[at..].strip_prefix(" AND ") {
                    return holds(&inner[..at], time, id) && holds(right, time, id);
                }
            }
        }
        panic!("{condition}");
    }
    let [field, operator, value] = condition.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{condition}") };
    let ordering = match (field, value) {
        ("Id", "NULL") => return false,
        ("Id", value) => Some(id.as_str().cmp(value.trim_matches('\''))),
        (_, "NULL") => return time.is_none(),
        (_, value) => time.map(|time| parse_time(time).cmp(&parse_time(value))),
    };
    match (ordering, operator) {
        (None, _) => false,
        (Some(ordering), "<") => ordering.is_lt(),
        (Some(ordering), "<=") => ordering.is_le(),
        (Some(ordering), "=") => ordering.is_eq(),
        _ => panic!("{condition}"),
    }
}

#[test]
fn the_condition_holds_for_exactly_the_rows_that_follow() {
    let places = places();
    for (object, time, id) in &places {
        let after = Position::of(object, *time, *id);
        for (object, time, id) in &places {
            let condition =
                salesforce::Soql::select(&[FieldName::ID]).from(object).where_(after.follows(object)).to_string();
            let (_, condition) = condition.split_once(" WHERE ").unwrap();
            let follows = Position::of(object, *time, *id) > after;
            assert_eq!(holds(condition, *time, *id), follows, "{condition} for {time:?} {id} after {after}");
        }
    }
}

#[test]
fn a_page_ends_where_rows_of_an_object_have_not_been_read() {
    let at = |object: &ObjectName, day: &str, number| (Position::of(object, Some(day), id(number)), ());
    let tasks = vec![at(&TASK, "2026-11-22", 1), at(&TASK, "2026-11-21", 1)];
    let events = vec![at(&EVENT, "2026-11-20", 1)];
    let more_after = Some(tasks[1].0);
    let (rows, next) =
        merge(vec![Fetched { rows: tasks.clone(), more_after }, Fetched { rows: events, more_after: None }], 5);
    assert_eq!((rows, next), (tasks, more_after));
}

#[test]
fn a_page_is_the_last_when_everything_is_read() {
    let at = |number| (Position::of(&TASK, Some("2026-11-22"), id(number)), ());
    let rows = vec![at(3), at(2), at(1)];
    let fetched = || vec![Fetched { rows: rows.clone(), more_after: None }];
    assert_eq!(merge(fetched(), 3), (rows.clone(), None));
    assert_eq!(merge(fetched(), 2), (rows[..2].to_vec(), Some(rows[1].0)));
    assert_eq!(merge::<()>(Vec::new(), 2), (Vec::new(), None));
}

#[test]
fn the_task_of_an_email_is_known_by_its_id() {
    let activities = [json!("00T000000000001"), json!(null)];
    assert_eq!(tasks_of_emails(activities.iter()), [id(1)]);
}
