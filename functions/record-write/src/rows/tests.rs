use proptest::prelude::*;

use super::*;

const FIRST: Sends = Sends { count: 1, spent: Duration::ZERO, left: RESEND_WINDOW, jitter: 0.0 };
const LAST: Sends = Sends { count: MAX_SENDS, ..FIRST };

fn error(code: &str, message: &str) -> SaveError {
    SaveError { code: code.to_owned(), message: message.to_owned(), ..SaveError::default() }
}

fn refused(code: &str) -> SaveOutcome {
    SaveOutcome { id: None, success: false, created: false, errors: vec![error(code, "")] }
}

fn written() -> SaveOutcome {
    SaveOutcome { id: "001D000000IRFmaIAH".parse().ok(), success: true, created: true, errors: Vec::new() }
}

fn records(count: usize) -> Vec<Map<String, Value>> {
    vec![Map::new(); count]
}

#[test]
fn a_record_that_a_lock_refused_is_sent_again_alone() {
    let rows = classified(vec![written(), refused("UNABLE_TO_LOCK_ROW"), refused("REQUIRED_FIELD_MISSING")], false);
    assert!(matches!(next_step(&rows, false, FIRST), Step::SendAgain(_)));
    assert_eq!(open(Some(&rows), &records(3)), [1]);
    assert!(matches!(next_step(&rows, false, LAST), Step::Defer(Retry::After(_))));
}

#[test]
fn a_lock_in_a_triggers_message_is_a_lock() {
    let message = "TaskTrigger: execution of AfterInsert caused by: first error: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access";
    let outcome = SaveOutcome { errors: vec![error("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)], ..refused("") };
    let rows = classified(vec![outcome], false);
    assert!(rows[0].retryable);
    assert!(matches!(next_step(&rows, false, FIRST), Step::SendAgain(_)));
    let other = SaveOutcome { errors: vec![error("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "no")], ..refused("") };
    assert!(!classified(vec![other], false)[0].retryable);
}

#[test]
fn a_record_with_a_lock_and_a_defect_is_decided() {
    let errors = vec![error("UNABLE_TO_LOCK_ROW", ""), error("REQUIRED_FIELD_MISSING", "")];
    let rows = classified(vec![SaveOutcome { errors, ..refused("") }], false);
    assert_eq!((rows[0].retryable, next_step(&rows, false, FIRST)), (false, Step::Finish));
}

#[test]
fn an_approval_lock_is_told_and_not_waited_for() {
    let rows = classified(vec![refused("ENTITY_IS_LOCKED"), written()], false);
    assert_eq!((rows[0].retryable, next_step(&rows, false, FIRST)), (true, Step::Finish));
}

#[test]
fn all_or_none_is_repeated_only_as_a_whole() {
    let locked = classified(vec![refused("ALL_OR_NONE_OPERATION_ROLLED_BACK"), refused("UNABLE_TO_LOCK_ROW")], true);
    assert!(matches!(next_step(&locked, true, FIRST), Step::SendAgain(_)));
    assert_eq!(open(Some(&locked), &records(2)), [0, 1]);
    let defect = classified(vec![refused("UNABLE_TO_LOCK_ROW"), refused("REQUIRED_FIELD_MISSING")], true);
    assert_eq!(next_step(&defect, true, FIRST), Step::Finish);
    assert!(defect.iter().all(|row| !row.retryable));
    let rolled_back = classified(vec![refused("PROCESSING_HALTED"), refused("REQUIRED_FIELD_MISSING")], true);
    assert!(rolled_back[0].next.as_ref().unwrap().starts_with("Nothing of the request was written"));
}

#[test]
fn a_refusal_is_kept_where_a_graph_names_only_the_first() {
    let known = classified(vec![refused("DUPLICATES_DETECTED"), refused("ALL_OR_NONE_OPERATION_ROLLED_BACK")], true);
    let mut rows = classified(vec![refused("PROCESSING_HALTED"), refused("PROCESSING_HALTED")], true);
    rows.iter_mut().zip(known).for_each(|(row, known)| row.keep_refusal(known));
    assert_eq!(rows[0].errors[0].code, "DUPLICATES_DETECTED");
    assert_eq!(rows[1].errors[0].code, "PROCESSING_HALTED");
    let mut made = classified(vec![written()], true).remove(0);
    made.keep_refusal(classified(vec![refused("DUPLICATES_DETECTED")], true).remove(0));
    assert!(made.success && made.errors.is_empty());
}

#[test]
fn an_earlier_request_may_have_adopted_a_record() {
    let update = || decided(SaveOutcome { created: false, ..written() });
    let corrected = |row: RowOutcome, is_older: bool, duplicates: Duplicates| {
        let mut row = row;
        row.correct_created(is_older, duplicates);
        (row.created, row.adopted)
    };
    assert_eq!(corrected(update(), true, Duplicates::Adopt), (Some(false), None));
    assert_eq!(corrected(update(), true, Duplicates::Block), (Some(false), Some(false)));
    assert_eq!(corrected(update(), false, Duplicates::Adopt), (None, Some(false)));
    let id = update().id;
    assert_eq!(corrected(update().adopted_as(id.as_ref()), true, Duplicates::Adopt), (Some(false), Some(true)));
    assert_eq!(update().adopted_as(None).adopted, Some(false));
    let stored = serde_json::to_value(update()).unwrap();
    assert_eq!(stored.get("adopted"), None);
    assert_eq!(serde_json::from_value::<RowOutcome>(stored).unwrap(), update());
    let unknown = RowOutcome { adopted: None, ..update() };
    let stored = serde_json::to_value(&unknown).unwrap();
    assert_eq!(
        (stored.get("adopted"), serde_json::from_value::<RowOutcome>(stored.clone()).unwrap()),
        (Some(&Value::Null), unknown)
    );
}

#[test]
fn a_stored_outcome_is_resumed_for_as_many_records() {
    let rows = classified(vec![written(), refused("UNABLE_TO_LOCK_ROW")], false);
    assert_eq!(resumed(Some(&stored(&rows)), 2), Some(rows.clone()));
    assert_eq!(resumed(Some(&stored(&rows)), 3), None);
    assert_eq!(resumed(None, 2), None);
    assert_eq!(open(None, &records(2)), [0, 1]);
}

#[test]
fn an_outcome_keeps_code_message_fields_and_remedy() {
    let refusal = SaveError {
        fields: vec!["LastName".to_owned()],
        ..error("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]")
    };
    let rows = classified(vec![SaveOutcome { errors: vec![refusal], ..refused("") }], false);
    insta::assert_json_snapshot!(stored(&rows), @r#"
    {
      "records": [
        {
          "id": null,
          "success": false,
          "created": false,
          "errors": [
            {
              "code": "REQUIRED_FIELD_MISSING",
              "message": "Required fields are missing: [LastName]",
              "fields": [
                "LastName"
              ]
            }
          ],
          "retryable": false,
          "next": "Set the fields that `fields` names. Then send the record again with a new Idempotency-Key."
        }
      ]
    }
    "#);
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let outcome = SaveOutcome { errors: vec![error("X", &"é".repeat(900))], ..refused("") };
    assert_eq!(row(outcome).errors[0].message.chars().count(), MAX_MESSAGE_CHARS);
}

fn any_outcome() -> impl Strategy<Value = SaveOutcome> {
    prop_oneof![
        Just(written()),
        prop::sample::select(vec![
            "UNABLE_TO_LOCK_ROW",
            "UNKNOWN_EXCEPTION",
            "REQUIRED_FIELD_MISSING",
            "ENTITY_IS_LOCKED",
            "TXN_SECURITY_NO_ACCESS",
            "SOMETHING_NEW",
        ])
        .prop_map(refused),
    ]
}

#[test]
fn no_record_is_sent_again_when_the_invocation_ends_soon() {
    let sends = Sends { left: Duration::from_millis(400), ..FIRST };
    assert_eq!(sends.pause(Duration::from_millis(500)), None);
    assert_eq!(FIRST.pause(Duration::from_millis(500)), Some(Duration::from_millis(500)));
}

proptest! {
    #[test]
    fn only_refused_records_that_may_pass_are_sent_again(outcomes in prop::collection::vec(any_outcome(), 1..8)) {
        let rows = classified(outcomes, false);
        for index in open(Some(&rows), &records(rows.len())) {
            prop_assert!(!rows[index].success && rows[index].retryable);
        }
        let waits = next_step(&rows, false, LAST) != Step::Finish;
        prop_assert_eq!(waits, rows.iter().any(|row| row.retryable && row.errors[0].code != "ENTITY_IS_LOCKED"));
        for row in &rows {
            prop_assert_eq!(row.next.is_some(), !row.success);
            prop_assert!(row.next.as_ref().is_none_or(|next| next.contains("new Idempotency-Key")));
        }
    }

    #[test]
    fn a_resend_begins_within_the_window(ms in 1u64..20_000, count in 1u32..8, spent in 0u64..20_000, jitter in 0.0..1.0f64) {
        let sends = Sends { count, spent: Duration::from_millis(spent), left: RESEND_WINDOW, jitter };
        if let Some(pause) = sends.pause(Duration::from_millis(ms)) {
            prop_assert!(count < MAX_SENDS && sends.spent + pause < RESEND_WINDOW && pause >= Duration::from_millis(ms));
        }
    }

    /// Each send decides a random part of the open records; the rest meets a lock.
    #[test]
    fn a_decided_record_is_never_sent_again(decided in prop::collection::vec(prop::collection::vec(any::<bool>(), 5), 1..6)) {
        let mut rows: Option<Vec<RowOutcome>> = None;
        let mut sent = [0usize; 5];
        for round in decided {
            let open = open(rows.as_deref(), &records(5));
            let outcomes = open.iter().map(|index| if round[*index] { written() } else { refused("UNABLE_TO_LOCK_ROW") });
            let classified = classified(outcomes.collect(), false);
            for index in &open {
                sent[*index] += 1;
                let is_decided = rows.as_ref().is_some_and(|rows| rows[*index].success);
                prop_assert!(!is_decided, "record {index} was sent again");
            }
            rows = Some(merged(rows.take(), &open, classified));
            prop_assert!(rows.as_ref().unwrap().iter().zip(&sent).all(|(row, sent)| row.success == row.id.is_some() && *sent > 0));
        }
    }
}
