//! The users of an org, and the Salesforce user of a platform user.

use std::collections::HashMap;

use mirroring::OrgMirror;
use runtime::{Caller, Criterion, Schema};
use salesforce::soql::{Condition, eq, gt};
use salesforce::{FieldName, JsonObject, ObjectName, OrgId, Record, RecordId, Soql};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::{Connected, FoundUser, KnownBy, RouteError, UserKey};
use store::{ConnectionKind, Org, PlatformUser};

use crate::lists;
use crate::live::LiveReader;
use crate::views::{Freshness, Source};
use crate::{Deps, Error};

const USER: ObjectName = ObjectName::from_static("User");
const IS_ACTIVE: FieldName = FieldName::from_static("IsActive");
/// The fields of a user, if the connection's user may see them.
const FIELDS: [&str; 9] =
    ["Id", "Name", "Username", "Email", "FederationIdentifier", "IsActive", "UserType", "ProfileId", "UserRoleId"];

/// The query parameters of the list of users.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsersQuery {
    active: Option<bool>,
    limit: Option<u16>,
    after: Option<RecordId>,
    /// The acting user.
    #[serde(rename = "as")]
    pub(crate) user: Option<PlatformUser>,
}

/// A page of users.
#[derive(Debug, Serialize)]
pub(crate) struct UsersView {
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    freshness: Option<Freshness>,
    users: Vec<UserView>,
    next: Option<RecordId>,
}

/// A Salesforce user. A field that is hidden from the connection's user is null.
#[derive(Debug, Serialize)]
struct UserView {
    id: RecordId,
    name: Option<String>,
    username: Option<String>,
    email: Option<String>,
    federation_id: Option<String>,
    active: Option<bool>,
    user_type: Option<String>,
    profile_id: Option<String>,
    role_id: Option<String>,
    /// The users of the platform who are mapped to this user or have connected as this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_users: Option<Vec<PersonView>>,
}

/// A user of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PersonView {
    platform_user: PlatformUser,
    known_by: KnownBy,
    /// The state of the person's connection.
    connection: Option<&'static str>,
}

/// The Salesforce user of a platform user.
#[derive(Debug, Serialize)]
pub(crate) struct IdentityView {
    platform_user: PlatformUser,
    known_by: KnownBy,
    /// The field that is the platform's user id, after a look-up.
    matched_by: Option<Criterion>,
    state: IdentityState,
    /// The remedy if nothing can be written in the person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
    user: Option<UserView>,
    connection: Option<&'static str>,
}

/// The outcome of finding the Salesforce user of a platform user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum IdentityState {
    Active,
    Inactive,
    /// Several active users have the platform's user id.
    Ambiguous,
    /// No user has it, or the user is hidden from the connection's user.
    NotFound,
}

impl IdentityState {
    fn next(self) -> Option<&'static str> {
        let refusal = match self {
            Self::Active => return None,
            Self::Inactive => RouteError::RepInactive,
            Self::Ambiguous => RouteError::RepAmbiguous,
            Self::NotFound => RouteError::RepUnknown,
        };
        Some(refusal.next())
    }
}

impl UserView {
    fn new(id: RecordId, fields: &JsonObject) -> Self {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            id,
            name: text("Name"),
            username: text("Username"),
            email: text("Email"),
            federation_id: text("FederationIdentifier"),
            active: fields.get(IS_ACTIVE.as_str()).and_then(Value::as_bool),
            user_type: text("UserType"),
            profile_id: text("ProfileId"),
            role_id: text("UserRoleId"),
            platform_users: None,
        }
    }
}

/// Lists a page of the org's users, by id: from the mirror, or from Salesforce as the acting user, or through the team's
/// connection if users are not mirrored.
pub(crate) async fn list(deps: &Deps, org: &Org, caller: &Caller, query: UsersQuery) -> Result<UsersView, Error> {
    let limit = crate::http::limit(query.limit)?;
    let org_mirror = crate::mirror::of(deps, org.org_id).await?;
    let mut view = match &query.user {
        None if org_mirror.has(&USER) => from_mirror(deps, (org, &org_mirror), &query, limit).await?,
        user => from_salesforce(deps, org, user.as_ref(), &query, limit).await?,
    };
    let people = people(deps, org.org_id, caller).await?;
    for user in &mut view.users {
        user.platform_users = Some(people.get(&user.id).cloned().unwrap_or_default());
    }
    Ok(view)
}

async fn from_mirror(
    deps: &Deps,
    (org, org_mirror): (&Org, &OrgMirror),
    query: &UsersQuery,
    limit: u16,
) -> Result<UsersView, Error> {
    crate::http::require_served(deps, org)?;
    let values: Vec<_> = query.active.map(|active| (IS_ACTIVE, active.to_string())).into_iter().collect();
    let (rows, next) =
        lists::mirrored_with(deps, (org.org_id, &USER, org_mirror), &values, (query.after, limit)).await?;
    Ok(UsersView {
        source: Source::Mirror,
        freshness: Some(Freshness::of(&USER, &deps.cursors.list(org.org_id).await?)),
        users: rows.iter().map(|row| UserView::new(row.record_id, &row.fields)).collect(),
        next,
    })
}

async fn from_salesforce(
    deps: &Deps,
    org: &Org,
    user: Option<&PlatformUser>,
    query: &UsersQuery,
    limit: u16,
) -> Result<UsersView, Error> {
    let reader = LiveReader::open(deps, org, user).await?;
    let after = query.after.map(|after| gt(&FieldName::ID, after));
    let active = query.active.map(|active| eq(&IS_ACTIVE, active));
    let condition = [after, active].into_iter().flatten().reduce(Condition::and);
    let mut rows = users(&reader, condition, u32::from(limit) + 1).await?;
    let more = rows.len() > usize::from(limit);
    rows.truncate(usize::from(limit));
    Ok(UsersView {
        source: if user.is_some() { Source::Salesforce } else { Source::Team },
        freshness: None,
        next: rows.last().filter(|_| more).map(|row| row.id),
        users: rows.iter().map(|row| UserView::new(row.id, &row.fields)).collect(),
    })
}

/// Fetches users with the fields that the connection's user may see, in the order of their ids.
async fn users(reader: &LiveReader<'_>, condition: Option<Condition>, limit: u32) -> Result<Vec<Record>, Error> {
    let plan = |schema: &Schema| {
        schema.object(&USER).ok_or(Error::ObjectHidden(USER))?;
        let query = Soql::select(&schema.visible(&USER, &FIELDS)).from(&USER);
        let query = condition.iter().fold(query, |query, condition| query.where_(condition.clone()));
        Ok(vec![query.order_by(&FieldName::ID).limit(limit)])
    };
    let (_, mut pages) = reader.query(&[USER], plan).await?;
    Ok(pages.pop().ok_or(Error::NotFound("page"))??.records)
}

/// Returns the platform's users by their Salesforce users: those of the tenant, or the caller alone.
async fn people(deps: &Deps, org: OrgId, caller: &Caller) -> Result<HashMap<RecordId, Vec<PersonView>>, Error> {
    let mut people: HashMap<PlatformUser, (RecordId, PersonView)> = HashMap::new();
    for connection in deps.connections.list(org).await?.into_iter().filter(|row| row.tenant == caller.tenant) {
        let shown = crate::connections::is_connection(&connection.state).then(|| connection.shown_state());
        if let (ConnectionKind::Personal { platform_user }, Some(state)) = (connection.kind, shown) {
            let known_by = KnownBy::Connection;
            let person = PersonView { platform_user: platform_user.clone(), known_by, connection: Some(state) };
            people.insert(platform_user, (connection.user_id, person));
        }
    }
    for mapping in deps.user_mappings.list(org).await?.into_iter().filter(|row| row.tenant == caller.tenant) {
        let platform_user = mapping.platform_user;
        let connection = people.get(&platform_user).and_then(|(_, person)| person.connection);
        let person = PersonView { platform_user: platform_user.clone(), known_by: KnownBy::Mapping, connection };
        people.insert(platform_user, (mapping.user_id, person));
    }
    let mut by_user: HashMap<RecordId, Vec<PersonView>> = HashMap::new();
    for (platform_user, (user, person)) in people {
        if caller.sees_only().is_none_or(|only| *only == platform_user) {
            by_user.entry(user).or_default().push(person);
        }
    }
    for people in by_user.values_mut() {
        people.sort_by(|one, other| one.platform_user.as_str().cmp(other.platform_user.as_str()));
    }
    Ok(by_user)
}

/// Finds the Salesforce user of a platform user, by the rule of the owner policy. The platform reads through the team's
/// connection, a user's own token through that user's.
pub(crate) async fn show(
    deps: &Deps,
    org: &Org,
    caller: &Caller,
    platform_user: PlatformUser,
) -> Result<IdentityView, Error> {
    let reader = LiveReader::open(deps, org, caller.user.as_ref()).await?;
    let connected = Connected::load(&deps.connections, &deps.user_mappings, org.org_id, Some(&platform_user)).await?;
    let (key, known_by) = connected.user().ok_or(Error::NotFound("user"))?;
    let (id, mut state) = match key {
        UserKey::Id(id) => (Some(id), IdentityState::NotFound),
        key @ UserKey::PlatformUser(_) => match reader.find_user(key).await? {
            FoundUser::Active(id) => (Some(id), IdentityState::NotFound),
            FoundUser::Inactive => (None, IdentityState::Inactive),
            FoundUser::Several => (None, IdentityState::Ambiguous),
            FoundUser::NotFound => (None, IdentityState::NotFound),
        },
    };
    let row = match id {
        Some(id) => users(&reader, Some(eq(&FieldName::ID, id)), 1).await?.pop(),
        None => None,
    };
    if let Some(row) = &row {
        let is_active = row.fields.get(IS_ACTIVE.as_str()) == Some(&Value::Bool(true));
        state = if is_active { IdentityState::Active } else { IdentityState::Inactive };
    }
    let matched = row.as_ref().filter(|_| known_by == KnownBy::LookUp);
    Ok(IdentityView {
        matched_by: matched.and_then(|row| Criterion::of(row, &platform_user)),
        known_by,
        state,
        next: state.next(),
        user: row.map(|row| UserView::new(row.id, &row.fields)),
        connection: connected.rep().map(store::Connection::shown_state),
        platform_user,
    })
}
