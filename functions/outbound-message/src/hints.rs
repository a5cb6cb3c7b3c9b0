//! Turns a message's notifications into hints.

use jiff::Timestamp;
use salesforce::OrgId;
use salesforce::soap::outbound_message::{OutboundMessage, ParseError};
use store::{ChangeHint, RecordRef, Source};

/// Returns one hint for each notification. A notification without a record, which was deleted before Salesforce sent the
/// message, becomes a hint too, so that the ledger records every acknowledged notification.
///
/// # Errors
/// An id or a name is missing or malformed.
pub fn from_message(
    message: &OutboundMessage<'_>,
    org_id: OrgId,
    received_at: Timestamp,
) -> Result<Vec<ChangeHint>, ParseError> {
    let hint = |delivery_id, record| ChangeHint {
        org_id,
        delivery_id,
        source: Source::OutboundMessage,
        record,
        received_at,
        deferrals: store::Deferrals::default(),
    };
    let validated = message.validate()?;
    let changes = validated.changes.into_iter().map(|change| {
        let record = RecordRef { object: change.object, record_id: change.record_id };
        hint(change.notification_id.into(), Some(record))
    });
    let without_record = validated.without_record.into_iter().map(|notification| hint(notification.into(), None));
    Ok(changes.chain(without_record).collect())
}

#[cfg(test)]
mod tests {
    use salesforce::soap::outbound_message;

    use super::*;

    const ORG: &str = "00D5e000000KQ2eEAG";

    fn body(notifications: &str) -> String {
        format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
                 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body>
               <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
               <OrganizationId>{ORG}</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId>
               <SessionId xsi:nil="true"/>{notifications}</notifications></s:Body></s:Envelope>"#
        )
    }

    fn notification(id: &str, record: &str) -> String {
        format!(
            r#"<Notification><Id>{id}</Id><sObject xsi:type="sf:Opportunity"
               xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{record}</sf:Id></sObject></Notification>"#
        )
    }

    fn hints(body: &str) -> Result<Vec<ChangeHint>, ParseError> {
        let message = outbound_message::parse(body.as_bytes())?;
        from_message(&message, ORG.parse().unwrap(), "2026-11-22T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn every_notification_becomes_a_hint() {
        let two = notification("04l5e00000Gx7Qz", "0065e00000AbCdE")
            + &notification("04l5e00000Gx7QyAAJ", "0065e00000AbCdFAAV");
        let hints = hints(&body(&two)).unwrap();

        let records: Vec<_> = hints.iter().map(|hint| hint.record.as_ref().unwrap().record_id.to_string()).collect();
        assert_eq!(records, ["0065e00000AbCdEAAV", "0065e00000AbCdFAAV"]);
        assert_eq!(hints[0].record.as_ref().unwrap().object.as_str(), "Opportunity");
        assert_eq!(hints[0].delivery_id.as_str(), "04l5e00000Gx7QzAAJ");
        assert_eq!((hints[0].org_id.as_str(), hints[0].source), (ORG, Source::OutboundMessage));
    }

    #[test]
    fn a_notification_of_a_deleted_record_is_a_hint_without_it() {
        let with_a_record = notification("04l5e00000Gx7Qx", "0065e00000AbCdE");
        for no_data in [
            "",
            r#"<sObject xsi:nil="true"/>"#,
            r#"<sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"/>"#,
            r#"<sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id/></sObject>"#,
        ] {
            let empty = format!("<Notification><Id>04l5e00000Gx7Qz</Id>{no_data}</Notification>");
            let alone = hints(&body(&empty)).unwrap();
            assert_eq!((alone.len(), &alone[0].record), (1, &None), "{no_data}");
            assert_eq!(alone[0].delivery_id.as_str(), "04l5e00000Gx7QzAAJ");

            let mixed = hints(&body(&(empty + &with_a_record))).unwrap();
            assert_eq!(mixed.iter().filter(|hint| hint.record.is_some()).count(), 1, "{no_data}");
            assert_eq!(mixed.len(), 2, "{no_data}");
        }
    }

    #[test]
    fn a_message_without_an_action_id_is_accepted() {
        let message = body(&notification("04l5e00000Gx7Qz", "0065e00000AbCdE"));
        let without = message.replace("<ActionId>04k5e000000CaRkAAK</ActionId>", "");

        assert_eq!(hints(&without).unwrap().len(), 1);
    }

    #[test]
    fn an_invalid_id_is_malformed() {
        for (notification_id, record_id) in [("04l5e00000Gx7Qz", "006xxxxxxxxxxxxxxxx"), ("", "0065e00000AbCdE")] {
            let refused = hints(&body(&notification(notification_id, record_id)));
            assert!(refused.is_err(), "{refused:?}");
        }
    }

    #[test]
    fn data_without_a_record_id_is_malformed() {
        let without_id = notification("04l5e00000Gx7Qz", "0065e00000AbCdE").replace("sf:Id>", "sf:Name>");
        assert!(matches!(hints(&body(&without_id)), Err(ParseError::Missing { .. })));
    }
}
