//! The protection of the secrets: their resource policy and their key.

use runtime::Chain;
use salesforce::OrgId;
use store::{ConnectionId, Tokens};

use crate::Deps;

/// Protects the secret of a connection unless its tokens are marked as protected, and returns the mark for the next tokens. A
/// failure is logged, and the next refresh tries again: the permissions of the roles still hold.
pub(crate) async fn protect(deps: &Deps, org: OrgId, connection: &ConnectionId, tokens: &Tokens) -> Option<String> {
    match deps.vault.protect(org, connection, tokens).await {
        Ok(mark) => mark,
        Err(error) => {
            tracing::warn!(org.id = %org, error = %Chain(&error), "could not protect the tokens of org {org}");
            tokens.protection.clone()
        }
    }
}
