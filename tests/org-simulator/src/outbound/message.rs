//! The SOAP body of an outbound message.

use std::fmt::Write as _;

use super::Batch;
use crate::ids::RecordId;
use crate::org::Org;
use crate::store::Row;

const API_VERSION: &str = "66.0";

/// The envelope for a batch, with the records as they are now.
pub(super) fn render(org: &Org, batch: &Batch) -> String {
    let soap = |kind: char| format!("{}/services/Soap/{kind}/{API_VERSION}/{}", org.base_url, org.id.short());
    let notifications: String =
        batch.notifications.iter().map(|n| notification(org, batch, (n.id, n.record))).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n <soapenv:Body>\n  \
         <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\">\n   <OrganizationId>{}</OrganizationId>\n   \
         <ActionId>{}</ActionId>\n   <SessionId xsi:nil=\"true\"/>\n   <EnterpriseUrl>{}</EnterpriseUrl>\n   \
         <PartnerUrl>{}</PartnerUrl>\n{notifications}  </notifications>\n </soapenv:Body>\n</soapenv:Envelope>",
        org.id,
        batch.definition.action_id,
        escaped(&soap('c')),
        escaped(&soap('u')),
    )
}

fn notification(org: &Org, batch: &Batch, (id, record): (RecordId, RecordId)) -> String {
    let message = &batch.definition.message;
    let row = org.store.get(&message.object, record).filter(|row| !row.is_deleted());
    let fields = row.map(|row| fields(org, &message.object, row, &message.fields)).unwrap_or_default();
    format!(
        "   <Notification>\n    <Id>{id}</Id>\n    <sObject xsi:type=\"sf:{}\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">\n     \
         <sf:Id>{record}</sf:Id>\n{fields}    </sObject>\n   </Notification>\n",
        message.object
    )
}

/// The elements after `Id`: in alphabetical order, nulls left out.
fn fields(org: &Org, object: &str, row: &Row, names: &[String]) -> String {
    let mut names: Vec<&String> = names.iter().filter(|name| *name != "Id").collect();
    names.sort_unstable();
    names.dedup();
    let mut xml = String::new();
    for name in names {
        if let Some(text) = org.value(object, row, name).soap() {
            let _ = writeln!(xml, "     <sf:{name}>{}</sf:{name}>", escaped(&text));
        }
    }
    xml
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
