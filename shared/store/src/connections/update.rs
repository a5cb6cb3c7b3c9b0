//! DynamoDB updates of a connection.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::{ConditionState, ConnectionKind, ConnectionState, Consent, LeaseOutcome, condition};
use crate::Error;
use crate::ids::TokenVersion;
use crate::table::{Update, number, text, to_item};
use crate::time;
use crate::token_vault::TokenGrant;

/// Returns the update for a consent whose tokens are in the vault.
pub(super) fn connected(
    operation: &'static str,
    consent: &Consent,
    tokens: &TokenVersion,
    now: Timestamp,
) -> Result<Update, Error> {
    let now = || text(time::format(now));
    let mut set = vec![
        ("tenant", text(consent.tenant.as_str())),
        ("user_id", text(consent.user_id.as_str())),
        ("app", text(&consent.app)),
        ("login_url", text(&consent.login_url)),
        ("instance_url", text(&consent.instance_url)),
        ("token_version", text(tokens.as_str())),
        ("state", text("active")),
        ("granted_at", text(time::format(consent.granted_at))),
        ("connected_at", now()),
        ("updated_at", now()),
    ];
    set.extend(consent.username.as_ref().map(|username| ("username", text(username))));
    match &consent.kind {
        ConnectionKind::Team => set.push(("kind", text("team"))),
        ConnectionKind::Personal { platform_user } => {
            set.extend([("kind", text("personal")), ("platform_user", text(platform_user.as_str()))]);
        }
    }
    let mut remove =
        vec!["reason", "pending", "refreshed_at", "lease_owner", "lease_deadline", "sunset_on", "sunset_warned_days"];
    remove.extend(condition::ATTRIBUTES);
    match &consent.rights {
        Some(rights) => set.push(("rights", AttributeValue::M(to_item(operation, rights)?))),
        None => remove.push("rights"),
    }
    Ok(Update { set, remove, ..Update::default() })
}

/// Returns the update for a new state.
pub(super) fn state_change(state: &ConnectionState, now: Timestamp) -> Update {
    let mut update = Update { set: vec![("updated_at", text(time::format(now)))], ..Update::default() };
    let (name, reason) = match state {
        ConnectionState::Active => ("active", None),
        ConnectionState::Uncertain => ("uncertain", None),
        ConnectionState::ReauthRequired { reason } => ("reauth_required", Some(reason)),
        ConnectionState::Revoked => ("revoked", None),
    };
    update.set.push(("state", text(name)));
    match reason {
        Some(reason) => update.set.push(("reason", text(reason))),
        None => update.remove.push("reason"),
    }
    if matches!(state, ConnectionState::ReauthRequired { .. } | ConnectionState::Revoked) {
        update.remove.extend(condition::ATTRIBUTES);
    }
    update
}

/// Adds a condition to an update, or its removal.
fn put_condition(update: &mut Update, condition: Option<ConditionState>) {
    match condition {
        Some(ConditionState { condition, since, reported, sessions_replaced }) => {
            update.set.extend([
                ("condition", text(condition.code())),
                ("condition_since", text(time::format(since))),
                ("condition_reported", AttributeValue::Bool(reported)),
                ("sessions_replaced", number(u64::from(sessions_replaced))),
            ]);
            update.remove.push(condition::FORMER_REPORTED);
        }
        None => update.remove.extend(condition::ATTRIBUTES),
    }
}

/// Returns the update for the outcome of a lease.
pub(super) fn settlement(settlement: &LeaseOutcome) -> Update {
    match settlement {
        LeaseOutcome::Unchanged => Update::default(),
        LeaseOutcome::StateChanged { state, now } => state_change(state, *now),
        LeaseOutcome::Failed { is_uncertain, condition, now } => {
            let mut update = match is_uncertain {
                true => state_change(&ConnectionState::Uncertain, *now),
                false => Update { set: vec![("updated_at", text(time::format(*now)))], ..Update::default() },
            };
            put_condition(&mut update, Some(*condition));
            update
        }
        LeaseOutcome::Refreshed { instance_url, token_version, grant, condition, now } => {
            let mut update = state_change(&ConnectionState::Active, *now);
            put_condition(&mut update, *condition);
            update.set.extend([
                ("instance_url", text(instance_url)),
                ("token_version", text(token_version.as_str())),
                ("refreshed_at", text(time::format(*now))),
            ]);
            if let Some(TokenGrant { user_id, app, login_url }) = grant {
                let user_id = text(user_id.as_str());
                update.set.extend([("user_id", user_id), ("app", text(app)), ("login_url", text(login_url))]);
            }
            update
        }
    }
}
