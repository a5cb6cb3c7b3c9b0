//! The registered apps without their secrets.

use runtime::token_broker::{Apps, Response};
use store::apps::public;

use crate::{Deps, Error, Reply};

/// Reads the registrations and returns their public parts.
pub(crate) async fn list(deps: &Deps) -> Result<Reply, Error> {
    let apps = deps.apps.reload().await?;
    Ok(Reply::new(Response::Apps(Apps { apps: public(&apps).cloned().collect() })))
}
