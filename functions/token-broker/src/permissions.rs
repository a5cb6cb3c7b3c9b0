//! What the user of a new grant may do in the org, asked with the grant before it is kept: so that a reconnection that cannot
//! work leaves the old connection as it is.

use std::sync::Arc;

use runtime::Chain;
use runtime::token_broker::{ExchangeCode, RefusalCode};
use salesforce::{
    BoxFuture, Classify as _, Client, Error as Salesforce, Fingerprint, InstanceUrl, ObjectName, ObjectSummary, Retry,
    Session, Sessions, auth,
};
use store::{ConnectionKind, Tokens};

use crate::refusal::refuse;
use crate::{Deps, Reply};

const CONTENT_NOTE: &str = "ContentNote";
/// How many things are named; the others are counted.
const SHOWN: usize = 12;
/// The codes with which an org, or a profile, keeps its users from the API (`shared/salesforce/FACTS.md` 2.5).
const NO_API: [&str; 3] = ["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "API_DISABLED"];

/// What is known of the user.
pub(crate) struct User {
    /// The user's name in the org; none where it could not be asked.
    pub(crate) username: Option<String>,
}

/// Asks the org what the user may do, and who it is; the refusal names what is missing.
pub(crate) async fn check(deps: &Deps, exchange: &ExchangeCode, tokens: &Tokens) -> Result<User, Reply> {
    let instance_url = InstanceUrl::parse(&tokens.instance_url, deps.http.policy());
    let instance_url = instance_url.map_err(|_| crate::refusal::refused(RefusalCode::Untrusted))?;
    let session = Session { instance_url, access_token: tokens.access_token.clone() };
    let client = Client::new(deps.http.clone(), Arc::new(Fixed(session.clone())), deps.api_version);
    let (objects, info) = tokio::join!(client.describe_global(), auth::fetch_userinfo(&deps.http, &session));
    let missing = match (objects, &exchange.kind) {
        (Ok(objects), ConnectionKind::Team) => missing(&objects, &deps.mirrored_objects),
        (Ok(_), ConnectionKind::Personal { .. }) => Vec::new(),
        (Err(error), _) if NO_API.iter().any(|code| error.has_code(code)) => vec!["use the API".to_owned()],
        (Err(error), _) => return Err(not_known(&error)),
    };
    if !missing.is_empty() {
        return Err(refuse(RefusalCode::MissingPermissions, &named(&missing), Retry::NeedsHuman));
    }
    Ok(User { username: info.ok().and_then(|info| info.preferred_username) })
}

/// What a team connection needs and its user may not do. An org that has notes switched off has no ContentNote, and needs none.
fn missing(objects: &[ObjectSummary], wanted: &[ObjectName]) -> Vec<String> {
    let mut missing = Vec::new();
    for name in wanted {
        let object = objects.iter().find(|object| object.name == *name);
        let may = |right: fn(&ObjectSummary) -> bool| object.is_some_and(right);
        let rights = [
            ("read", may(|object| object.queryable)),
            ("create", may(|object| object.createable)),
            ("edit", may(|object| object.updateable)),
        ];
        missing.extend(rights.iter().filter(|(_, may)| !may).map(|(right, _)| format!("{right} {name}")));
    }
    let note = objects.iter().find(|object| object.name.as_str() == CONTENT_NOTE);
    missing.extend(note.filter(|note| !note.createable).map(|_| format!("create {CONTENT_NOTE}")));
    missing
}

/// A short list for a person.
fn named(missing: &[String]) -> String {
    let shown = missing.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match missing.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

/// An org that does not answer may be asked again; nothing was kept meanwhile.
fn not_known(error: &Salesforce) -> Reply {
    tracing::warn!(error = %Chain(error), "what the user may do could not be asked");
    match error.retry() {
        Retry::NeedsHuman => refuse(RefusalCode::MissingPermissions, "use the API", Retry::NeedsHuman),
        retry => refuse(RefusalCode::Unavailable, "the org did not say what the user may do", retry),
    }
}

/// The one session of a grant that nobody else knows of yet.
struct Fixed(Session);

impl Sessions for Fixed {
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
    use super::*;

    fn object(name: &str, rights: [bool; 3]) -> ObjectSummary {
        let [queryable, createable, updateable] = rights;
        ObjectSummary {
            name: name.parse().unwrap(),
            label: name.to_owned(),
            key_prefix: None,
            custom: false,
            queryable,
            createable,
            updateable,
            replicateable: true,
        }
    }

    fn wanted() -> Vec<ObjectName> {
        ["Account", "Lead"].map(|name| name.parse().unwrap()).to_vec()
    }

    #[test]
    fn who_may_do_all_of_it_lacks_nothing() {
        let objects = [object("Account", [true; 3]), object("Lead", [true; 3]), object("Case", [false; 3])];
        assert_eq!(missing(&objects, &wanted()), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_named() {
        let objects = [object("Account", [true, true, false]), object("ContentNote", [true, false, true])];
        let missing = missing(&objects, &wanted());
        assert_eq!(missing, ["edit Account", "read Lead", "create Lead", "edit Lead", "create ContentNote"]);
    }

    #[test]
    fn a_long_list_is_cut() {
        let many: Vec<String> = (0..15).map(|number| format!("read Custom_{number}__c")).collect();
        assert!(named(&many).ends_with("read Custom_11__c, and 3 more"));
        assert_eq!(named(&many[..2]), "read Custom_0__c, read Custom_1__c");
    }
}
