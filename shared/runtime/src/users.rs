//! The Salesforce users of reps, as the team's connection finds them.

use jiff::SignedDuration;
use salesforce::soql::{Condition, eq};
use salesforce::{Client, Clock, Error, FieldName, ObjectName, OrgId, Record, RecordId, Soql};
use serde::Serialize;
use serde_json::Value;
use store::PlatformUser;
use store::owner_policy::{FoundUser, UserKey};

use crate::Cache;

const USER: ObjectName = ObjectName::from_static("User");
const FEDERATION_ID: FieldName = FieldName::from_static("FederationIdentifier");
const USERNAME: FieldName = FieldName::from_static("Username");
const EMAIL: FieldName = FieldName::from_static("Email");
/// The fields that are compared with the platform's user id, in this order.
const CRITERIA: [FieldName; 3] = [FEDERATION_ID, USERNAME, EMAIL];

/// The field of a Salesforce user that is the platform's user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The Federation ID.
    FederationId,
    /// The username.
    Username,
    /// The e-mail address.
    Email,
}

impl Criterion {
    /// Every criterion; the first that any user of the org meets decides.
    const ALL: [Self; 3] = [Self::FederationId, Self::Username, Self::Email];

    fn field(self) -> FieldName {
        match self {
            Self::FederationId => FEDERATION_ID,
            Self::Username => USERNAME,
            Self::Email => EMAIL,
        }
    }

    /// Returns whether the user meets it. The case of a Federation ID counts.
    fn is_met(self, user: &Record, platform_user: &PlatformUser) -> bool {
        let id = platform_user.as_str();
        let is_same =
            |text: &str| text == id || (self != Self::FederationId && text.to_lowercase() == id.to_lowercase());
        user.text(self.field().as_str()).is_some_and(is_same)
    }

    /// Returns the first criterion that the user meets.
    #[must_use]
    pub fn of(user: &Record, platform_user: &PlatformUser) -> Option<Self> {
        Self::ALL.into_iter().find(|criterion| criterion.is_met(user, platform_user))
    }
}
const IS_ACTIVE: FieldName = FieldName::from_static("IsActive");
const USER_TYPE: FieldName = FieldName::from_static("UserType");
/// The maximum number of users of one look-up. A result of this size may be cut, and is not a match.
const MAX_USERS: u32 = 200;
/// The time for which an active user is remembered.
const ACTIVE_TTL: SignedDuration = SignedDuration::from_mins(5);
/// The time for which any other result is remembered.
const OTHER_TTL: SignedDuration = SignedDuration::from_secs(30);

/// Looks up the Salesforce users of reps, and remembers them for a time. A look-up costs one API call.
#[derive(Clone, Debug)]
pub struct Users {
    found: Cache<(OrgId, UserKey), FoundUser>,
}

impl Users {
    /// Creates it without any known user.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { found: Cache::new(clock) }
    }

    /// Returns the remembered result of a look-up.
    #[must_use]
    pub fn known(&self, org: OrgId, key: &UserKey) -> Option<FoundUser> {
        self.found.get(&(org, key.clone()))
    }

    /// Looks a rep's user up through the team's connection. If Salesforce hides the Federation ID from the team's user, who may
    /// need the permission "Manage Users" to see it (unverified for the API), a second query goes without.
    ///
    /// # Errors
    /// Those of the query.
    pub async fn find(&self, team: &Client, org: OrgId, key: UserKey) -> Result<FoundUser, Error> {
        let page = match team.query(&query(&key, &CRITERIA)).await {
            Err(error) if error.has_code("INVALID_FIELD") => team.query(&query(&key, &CRITERIA[1..])).await,
            page => page,
        };
        let rows = page?.records;
        let found = match &key {
            UserKey::Id(_) => by_id(&rows),
            UserKey::PlatformUser(user) => by_platform_user(&rows, user),
        };
        let ttl = if matches!(found, FoundUser::Active(_)) { ACTIVE_TTL } else { OTHER_TTL };
        self.found.put((org, key), found, ttl);
        Ok(found)
    }

    /// Forgets a user whom Salesforce has refused as an owner.
    pub fn forget(&self, org: OrgId, user: RecordId) {
        self.found.remove_if(|(known, _), found| *known == org && *found == FoundUser::Active(user));
    }
}

/// Returns the query for the users of whom one of `criteria` is the platform's user id.
fn query(key: &UserKey, criteria: &[FieldName]) -> Soql {
    let mut fields = vec![FieldName::ID, IS_ACTIVE];
    let condition = match key {
        UserKey::Id(id) => eq(&FieldName::ID, id),
        UserKey::PlatformUser(user) => {
            fields.extend_from_slice(criteria);
            let is_user = criteria.iter().map(|field| eq(field, user.as_str())).reduce(Condition::or);
            let is_standard = eq(&USER_TYPE, "Standard");
            is_user.map_or(is_standard.clone(), |is_user| is_user.and(is_standard))
        }
    };
    Soql::select(&fields).from(&USER).where_(condition).order_by(&FieldName::ID).limit(MAX_USERS)
}

fn by_id(rows: &[Record]) -> FoundUser {
    match rows.first() {
        Some(row) if is_active(row) => FoundUser::Active(row.id),
        Some(_) => FoundUser::Inactive,
        None => FoundUser::NotFound,
    }
}

/// Chooses the user of a rep. Of Federation ID, username and e-mail the first that matches any user decides, so that an e-mail
/// cannot outweigh a Federation ID.
fn by_platform_user(rows: &[Record], user: &PlatformUser) -> FoundUser {
    if rows.len() >= MAX_USERS as usize {
        return FoundUser::Several;
    }
    for criterion in Criterion::ALL {
        let matching: Vec<&Record> = rows.iter().filter(|row| criterion.is_met(row, user)).collect();
        let active: Vec<&&Record> = matching.iter().filter(|row| is_active(row)).collect();
        match active.as_slice() {
            [one] => return FoundUser::Active(one.id),
            [_, _, ..] => return FoundUser::Several,
            [] if !matching.is_empty() => return FoundUser::Inactive,
            [] => {}
        }
    }
    FoundUser::NotFound
}

fn is_active(row: &Record) -> bool {
    row.fields.get(IS_ACTIVE.as_str()) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests;
