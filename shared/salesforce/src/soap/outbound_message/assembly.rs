//! From the steps of the XML to a message.

use super::reader::{Element, Step, Vocabulary};
use super::{MAX_FIELDS, MAX_NOTIFICATIONS, Notification, OutboundMessage, ParseError};

/// A message in the making.
#[derive(Default)]
pub(super) struct Assembly {
    /// What each open element is.
    open: Vec<Place>,
    /// Text and nil of the innermost element that has a value.
    text: String,
    nil: bool,
    organization_id: Option<Option<String>>,
    action_id: Option<Option<String>>,
    session_id: Option<bool>,
    message_seen: bool,
    notifications: Vec<Draft>,
}

/// A notification in the making.
#[derive(Default)]
struct Draft {
    id: Option<Option<String>>,
    record: Option<Record>,
}

struct Record {
    object_type: Option<String>,
    fields: Vec<(String, Option<String>)>,
}

/// What an element is, by where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Envelope,
    Body,
    Message,
    OrganizationId,
    ActionId,
    SessionId,
    Notification,
    NotificationId,
    Record,
    Field(String),
    Ignored,
}

impl Assembly {
    pub(super) fn take(&mut self, step: Step<'_>) -> Result<(), ParseError> {
        match step {
            Step::Open(element) => self.open(element),
            Step::Text(text) => {
                if self.open.last().is_some_and(Place::has_value) {
                    self.text.push_str(&text);
                }
                Ok(())
            }
            Step::Close => self.close(),
        }
    }

    pub(super) fn finish(self) -> Result<OutboundMessage, ParseError> {
        if !self.message_seen {
            return Err(ParseError::NoNotifications);
        }
        if self.notifications.is_empty() {
            return Err(ParseError::NoNotification);
        }
        Ok(OutboundMessage {
            organization_id: self.organization_id.flatten(),
            action_id: self.action_id.flatten(),
            session_id_present: self.session_id.unwrap_or_default(),
            notifications: self.notifications.into_iter().map(Draft::finish).collect(),
        })
    }

    fn open(&mut self, element: Element) -> Result<(), ParseError> {
        let place = self.place(&element)?;
        if place.has_value() {
            self.text.clear();
            self.nil = element.nil;
        }
        match place {
            Place::Message if self.message_seen => return Err(repeated("notifications")),
            Place::Message => self.message_seen = true,
            Place::Notification if self.notifications.len() == MAX_NOTIFICATIONS => {
                return Err(ParseError::TooManyNotifications);
            }
            Place::Notification => self.notifications.push(Draft::default()),
            Place::Record => self.begin_record(element.xsi_type)?,
            _ => {}
        }
        self.open.push(place);
        Ok(())
    }

    /// What an element is: outside the record by vocabulary and name, inside it any name is a field.
    fn place(&self, element: &Element) -> Result<Place, ParseError> {
        let name = element.name.as_str();
        Ok(match (self.open.last(), element.vocabulary, name) {
            (None, Vocabulary::Soap, "Envelope") => Place::Envelope,
            (None, _, _) => return Err(ParseError::NoEnvelope),
            (Some(Place::Envelope), Vocabulary::Soap, "Body") => Place::Body,
            (Some(Place::Body), Vocabulary::Outbound, "notifications") => Place::Message,
            (Some(Place::Message), Vocabulary::Outbound, name) => match name {
                "OrganizationId" => Place::OrganizationId,
                "ActionId" => Place::ActionId,
                "SessionId" => Place::SessionId,
                "Notification" => Place::Notification,
                _ => Place::Ignored,
            },
            (Some(Place::Notification), Vocabulary::Outbound, "Id") => Place::NotificationId,
            (Some(Place::Notification), Vocabulary::Outbound, "sObject") => Place::Record,
            (Some(Place::Record), _, name) => Place::Field(name.to_owned()),
            _ => Place::Ignored,
        })
    }

    fn begin_record(&mut self, object_type: Option<String>) -> Result<(), ParseError> {
        let Some(draft) = self.notifications.last_mut() else {
            return Ok(());
        };
        if draft.record.is_some() {
            return Err(repeated("sObject"));
        }
        draft.record = Some(Record { object_type, fields: Vec::new() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), ParseError> {
        let Some(place) = self.open.pop() else {
            return Ok(());
        };
        if !place.has_value() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        let value = Some(text.trim()).filter(|text| !text.is_empty() && !self.nil).map(str::to_owned);
        let draft = self.notifications.last_mut();
        match place {
            Place::OrganizationId => once("OrganizationId", &mut self.organization_id, value),
            Place::ActionId => once("ActionId", &mut self.action_id, value),
            Place::SessionId => once("SessionId", &mut self.session_id, value.is_some()),
            Place::NotificationId => match draft {
                Some(draft) => once("the notification's Id", &mut draft.id, value),
                None => Ok(()),
            },
            Place::Field(name) => {
                let record = draft.and_then(|draft| draft.record.as_mut());
                record.map_or(Ok(()), |record| record.add(name, value))
            }
            _ => Ok(()),
        }
    }
}

impl Record {
    fn add(&mut self, name: String, value: Option<String>) -> Result<(), ParseError> {
        if self.fields.len() == MAX_FIELDS {
            return Err(ParseError::TooManyFields);
        }
        self.fields.push((name, value));
        Ok(())
    }
}

impl Draft {
    fn finish(self) -> Notification {
        let (object_type, fields) = match self.record {
            Some(record) => (record.object_type, record.fields),
            None => (None, Vec::new()),
        };
        let record_id = fields.iter().find(|(name, _)| name == "Id");
        Notification { id: self.id.flatten(), object_type, record_id: record_id.and_then(|(_, id)| id.clone()), fields }
    }
}

impl Place {
    fn has_value(&self) -> bool {
        matches!(self, Self::OrganizationId | Self::ActionId | Self::SessionId | Self::NotificationId | Self::Field(_))
    }
}

fn once<T>(element: &'static str, slot: &mut Option<T>, value: T) -> Result<(), ParseError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(repeated(element)),
    }
}

fn repeated(element: &'static str) -> ParseError {
    ParseError::Repeated { element }
}
