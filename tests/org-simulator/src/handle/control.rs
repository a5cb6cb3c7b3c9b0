//! What the owner of a simulator may do with an org, beside the APIs an org has: shared by the handle and the admin API.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::api::rest;
use crate::data::write::WriteOptions;
use crate::http::server::Shared;
use crate::identity::oauth;
use crate::identity::realm::Realm;
use crate::messages::callout;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::{Actor, Org};
use crate::model::store::Row;
use crate::model::value::Value;
use crate::{AppPolicy, AppSettings, Error, NewUser, OutboundMessage, OutboundSettings, User};

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Refused { code: error.code.to_owned(), message: error.message }
    }
}

fn user(org: &Org, row: &Row) -> Option<User> {
    let text = |field| org.value("User", row, field).as_text().to_owned();
    let id = row.id()?;
    let profile = org.value("User", row, "ProfileId").as_id().and_then(|id| org.store.get("Profile", id));
    Some(User {
        id: id.to_string(),
        username: text("Username"),
        name: text("Name"),
        email: text("Email"),
        is_admin: profile.is_some_and(|row| org.value("Profile", row, "Name").as_text() == "System Administrator"),
        is_active: *org.value("User", row, "IsActive") == Value::Bool(true),
    })
}

/// All users, in the order they were made.
pub(crate) fn users(org: &Org) -> Vec<User> {
    org.store.table("User").into_iter().flat_map(|table| table.rows()).filter_map(|row| user(org, row)).collect()
}

/// The actor behind a username.
pub(crate) fn actor(org: &Org, username: &str) -> Result<Actor, Error> {
    let user = org.user_named(username).and_then(|user| org.actor(user));
    user.ok_or_else(|| Error::Unknown { what: "active user", name: username.to_owned() })
}

/// Who makes setup changes: the first user, an admin.
pub(crate) fn admin(org: &Org) -> Actor {
    let first = users(org).into_iter().find(|user| user.is_admin).and_then(|user| RecordId::parse(&user.id));
    let known = first.and_then(|user| org.actor(user));
    known.unwrap_or(Actor { user: org.id, profile: org.id, is_admin: true, write: WriteOptions::default() })
}

/// Adds a user; the username must be new.
pub(crate) fn add_user(org: &mut Org, new: &NewUser) -> Result<User, Error> {
    if org.user_named(&new.username).is_some() {
        let message = "Duplicate Username. Another user has already selected this username.";
        return Err(ApiError::new("DUPLICATE_USERNAME", message).into());
    }
    let profile = if new.profile.is_empty() { org.profile(new.is_admin) } else { org.profile_named(&new.profile) };
    let alias: String = new.last_name.chars().filter(|c| c.is_ascii_alphanumeric()).take(8).collect();
    let email = if new.email.is_empty() { &new.username } else { &new.email };
    let fields = [
        ("Username", Value::text(new.username.as_str())),
        ("FirstName", if new.first_name.is_empty() { Value::Null } else { Value::text(new.first_name.as_str()) }),
        ("LastName", Value::text(new.last_name.as_str())),
        ("Name", Value::text(format!("{} {}", new.first_name, new.last_name).trim())),
        ("Email", Value::text(email.as_str())),
        ("Alias", Value::text(alias)),
        ("CommunityNickname", Value::text(new.username.split('@').next().unwrap_or_default())),
        ("IsActive", Value::Bool(true)),
        ("UserType", Value::text("Standard")),
        ("ProfileId", Value::Id(profile)),
        ("TimeZoneSidKey", Value::text("America/Los_Angeles")),
        ("LocaleSidKey", Value::text("en_US")),
        ("LanguageLocaleKey", Value::text("en_US")),
        ("EmailEncodingKey", Value::text("UTF-8")),
    ];
    let id = org.insert_setup("User", &fields);
    let row = org.store.get("User", id).and_then(|row| user(org, row));
    row.ok_or_else(|| Error::Unknown { what: "user", name: new.username.clone() })
}

/// Lets a user log in, or no longer; the sessions of a deactivated one end.
pub(crate) fn set_active(org: &mut Org, username: &str, active: bool) -> Result<(), Error> {
    let unknown = || Error::Unknown { what: "user", name: username.to_owned() };
    let id = org.user_named(username).ok_or_else(unknown)?;
    let object = org.object("User")?;
    let mut row = org.store.get("User", id).map(|row| (**row).clone()).ok_or_else(unknown)?;
    if let Some(at) = object.position("IsActive") {
        row.set(at, Value::Bool(active));
    }
    org.store.put(&object, id, row);
    org.store.commit();
    if !active {
        org.logins.expire_sessions(id);
    }
    Ok(())
}

/// Freezes a user, who then is as good as inactive, or lets the user in again.
pub(crate) fn set_frozen(org: &mut Org, username: &str, frozen: bool) -> Result<(), Error> {
    let id = org.user_named(username).ok_or_else(|| Error::Unknown { what: "user", name: username.to_owned() })?;
    if frozen {
        org.logins.frozen.insert(id);
        org.logins.expire_sessions(id);
    } else {
        org.logins.frozen.remove(&id);
    }
    Ok(())
}

/// Defines an outbound message after checking that its object, fields and address make sense.
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

/// Editions without outbound messages (Salesforce Help, "Outbound Message Considerations").
const WITHOUT_MESSAGES: [&str; 5] =
    ["Professional Edition", "Team Edition", "Base Edition", "Contact Manager Edition", "Personal Edition"];

/// Moves the org to another edition, as a new contract does: it has outbound messages from now on, or none.
pub(crate) fn set_edition(org: &mut Org, edition: &str) {
    org.features.outbound_messages = !WITHOUT_MESSAGES.contains(&edition);
    let Some(object) = org.schema.object("Organization").cloned() else { return };
    let row = org.store.get(&object.name, org.id).map(|row| Row::clone(row));
    if let (Some(mut row), Some(at)) = (row, object.position("OrganizationType")) {
        row.set(at, Value::text(edition));
        org.store.put(&object, org.id, row);
        org.store.commit();
    }
}

/// Sets what else there is to say about a definition.
pub(crate) fn configure_outbound_message(org: &mut Org, name: &str, settings: OutboundSettings) -> Result<(), Error> {
    if !rest::is_version(&settings.api_version) {
        return Err(Error::Unknown { what: "API version", name: settings.api_version });
    }
    if let Some(username) = &settings.integration_user {
        actor(org, username)?;
    }
    let unknown = || Error::Unknown { what: "outbound message", name: name.to_owned() };
    org.outbox.definition_mut(name).ok_or_else(unknown)?.settings = settings;
    Ok(())
}

/// Removes a definition and drops what it still had to send.
pub(crate) fn remove_outbound_message(org: &mut Org, name: &str) -> Result<(), Error> {
    let unknown = || Error::Unknown { what: "outbound message", name: name.to_owned() };
    let action_id = org.outbox.definition_mut(name).ok_or_else(unknown)?.action_id;
    org.outbox.undefine(action_id);
    Ok(())
}

/// Gives a user "Send Outbound Messages", or takes it away.
pub(crate) fn set_sends_outbound_messages(org: &mut Org, username: &str, sends: bool) -> Result<(), Error> {
    let user = org.user_named(username).ok_or_else(|| Error::Unknown { what: "user", name: username.to_owned() })?;
    if sends {
        org.outbox.silent_users.remove(&user)
    } else {
        org.outbox.silent_users.insert(user)
    };
    Ok(())
}

/// Live records by object; objects without any are left out.
pub(crate) fn record_counts(org: &Org) -> BTreeMap<String, usize> {
    let count = |name: &str| org.store.table(name).map_or(0, crate::model::store::Table::live);
    org.schema.objects().map(|object| (object.name.clone(), count(&object.name))).filter(|(_, n)| *n > 0).collect()
}

/// All fields of a record, deleted or not.
pub(crate) fn record(org: &Org, object: &str, id: &str) -> Option<Map<String, Json>> {
    let object = org.schema.object(object)?;
    let row = org.store.get(&object.name, RecordId::parse(id)?)?;
    Some(org.render_all(object, row, "66.0"))
}

/// Runs a write as one transaction.
pub(crate) fn transaction<T>(org: &mut Org, write: impl FnOnce(&mut Org) -> Result<T, Error>) -> Result<T, Error> {
    let start = org.savepoint();
    let outcome = write(org);
    if outcome.is_err() {
        org.rollback(&start);
    }
    org.store.commit();
    outcome
}

fn unknown_app(client_id: &str) -> Error {
    Error::Unknown { what: "app", name: client_id.to_owned() }
}

/// Sets what the vendor settles for an app.
pub(crate) fn set_app_settings(realm: &Realm, client_id: &str, settings: AppSettings) -> Result<(), Error> {
    if settings.certificate.as_deref().is_some_and(|pem| !oauth::is_certificate(pem)) {
        let reason = "it is neither a certificate nor a public key in PEM".to_owned();
        return Err(Error::Invalid { what: "app's certificate", reason });
    }
    realm.apps().change(client_id, |app| app.settings = settings).ok_or_else(|| unknown_app(client_id))
}

/// Sets what an org's administrator settles for an app.
pub(crate) fn set_app_policy(shared: &Shared, client_id: &str, policy: AppPolicy) -> Result<(), Error> {
    shared.realm.apps().get(client_id).ok_or_else(|| unknown_app(client_id))?;
    shared.org().logins.set_policy(client_id, policy);
    Ok(())
}

/// Gives an app a second secret.
pub(crate) fn rotate_app_secret(shared: &Shared, client_id: &str) -> Result<String, Error> {
    let secret = shared.org().random.text();
    let rotated = shared.realm.apps().change(client_id, |app| {
        app.older_secret = Some(std::mem::replace(&mut app.secret, secret.clone()));
    });
    rotated.map(|()| secret).ok_or_else(|| unknown_app(client_id))
}

/// Ends an app's older secret and, as applying a rotation does, all its tokens.
pub(crate) fn delete_older_app_secret(realm: &Realm, client_id: &str) -> Result<(), Error> {
    realm.apps().change(client_id, |app| app.older_secret = None).ok_or_else(|| unknown_app(client_id))?;
    realm.orgs().iter().for_each(|shared| shared.org().logins.revoke_app(client_id));
    Ok(())
}

/// Reads the id of a record.
pub(crate) fn record_id(text: &str) -> Result<RecordId, Error> {
    RecordId::parse(text).ok_or_else(|| Error::Unknown { what: "record", name: text.to_owned() })
}

/// Makes an object private or public.
pub(crate) fn set_private(org: &mut Org, object: &str, private: bool) -> Result<(), Error> {
    let object = org.object(object)?;
    if !object.has_owner {
        return Err(Error::Unknown { what: "object with owners", name: object.name.clone() });
    }
    if private {
        org.private.insert(object.name.clone())
    } else {
        org.private.remove(&object.name)
    };
    Ok(())
}
