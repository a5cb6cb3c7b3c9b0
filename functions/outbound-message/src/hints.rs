//! From a body to the hints that are queued, or to the reason why the body is not believed.

use jiff::Timestamp;
use salesforce::OrgId;
use salesforce::soap::outbound_message::{self, ParseError};
use store::{ChangeHint, RecordRef, Source};

use crate::Error;

/// What a believable message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hints {
    /// One for each notification that names a record.
    pub changes: Vec<ChangeHint>,
    /// Notifications without a record: it was deleted before Salesforce sent the message. There is nothing to read
    /// again; the refresh finds the deletion.
    pub without_record: usize,
}

/// Reads a message that arrived at the address of `addressed`.
///
/// # Errors
/// [`Error::Malformed`] for a body that is no outbound message, [`Error::OtherOrg`] for one that another org sent.
pub fn read(body: &[u8], addressed: OrgId, received_at: Timestamp) -> Result<Hints, Error> {
    let mut message = outbound_message::parse(body)?;
    let named = message.organization_id.as_deref().ok_or(ParseError::Missing { element: "OrganizationId" })?;
    let named: OrgId = named
        .parse()
        .map_err(|_| ParseError::Malformed { element: "OrganizationId", reason: "is not the id of an organization" })?;
    if named != addressed {
        return Err(Error::OtherOrg { named });
    }
    let notifications = message.notifications.len();
    message.notifications.retain(|notification| notification.record_id.is_some());
    let without_record = notifications - message.notifications.len();
    if message.notifications.is_empty() {
        return Ok(Hints { changes: Vec::new(), without_record });
    }
    let judged = message.judge()?;
    let changes = judged.changes.into_iter().map(|change| ChangeHint {
        org_id: addressed,
        delivery_id: change.notification_id.into(),
        source: Source::OutboundMessage,
        record: Some(RecordRef { object: change.object, record_id: change.record_id }),
        received_at,
        put_off: 0,
    });
    Ok(Hints { changes: changes.collect(), without_record })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "00D5e000000KQ2eEAG";

    fn body(org: &str, notifications: &str) -> String {
        format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
                 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body>
               <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
               <OrganizationId>{org}</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId>
               <SessionId xsi:nil="true"/>{notifications}</notifications></s:Body></s:Envelope>"#
        )
    }

    fn notification(id: &str, record: &str) -> String {
        format!(
            r#"<Notification><Id>{id}</Id><sObject xsi:type="sf:Opportunity"
               xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{record}</sf:Id></sObject></Notification>"#
        )
    }

    fn read_text(body: &str) -> Result<Hints, Error> {
        read(body.as_bytes(), ORG.parse().unwrap(), "2026-11-22T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn every_notification_becomes_a_hint() {
        let two = notification("04l5e00000Gx7Qz", "0065e00000AbCdE")
            + &notification("04l5e00000Gx7QyAAJ", "0065e00000AbCdFAAV");
        let hints = read_text(&body(ORG, &two)).unwrap();

        let records: Vec<_> =
            hints.changes.iter().map(|hint| hint.record.as_ref().unwrap().record_id.to_string()).collect();
        assert_eq!(records, ["0065e00000AbCdEAAV", "0065e00000AbCdFAAV"]);
        assert_eq!(hints.changes[0].record.as_ref().unwrap().object.as_str(), "Opportunity");
        assert_eq!(hints.changes[0].delivery_id.as_str(), "04l5e00000Gx7QzAAJ");
    }

    #[test]
    fn the_short_form_of_the_org_id_names_the_same_org() {
        assert!(read_text(&body(&ORG[..15], &notification("04l5e00000Gx7Qz", "0065e00000AbCdE"))).is_ok());
    }

    #[test]
    fn an_org_id_of_another_case_names_another_org() {
        let result = read_text(&body("00D5e000000kq2e", &notification("04l5e00000Gx7Qz", "0065e00000AbCdE")));
        assert!(matches!(result, Err(Error::OtherOrg { .. })));
    }

    #[test]
    fn a_message_of_another_org_is_refused_before_its_records_are_looked_at() {
        let result = read_text(&body("00D5e000000KQ2fEAG", &notification("no id", "no id either")));
        assert!(matches!(result, Err(Error::OtherOrg { .. })), "{result:?}");
    }

    #[test]
    fn a_notification_of_a_record_deleted_before_it_was_sent_has_no_hint() {
        let bare = "<Notification><Id>04l5e00000Gx7Qz</Id></Notification>";
        let nil = r#"<Notification><Id>04l5e00000Gx7Qy</Id><sObject xsi:nil="true"/></Notification>"#;
        let both = read_text(&body(ORG, &format!("{bare}{nil}"))).unwrap();
        assert_eq!(both, Hints { changes: Vec::new(), without_record: 2 });

        let mixed = notification("04l5e00000Gx7Qx", "0065e00000AbCdE") + bare;
        let mixed = read_text(&body(ORG, &mixed)).unwrap();
        assert_eq!((mixed.changes.len(), mixed.without_record), (1, 1));
    }

    #[test]
    fn a_message_that_does_not_say_which_definition_it_is_of_is_believed_all_the_same() {
        let message = body(ORG, &notification("04l5e00000Gx7Qz", "0065e00000AbCdE"));
        let without = message.replace("<ActionId>04k5e000000CaRkAAK</ActionId>", "");

        assert_eq!(read_text(&without).unwrap().changes.len(), 1);
    }

    #[test]
    fn a_masked_record_id_is_malformed() {
        let result = read_text(&body(ORG, &notification("04l5e00000Gx7Qz", "006xxxxxxxxxxxxxxxx")));
        assert!(matches!(result, Err(Error::Malformed(_))), "{result:?}");
    }

    #[test]
    fn a_message_without_an_org_is_malformed() {
        let result = read_text(&body("", &notification("04l5e00000Gx7Qz", "0065e00000AbCdE")));
        assert!(matches!(result, Err(Error::Malformed(ParseError::Missing { .. }))), "{result:?}");
    }
}
