//! The users of an org and their profiles.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::{ADMIN_PROFILE, Org};
use crate::model::people;
use crate::model::store::Row;
use crate::model::transaction::transaction;
use crate::model::value::Value;
use crate::model::write_options::WriteOptions;

/// A user of the org.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    /// 18-character id.
    pub id: String,
    /// Login name, unique.
    pub username: String,
    /// Display name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// May see and change everything.
    pub is_admin: bool,
    /// May log in.
    pub is_active: bool,
}

/// A user to add.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Login name, unique.
    pub username: String,
    /// First name, may be empty.
    #[serde(default)]
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address; the username when empty.
    #[serde(default)]
    pub email: String,
    /// May see and change everything.
    #[serde(default)]
    pub is_admin: bool,
    /// Name of the profile, which is created when it does not exist; when empty, `is_admin` decides.
    #[serde(default)]
    pub profile: String,
}

pub(crate) fn user(org: &Org, row: &Row) -> Option<User> {
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

/// Returns all users, in the order in which they were created.
pub(crate) fn users(org: &Org) -> Vec<User> {
    org.store.table("User").into_iter().flat_map(|table| table.rows()).filter_map(|row| user(org, row)).collect()
}

/// Returns the active user with a username as an actor.
pub(crate) fn actor(org: &Org, username: &str) -> Result<Actor, Error> {
    let user = org.user_named(username).and_then(|user| org.actor(user));
    user.ok_or_else(|| Error::Unknown { what: "active user", name: username.to_owned() })
}

/// Returns the first admin, as whom setup changes are made.
pub(crate) fn admin(org: &Org) -> Actor {
    let first = users(org).into_iter().find(|user| user.is_admin).and_then(|user| RecordId::parse(&user.id));
    let known = first.and_then(|user| org.actor(user));
    known.unwrap_or(Actor { user: org.id, profile: org.id, is_admin: true, write: WriteOptions::default() })
}

/// Adds a user. The username must be new.
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
    let author = Some(org.id);
    let id = transaction(org, |org| {
        let id = org.insert_row(author, "User", &fields);
        org.take_license()?;
        org.add_user_rights(id, profile);
        org.add_user_login(id);
        Ok(id)
    })?;
    let row = org.store.get("User", id).and_then(|row| user(org, row));
    row.ok_or_else(|| Error::Unknown { what: "user", name: new.username.clone() })
}

/// Activates or deactivates a user; deactivation ends the user's sessions.
pub(crate) fn set_active(org: &mut Org, username: &str, active: bool) -> Result<(), Error> {
    let id = transaction(org, |org| {
        let id = set_user_field(org, username, "IsActive", Value::Bool(active))?;
        org.take_license()?;
        Ok(id)
    })?;
    if !active {
        org.logins.expire_sessions(id);
    }
    Ok(())
}

/// Sets the Federation ID of a user.
pub(crate) fn set_federation_id(org: &mut Org, username: &str, federation_id: &str) -> Result<(), Error> {
    transaction(org, |org| set_user_field(org, username, "FederationIdentifier", Value::text(federation_id)).map(drop))
}

fn set_user_field(org: &mut Org, username: &str, field: &str, value: Value) -> Result<RecordId, Error> {
    let unknown = || Error::Unknown { what: "user", name: username.to_owned() };
    let id = org.user_named(username).ok_or_else(unknown)?;
    let object = org.object("User")?;
    let mut row = org.store.get("User", id).map(|row| (**row).clone()).ok_or_else(unknown)?;
    if let Some(at) = object.position(field) {
        row.set(at, value);
    }
    org.store.put(&object, id, row);
    Ok(id)
}

/// Freezes a user, who then cannot log in and whose sessions end, or unfreezes the user.
pub(crate) fn set_frozen(org: &mut Org, username: &str, frozen: bool) -> Result<(), Error> {
    let id = org.user_named(username).ok_or_else(|| Error::Unknown { what: "user", name: username.to_owned() })?;
    org.freeze(id, frozen);
    org.store.commit();
    Ok(())
}

/// Licenses of a new org, which a test can change.
const LICENSES: i64 = 1_000;
const LICENSE: &str = "UserLicense";

impl Org {
    /// Freezes or unfreezes a user, and shows it in `UserLogin`; a frozen user's sessions end.
    pub(crate) fn freeze(&mut self, user: RecordId, frozen: bool) {
        if frozen {
            self.logins.frozen.insert(user);
            self.logins.expire_sessions(user);
        } else {
            self.logins.frozen.remove(&user);
        }
        let shown = self.rows_below("UserLogin", "UserId", user).first().and_then(|row| row.id());
        if let Some(id) = shown {
            self.set_fields("UserLogin", id, &[("IsFrozen", Value::Bool(frozen))]);
        }
    }

    /// Adds the `UserLogin` of a user who has none.
    pub(crate) fn add_user_login(&mut self, user: RecordId) {
        if self.rows_below("UserLogin", "UserId", user).is_empty() {
            let frozen = Value::Bool(self.logins.frozen.contains(&user));
            self.insert_row(Some(user), "UserLogin", &[("UserId", Value::Id(user)), ("IsFrozen", frozen)]);
        }
    }

    /// Sets the number of users who may be active at the same time.
    pub(crate) fn set_licenses(&mut self, total: i64) {
        let id = self.license();
        self.set_fields(LICENSE, id, &[("TotalLicenses", Value::Int(total))]);
        self.store.commit();
    }

    /// Counts the licenses of the active users; `LICENSE_LIMIT_EXCEEDED` when there are more users than licenses.
    pub(crate) fn take_license(&mut self) -> Result<(), ApiError> {
        let (id, used) = (self.license(), self.active_users());
        let total = self.store.get(LICENSE, id).map(|row| self.value(LICENSE, row, "TotalLicenses").clone());
        if matches!(total, Some(Value::Int(total)) if used > total) {
            return Err(ApiError::new("LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded").no_fields());
        }
        self.set_fields(LICENSE, id, &[("UsedLicenses", Value::Int(used))]);
        Ok(())
    }

    /// Returns the org's license, which is created when it does not exist.
    fn license(&mut self) -> RecordId {
        let known = self.store.table(LICENSE).into_iter().flat_map(|table| table.rows()).find_map(|row| row.id());
        known.unwrap_or_else(|| {
            let fields = [
                ("Name", Value::text("Salesforce")),
                ("MasterLabel", Value::text("Salesforce")),
                ("LicenseDefinitionKey", Value::text("SFDC")),
                ("Status", Value::text("Active")),
                ("TotalLicenses", Value::Int(LICENSES)),
                ("UsedLicenses", Value::Int(0)),
            ];
            self.insert_row(None, LICENSE, &fields)
        })
    }

    fn active_users(&self) -> i64 {
        let users = self.store.table("User").into_iter().flat_map(|table| table.rows());
        let active = users.filter(|row| *self.value("User", row, "IsActive") == Value::Bool(true)).count();
        i64::try_from(active).unwrap_or(i64::MAX)
    }

    /// Returns the profile of admins or of standard users, which is created when it does not exist.
    pub(crate) fn profile(&mut self, is_admin: bool) -> RecordId {
        self.profile_named(if is_admin { ADMIN_PROFILE } else { "Standard User" })
    }

    /// Returns the profile with that name, which is created when it does not exist.
    pub(crate) fn profile_named(&mut self, name: &str) -> RecordId {
        match self.setup_record("Profile", "Name", name) {
            Some(row) => row.id().unwrap_or(self.id),
            None => {
                let fields = [("Name", Value::text(name)), ("UserType", Value::text("Standard"))];
                let profile = self.insert_setup("Profile", &fields);
                self.add_profile_rights(profile, name);
                profile
            }
        }
    }

    /// Returns an active user as an actor; `None` when the user does not exist or is inactive.
    pub(crate) fn actor(&self, user: RecordId) -> Option<Actor> {
        let row = self.store.get("User", user)?;
        if *self.value("User", row, "IsActive") != Value::Bool(true) {
            return None;
        }
        let profile = self.value("User", row, "ProfileId").as_id()?;
        let name = self.value("Profile", self.store.get("Profile", profile)?, "Name");
        Some(Actor { user, profile, is_admin: name.as_text() == ADMIN_PROFILE, write: WriteOptions::default() })
    }

    /// Returns the id of the user with a username.
    pub(crate) fn user_named(&self, username: &str) -> Option<RecordId> {
        self.setup_record("User", "Username", username)?.id()
    }

    /// Sets a user's password and security token; the token may be empty.
    pub(crate) fn set_password(&mut self, username: &str, password: &str, token: &str) -> Result<(), Error> {
        let user = people::actor(self, username)?.user;
        self.passwords.set(user, password, token);
        Ok(())
    }
}
