//! The SOAP body of an outbound message.

use std::fmt::Write as _;

use crate::model::actor::Actor;
use crate::model::org::Org;
use crate::model::outbox::Batch;
use crate::model::outbox::notification::Notification;
use crate::model::schema::Object;
use crate::model::store::Row;

/// Renders the envelope of a batch, with the current values of the records.
pub(super) fn render(org: &Org, batch: &Batch, session: Option<&str>) -> String {
    let settings = &batch.definition.settings;
    let soap =
        |kind: char| format!("{}/services/Soap/{kind}/{}/{}", org.base_url, settings.api_version, org.id.short());
    let session = session.map_or_else(
        || "<SessionId xsi:nil=\"true\"/>".to_owned(),
        |token| format!("<SessionId>{}</SessionId>", escaped(token)),
    );
    let notifications: String = batch.notifications.iter().map(|(_, n)| notification(org, batch, n)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n <soapenv:Body>\n  \
         <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\">\n   <OrganizationId>{}</OrganizationId>\n   \
         <ActionId>{}</ActionId>\n   {session}\n   <EnterpriseUrl>{}</EnterpriseUrl>\n   \
         <PartnerUrl>{}</PartnerUrl>\n{notifications}  </notifications>\n </soapenv:Body>\n</soapenv:Envelope>",
        org.id,
        batch.definition.action_id,
        escaped(&soap('c')),
        escaped(&soap('u')),
    )
}

/// Renders a notification. A record that is deleted, or hidden from the user as whom the message is sent, has no data
/// (outbound messaging guide).
fn notification(org: &Org, batch: &Batch, notification: &Notification) -> String {
    let message = &batch.definition.message;
    let (id, record) = (notification.id, notification.record);
    let row = org.store.get(&message.object, record).filter(|row| !row.is_deleted());
    if row.is_none() && org.outbox.disturbance.omit_deleted {
        return format!("   <Notification>\n    <Id>{id}</Id>\n   </Notification>\n");
    }
    let reader = reader(org, batch);
    let fields = org
        .schema
        .object(&message.object)
        .zip(row)
        .filter(|(object, row)| reader.is_none_or(|actor| org.may_see(&actor, object, row)));
    let fields = fields.map(|(object, row)| fields_of(org, object, row, (&message.fields, reader))).unwrap_or_default();
    format!(
        "   <Notification>\n    <Id>{id}</Id>\n    <sObject xsi:type=\"sf:{}\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">\n     \
         <sf:Id>{record}</sf:Id>\n{fields}    </sObject>\n   </Notification>\n",
        message.object
    )
}

/// Returns the user as whom the message is sent, if the settings name one.
fn reader(org: &Org, batch: &Batch) -> Option<Actor> {
    let username = batch.definition.settings.integration_user.as_deref()?;
    org.user_named(username).and_then(|user| org.actor(user))
}

/// Renders the elements after `Id`, in alphabetical order and without nulls and fields that are hidden from the reader.
fn fields_of(org: &Org, object: &Object, row: &Row, (names, reader): (&[String], Option<Actor>)) -> String {
    let mut names: Vec<&String> = names.iter().filter(|name| *name != "Id").collect();
    names.sort_unstable();
    names.dedup();
    let mut xml = String::new();
    for name in names {
        let Some((at, field)) = object.position(name).and_then(|at| Some((at, object.fields.get(at)?))) else {
            continue;
        };
        if reader.is_some_and(|actor| !org.may_read_field(&actor, object, field)) {
            continue;
        }
        if let Some(text) = org.field_value(object, row, at).soap() {
            let _ = writeln!(xml, "     <sf:{name}>{}</sf:{name}>", escaped(&text));
        }
    }
    xml
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
