//! Reads the elements of a message. Elements without a meaning are skipped.

use std::borrow::Cow;

use super::element::{OUTBOUND, SOAP};
use super::reader::Reader;
use super::{MAX_FIELDS, MAX_NOTIFICATIONS, Notification, OutboundMessage, ParseError};

/// Reads a body.
///
/// # Errors
///
/// [`ParseError`] if the body is not an outbound message.
pub fn parse(body: &[u8]) -> Result<OutboundMessage<'_>, ParseError> {
    let (mut has_body, mut message) = (false, None);
    Reader::new(body)?.children(|xml, root| {
        if (root.namespace, root.name) != (SOAP, "Envelope") {
            return Err(ParseError::NoEnvelope);
        }
        xml.children(|xml, element| {
            if (element.namespace, element.name) != (SOAP, "Body") {
                return xml.skip();
            }
            once("Body", std::mem::replace(&mut has_body, true))?;
            xml.children(|xml, element| {
                if (element.namespace, element.name) != (OUTBOUND, "notifications") {
                    return xml.skip();
                }
                once("notifications", message.is_some())?;
                message = Some(read_message(xml)?);
                Ok(())
            })
        })
    })?;
    let message = message.ok_or(ParseError::NoNotifications)?;
    if message.notifications.is_empty() { Err(ParseError::NoNotification) } else { Ok(message) }
}

fn read_message<'a>(xml: &mut Reader<'a>) -> Result<OutboundMessage<'a>, ParseError> {
    let (mut organization_id, mut action_id, mut session_id) = (None, None, None);
    let mut notifications = Vec::new();
    xml.children(|xml, element| {
        let (name, value) = match (element.namespace, element.name) {
            (OUTBOUND, "OrganizationId") => ("OrganizationId", &mut organization_id),
            (OUTBOUND, "ActionId") => ("ActionId", &mut action_id),
            (OUTBOUND, "SessionId") => ("SessionId", &mut session_id),
            (OUTBOUND, "Notification") if notifications.len() == MAX_NOTIFICATIONS => {
                return Err(ParseError::TooManyNotifications);
            }
            (OUTBOUND, "Notification") => return read_notification(xml).map(|read| notifications.push(read)),
            _ => return xml.skip(),
        };
        once(name, value.is_some())?;
        *value = Some(xml.value(&element)?);
        Ok(())
    })?;
    let (organization_id, action_id) = (organization_id.flatten(), action_id.flatten());
    let session_id_present = session_id.flatten().is_some();
    Ok(OutboundMessage { organization_id, action_id, session_id_present, notifications })
}

fn read_notification<'a>(xml: &mut Reader<'a>) -> Result<Notification<'a>, ParseError> {
    let (mut id, mut object_type, mut fields) = (None, None, None);
    xml.children(|xml, element| {
        match (element.namespace, element.name) {
            (OUTBOUND, "Id") => {
                once("the notification's Id", id.is_some())?;
                id = Some(xml.value(&element)?);
            }
            (OUTBOUND, "sObject") => {
                once("sObject", fields.is_some())?;
                object_type = element.xsi_type.map(Cow::Owned);
                fields = Some(read_fields(xml)?);
            }
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    let fields = fields.unwrap_or_default();
    let record_id = fields.iter().find(|(name, _)| *name == "Id").and_then(|(_, id)| id.clone());
    Ok(Notification { id: id.flatten(), object_type, record_id, fields })
}

/// The name and the value of each field.
type Fields<'a> = Vec<(&'a str, Option<Cow<'a, str>>)>;

/// Reads the fields of a record: all of its elements.
fn read_fields<'a>(xml: &mut Reader<'a>) -> Result<Fields<'a>, ParseError> {
    let mut fields = Vec::with_capacity(16);
    xml.children(|xml, element| {
        if fields.len() == MAX_FIELDS {
            return Err(ParseError::TooManyFields);
        }
        fields.push((element.name, xml.value(&element)?));
        Ok(())
    })?;
    Ok(fields)
}

fn once(element: &'static str, is_repeated: bool) -> Result<(), ParseError> {
    if is_repeated { Err(ParseError::Repeated { element }) } else { Ok(()) }
}
