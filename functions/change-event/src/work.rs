//! Derives the hints and the refresh of a change event. Pure.

use jiff::Timestamp;
use salesforce::change_event::ChangeEvent;
use store::{
    ChangeHint, Deferrals, Delivery, DeliveryId, DeliveryOutcome, InvalidText, RecordRef, RefreshKind, RefreshTask,
    Source,
};

/// The work that an event causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// A hint for each record of the event.
    pub hints: Vec<ChangeHint>,
    /// A refresh of the object with its ledger entry, if the event does not list all records.
    pub refresh: Option<(RefreshTask, Delivery)>,
}

impl Work {
    /// Derives the work. Its delivery ids are the same for every delivery of an event, so a duplicate adds no second ledger entry.
    ///
    /// # Errors
    /// The event's transaction key and sequence number do not make a valid delivery id.
    pub fn of(event: &ChangeEvent, received_at: Timestamp) -> Result<Self, InvalidText> {
        let ChangeEvent { org_id, object, .. } = event;
        let source = Source::ChangeDataCapture;
        let delivery_id = |suffix: &str| format!("{}.{suffix}", event.delivery).parse::<DeliveryId>();
        let mut hints = Vec::with_capacity(event.records.len());
        for record_id in &event.records {
            let delivery_id = delivery_id(record_id.as_str())?;
            let record = Some(RecordRef { object: object.clone(), record_id: *record_id });
            hints.push(ChangeHint {
                org_id: *org_id,
                delivery_id,
                source,
                record,
                received_at,
                deferrals: Deferrals::default(),
            });
        }
        let refresh = event.is_incomplete.then(|| -> Result<_, InvalidText> {
            let delivery_id = delivery_id(object.as_str())?;
            let kind = RefreshKind::Incremental;
            let task = RefreshTask::new(*org_id, kind, received_at).for_object(object.clone());
            let outcome = DeliveryOutcome::ObjectRefresh;
            let settled_at = received_at;
            Ok((
                task,
                Delivery { org_id: *org_id, delivery_id, source, record: None, received_at, settled_at, outcome },
            ))
        });
        Ok(Self { hints, refresh: refresh.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(records: &[&str], is_incomplete: bool) -> ChangeEvent {
        ChangeEvent {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            object: "Order_Line__c".parse().unwrap(),
            records: records.iter().map(|id| id.parse().unwrap()).collect(),
            is_incomplete,
            delivery: "000f07d5-d33e-8607-991e-ad2c1fda0750.1".to_owned(),
        }
    }

    fn work(records: &[&str], is_incomplete: bool) -> Work {
        Work::of(&event(records, is_incomplete), Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn each_record_gets_a_hint_with_its_own_delivery_id() {
        let work = work(&["a015e00000AbCdEAAV", "a015e00000AbCdFAAV"], false);

        let ids: Vec<_> = work.hints.iter().map(|hint| hint.delivery_id.as_str()).collect();
        let transaction = "000f07d5-d33e-8607-991e-ad2c1fda0750.1";
        assert_eq!(ids, [format!("{transaction}.a015e00000AbCdEAAV"), format!("{transaction}.a015e00000AbCdFAAV")]);
        assert!(work.hints.iter().all(|hint| hint.source == Source::ChangeDataCapture && hint.record.is_some()));
        assert_eq!(work.refresh, None);
    }

    #[test]
    fn an_incomplete_event_refreshes_its_object() {
        let work = work(&["a015e00000AbCdEAAV"], true);

        let (task, delivery) = work.refresh.unwrap();
        assert_eq!((task.kind, task.object.unwrap().as_str()), (RefreshKind::Incremental, "Order_Line__c"));
        assert_eq!((delivery.outcome, delivery.record), (DeliveryOutcome::ObjectRefresh, None));
        assert_eq!(delivery.delivery_id.as_str(), "000f07d5-d33e-8607-991e-ad2c1fda0750.1.Order_Line__c");
        assert_eq!(work.hints.len(), 1, "the listed records have hints");
    }
}
