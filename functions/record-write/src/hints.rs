//! Hints about the records of a write, so that the mirror has them although Salesforce sends no message about them: an org
//! may have no outbound messages, or none for the changes of the connection's user.

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use store::{ChangeHint, Deferrals, DeliveryId, RecordRef, Source, WriteId};

/// Returns a hint for each record that a write changed; none if the object is not mirrored. Their ids are the same for every
/// attempt of the write.
pub(crate) fn of_write(
    (org_id, write_id): (OrgId, WriteId),
    object: &ObjectName,
    mirrored: &[ObjectName],
    changed: impl IntoIterator<Item = RecordId>,
    now: Timestamp,
) -> Vec<ChangeHint> {
    let Some(object) = mirrored.iter().find(|mirrored| *mirrored == object) else { return Vec::new() };
    let hint = |record_id: RecordId| {
        let delivery_id: DeliveryId = format!("{write_id}/{record_id}").parse().ok()?;
        let record = Some(RecordRef { object: object.clone(), record_id });
        let deferrals = Deferrals::default();
        Some(ChangeHint { org_id, delivery_id, source: Source::Write, record, received_at: now, deferrals })
    };
    changed.into_iter().filter_map(hint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_of_a_mirrored_object_has_one_hint() {
        let write = ("00D5e000000KQ2eEAG".parse().unwrap(), "2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3".parse().unwrap());
        let mirrored = [ObjectName::from_static("Visit__c")];
        let id: RecordId = "a005e00000AbCdEAAV".parse().unwrap();
        let hints = |object: &str| of_write(write, &object.parse().unwrap(), &mirrored, [id], Timestamp::UNIX_EPOCH);

        let [hint] = hints("visit__C").try_into().unwrap();
        assert_eq!(hint.delivery_id.as_str(), "2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3/a005e00000AbCdEAAV");
        assert_eq!(hint.record.unwrap().object.as_str(), "Visit__c", "the mirror's spelling");
        assert!(hints("Plain__c").is_empty());
    }
}
