//! From the elements and texts of the XML to a message.

use std::borrow::Cow;

use super::namespaces::Vocabulary;
use super::reader::{Element, map};
use super::{MAX_DEPTH, MAX_FIELDS, MAX_NOTIFICATIONS, Notification, OutboundMessage, ParseError};

/// For how many there is room at first.
const USUAL_NOTIFICATIONS: usize = 4;
const USUAL_FIELDS: usize = 32;

/// A message in the making.
pub(super) struct Assembly<'a> {
    /// What each open element is.
    open: Vec<Place<'a>>,
    /// Text and nil of the innermost element that has a value.
    text: Cow<'a, str>,
    nil: bool,
    message: OutboundMessage<'a>,
    /// Which of the elements that may occur once have occurred: in the message, and in its latest notification.
    seen: Seen,
}

/// The text of an element; `None` is null.
type Value<'a> = Option<Cow<'a, str>>;

#[derive(Default)]
struct Seen {
    body: bool,
    message: bool,
    organization_id: bool,
    action_id: bool,
    session_id: bool,
    notification_id: bool,
    record: bool,
}

/// What an element is, by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    Envelope,
    Body,
    Message,
    OrganizationId,
    ActionId,
    SessionId,
    Notification,
    NotificationId,
    Record,
    Field(&'a str),
    Ignored,
}

impl<'a> Assembly<'a> {
    pub(super) fn new() -> Self {
        let notifications = Vec::with_capacity(USUAL_NOTIFICATIONS);
        Self {
            open: Vec::with_capacity(MAX_DEPTH),
            text: Cow::Borrowed(""),
            nil: false,
            message: OutboundMessage {
                organization_id: None,
                action_id: None,
                session_id_present: false,
                notifications,
            },
            seen: Seen::default(),
        }
    }

    pub(super) fn finish(mut self) -> Result<OutboundMessage<'a>, ParseError> {
        if !self.seen.message {
            return Err(ParseError::NoNotifications);
        }
        if self.message.notifications.is_empty() {
            return Err(ParseError::NoNotification);
        }
        for notification in &mut self.message.notifications {
            let id = notification.fields.iter().find(|(name, _)| *name == "Id");
            notification.record_id = id.and_then(|(_, id)| id.clone());
        }
        Ok(self.message)
    }

    /// A piece of text. The first one of an element is borrowed, and most have no other.
    #[inline(always)]
    pub(super) fn text(&mut self, text: Cow<'a, str>) {
        match self.open.last() {
            Some(place) if place.has_value() && self.text.is_empty() => self.text = text,
            Some(place) if place.has_value() => self.text.to_mut().push_str(&text),
            _ => {}
        }
    }

    #[inline(always)]
    pub(super) fn open(&mut self, element: Element<'a>) -> Result<(), ParseError> {
        let place = self.place(&element)?;
        if place.has_value() {
            self.text = Cow::Borrowed("");
            self.nil = element.nil;
        }
        match place {
            Place::Body => once("Body", &mut self.seen.body)?,
            Place::Message => once("notifications", &mut self.seen.message)?,
            Place::Notification => self.begin_notification()?,
            Place::Record => self.begin_record(element.xsi_type)?,
            _ => {}
        }
        self.open.push(place);
        Ok(())
    }

    /// What an element is: outside the record by vocabulary and name, inside it any name is a field.
    #[inline(always)]
    fn place(&self, element: &Element<'a>) -> Result<Place<'a>, ParseError> {
        Ok(match (self.open.last(), element.vocabulary, element.name) {
            (Some(Place::Record), _, name) => Place::Field(name),
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
            _ => Place::Ignored,
        })
    }

    fn begin_notification(&mut self) -> Result<(), ParseError> {
        let notifications = &mut self.message.notifications;
        if notifications.len() == MAX_NOTIFICATIONS {
            return Err(ParseError::TooManyNotifications);
        }
        // The records of a message are of one object, so they have about as many fields.
        let fields = notifications.last().map_or(USUAL_FIELDS, |before| before.fields.len());
        let fields = Vec::with_capacity(fields);
        notifications.push(Notification { id: None, object_type: None, record_id: None, fields });
        (self.seen.notification_id, self.seen.record) = (false, false);
        Ok(())
    }

    fn begin_record(&mut self, object_type: Value<'a>) -> Result<(), ParseError> {
        once("sObject", &mut self.seen.record)?;
        if let Some(notification) = self.message.notifications.last_mut() {
            notification.object_type = object_type;
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn close(&mut self) -> Result<(), ParseError> {
        let Some(place) = self.open.pop().filter(Place::has_value) else {
            return Ok(());
        };
        let text = std::mem::take(&mut self.text);
        let value = Some(map(text, str::trim_ascii)).filter(|text| !text.is_empty() && !self.nil);
        let (message, seen) = (&mut self.message, &mut self.seen);
        match (place, message.notifications.last_mut()) {
            (Place::Field(name), Some(notification)) => {
                if notification.fields.len() == MAX_FIELDS {
                    return Err(ParseError::TooManyFields);
                }
                notification.fields.push((name, value));
            }
            (Place::NotificationId, Some(notification)) => {
                once("the notification's Id", &mut seen.notification_id)?;
                notification.id = value;
            }
            (Place::OrganizationId, _) => {
                once("OrganizationId", &mut seen.organization_id)?;
                message.organization_id = value;
            }
            (Place::ActionId, _) => {
                once("ActionId", &mut seen.action_id)?;
                message.action_id = value;
            }
            (Place::SessionId, _) => {
                once("SessionId", &mut seen.session_id)?;
                message.session_id_present = value.is_some();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Place<'_> {
    fn has_value(&self) -> bool {
        matches!(self, Self::OrganizationId | Self::ActionId | Self::SessionId | Self::NotificationId | Self::Field(_))
    }
}

fn once(element: &'static str, seen: &mut bool) -> Result<(), ParseError> {
    if std::mem::replace(seen, true) { Err(ParseError::Repeated { element }) } else { Ok(()) }
}
