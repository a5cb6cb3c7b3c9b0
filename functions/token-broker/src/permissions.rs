//! Checks the permissions of a new grant's user before the grant replaces the connection's old one. A reconnection that would
//! not work leaves the connection unchanged.
//!
//! Of an object that is only mirrored, the team's user needs to read every record; of one that the platform writes, also create
//! and edit.

use std::sync::Arc;

use runtime::Chain;
use runtime::token_broker::{ExchangeCode, RefusalCode};
use salesforce::{
    BoxFuture, Classify as _, Client, Error as Salesforce, Fingerprint, InstanceUrl, ObjectSummary, RecordId, Retry,
    Session, Sessions, auth,
};
use store::{ConnectionKind, Tokens, UserRights};

use crate::refusal::refuse;
use crate::{Deps, Objects, Reply, TeamAccess, rights};

const CONTENT_NOTE: &str = "ContentNote";
/// The number of missing permissions that are named; the others are counted.
const SHOWN: usize = 12;
/// The error codes of an org or a profile without API access (`shared/salesforce/FACTS.md` 2.5).
const NO_API: [&str; 3] = ["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "API_DISABLED"];

/// The user of a grant.
pub(crate) struct User {
    /// The user name in the org; `None` if it could not be fetched.
    pub(crate) username: Option<String>,
    /// The rights of a team's user; `None` for a personal connection.
    pub(crate) rights: Option<UserRights>,
}

/// Fetches the user's object permissions, rights and user name. The refusal names the missing permissions.
pub(crate) async fn check(
    deps: &Deps,
    exchange: &ExchangeCode,
    user_id: RecordId,
    tokens: &Tokens,
) -> Result<User, Reply> {
    let instance_url = InstanceUrl::parse(&tokens.instance_url, deps.http.policy());
    let instance_url = instance_url.map_err(|_| crate::refusal::refused(RefusalCode::Untrusted))?;
    let session = Session { instance_url, access_token: tokens.access_token.clone() };
    let client = Client::new(deps.http.clone(), Arc::new(FixedSession(session.clone())), deps.api_version);
    let team = exchange.kind == ConnectionKind::Team;
    let rights =
        async { if team { rights::fetch(&client, user_id, &deps.objects.mirrored).await.map(Some) } else { Ok(None) } };
    let userinfo = auth::fetch_userinfo(&deps.http, &session);
    let (objects, rights, info) = tokio::join!(client.describe_global(), rights, userinfo);
    let (objects, rights) = match objects.and_then(|objects| Ok((objects, rights?))) {
        Ok(fetched) => fetched,
        Err(error) if NO_API.iter().any(|code| error.has_code(code)) => return Err(missing("use the API")),
        Err(error) => return Err(check_failed(&error)),
    };
    if let Some(rights) = &rights {
        let mut not_granted = missing_permissions(&objects, &deps.objects);
        // What the user may not read at all is named already.
        if deps.team_access == TeamAccess::Full && not_granted.is_empty() {
            not_granted.extend(missing_rights(rights));
        }
        if !not_granted.is_empty() {
            return Err(missing(&summarize(&not_granted)));
        }
    }
    Ok(User { username: info.ok().and_then(|info| info.preferred_username), rights })
}

fn missing(reason: &str) -> Reply {
    refuse(RefusalCode::MissingPermissions, reason, Retry::NeedsHuman)
}

/// Returns what to grant to a user who does not see every record.
fn missing_rights(rights: &UserRights) -> Option<String> {
    let objects: Vec<String> = rights.limited_objects.iter().map(ToString::to_string).collect();
    (!objects.is_empty()).then(|| {
        let objects = summarize(&objects);
        format!("View All Data, or View Setup and Configuration with View All Records on {objects}")
    })
}

/// Returns the permissions that a team connection needs and its user does not have. An org in which notes are disabled has no
/// ContentNote, so that one is not required.
fn missing_permissions(objects: &[ObjectSummary], required: &Objects) -> Vec<String> {
    let mut missing = Vec::new();
    for name in &required.mirrored {
        let object = objects.iter().find(|object| object.name == *name);
        let has = |permission: fn(&ObjectSummary) -> bool| object.is_some_and(permission);
        let mut permissions = vec![("read", has(|object| object.queryable))];
        if required.written.contains(name) {
            permissions.push(("create", has(|object| object.createable)));
            permissions.push(("edit", has(|object| object.updateable)));
        }
        missing.extend(permissions.iter().filter(|(_, has)| !has).map(|(verb, _)| format!("{verb} {name}")));
    }
    let note = objects.iter().find(|object| object.name.as_str() == CONTENT_NOTE);
    missing.extend(note.filter(|note| !note.createable).map(|_| format!("create {CONTENT_NOTE}")));
    missing
}

/// Returns a short list for the failure page.
fn summarize(missing: &[String]) -> String {
    let shown = missing.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match missing.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

/// Returns the refusal for an org that did not return the permissions. The user may try again: nothing was stored.
fn check_failed(error: &Salesforce) -> Reply {
    tracing::warn!(error = %Chain(error), "could not check the permissions of a user");
    match error.retry() {
        Retry::NeedsHuman => refuse(RefusalCode::MissingPermissions, "use the API", Retry::NeedsHuman),
        retry => refuse(RefusalCode::Unavailable, "Salesforce did not return the permissions of the user", retry),
    }
}

/// A session that cannot be refreshed, because its grant is not stored yet.
struct FixedSession(Session);

impl Sessions for FixedSession {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Salesforce>> {
        Box::pin(async move {
            match refused {
                None => Ok(self.0.clone()),
                Some(_) => Err(Salesforce::SessionRefused { operation: "check the permissions" }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use salesforce::ObjectName;

    use super::*;

    fn object(name: &str, permissions: [bool; 3]) -> ObjectSummary {
        let [queryable, createable, updateable] = permissions;
        ObjectSummary {
            name: name.parse().unwrap(),
            label: name.to_owned(),
            key_prefix: None,
            custom: false,
            queryable,
            createable,
            updateable,
            deletable: false,
            undeletable: false,
            mergeable: false,
            replicateable: true,
        }
    }

    fn names(names: &[&str]) -> Vec<ObjectName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn required() -> Objects {
        Objects { mirrored: names(&["Account", "Lead"]), written: names(&["Account", "Lead"]) }
    }

    #[test]
    fn a_user_with_all_permissions_misses_none() {
        let objects = [object("Account", [true; 3]), object("Lead", [true; 3]), object("Case", [false; 3])];
        assert_eq!(missing_permissions(&objects, &required()), Vec::<String>::new());
    }

    #[test]
    fn missing_permissions_are_named() {
        let objects = [object("Account", [true, true, false]), object("ContentNote", [true, false, true])];
        let missing = missing_permissions(&objects, &required());
        assert_eq!(missing, ["edit Account", "read Lead", "create Lead", "edit Lead", "create ContentNote"]);
    }

    #[test]
    fn what_is_only_mirrored_needs_read_only() {
        let required = Objects { mirrored: names(&["Account", "User", "RecordType"]), written: names(&["Account"]) };
        let objects = [
            object("Account", [true; 3]),
            object("User", [true, false, true]),
            object("RecordType", [true, false, false]),
        ];
        assert_eq!(missing_permissions(&objects, &required), Vec::<String>::new());
        assert_eq!(missing_permissions(&objects[..2], &required), ["read RecordType"]);
    }

    #[test]
    fn a_user_who_does_not_see_everything_learns_what_to_grant() {
        let rights = |limited: &[&str]| UserRights { administrator: false, limited_objects: names(limited) };
        assert_eq!(missing_rights(&rights(&[])), None);
        let missing = missing_rights(&rights(&["Account", "Lead"])).unwrap();
        assert_eq!(missing, "View All Data, or View Setup and Configuration with View All Records on Account, Lead");
    }

    #[test]
    fn a_long_list_is_cut() {
        let many: Vec<String> = (0..15).map(|number| format!("read Custom_{number}__c")).collect();
        assert!(summarize(&many).ends_with("read Custom_11__c, and 3 more"));
        assert_eq!(summarize(&many[..2]), "read Custom_0__c, read Custom_1__c");
    }
}
