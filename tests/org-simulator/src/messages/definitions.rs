//! The definitions of outbound messages, checked before they are stored.

use crate::Error;
use crate::messages::callout;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::outbox::delivery::OutboundMessage;
use crate::model::outbox::settings::OutboundSettings;
use crate::model::people::actor;
use crate::model::versions;

/// Defines an outbound message, after checking its object, fields and endpoint.
pub(crate) fn define_outbound_message(org: &mut Org, definition: &OutboundMessage) -> Result<String, Error> {
    if !org.features.outbound_messages {
        let message = "This org's edition has no outbound messages.";
        return Err(ApiError::new("FUNCTIONALITY_NOT_ENABLED", message).into());
    }
    callout::loopback(&definition.endpoint_url)?;
    let object = org.object(&definition.object)?;
    let canonical = |name: &String| {
        object.field(name).map(|f| f.name.clone()).ok_or_else(|| ApiError::no_column(name, &object.name))
    };
    let fields = definition.fields.iter().map(canonical).collect::<Result<_, _>>()?;
    let definition = OutboundMessage { object: object.name.clone(), fields, ..definition.clone() };
    Ok(org.outbox.define(definition, &mut org.ids).to_string())
}

/// Sets the settings of a definition.
pub(crate) fn configure_outbound_message(org: &mut Org, name: &str, settings: OutboundSettings) -> Result<(), Error> {
    if !versions::is_version(&settings.api_version) {
        return Err(Error::Unknown { what: "API version", name: settings.api_version });
    }
    if let Some(username) = &settings.integration_user {
        actor(org, username)?;
    }
    let unknown = || Error::Unknown { what: "outbound message", name: name.to_owned() };
    org.outbox.definition_mut(name).ok_or_else(unknown)?.settings = settings;
    Ok(())
}

/// Removes a definition and drops its pending notifications.
pub(crate) fn remove_outbound_message(org: &mut Org, name: &str) -> Result<(), Error> {
    let unknown = || Error::Unknown { what: "outbound message", name: name.to_owned() };
    let action_id = org.outbox.definition_mut(name).ok_or_else(unknown)?.action_id;
    org.outbox.undefine(action_id);
    Ok(())
}

/// Grants a user the permission "Send Outbound Messages", or removes it.
pub(crate) fn set_sends_outbound_messages(org: &mut Org, username: &str, sends: bool) -> Result<(), Error> {
    let user = org.user_named(username).ok_or_else(|| Error::Unknown { what: "user", name: username.to_owned() })?;
    if sends {
        org.outbox.silent_users.remove(&user)
    } else {
        org.outbox.silent_users.insert(user)
    };
    Ok(())
}
