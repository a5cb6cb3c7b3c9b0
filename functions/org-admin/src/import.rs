//! Replaces the settings of an org for the operator's command line, by a direct invocation.

use runtime::{Outcome, Problem, Report};
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use store::OrgState;
use store::org_settings::Author;

use crate::settings::{self, Request, SettingsBody};
use crate::views::SettingsView;
use crate::{Deps, Error};

/// The settings that an operator imports. They replace the newest version, whichever it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    org_id: OrgId,
    settings: SettingsBody,
    #[serde(default)]
    dry_run: bool,
}

/// The reply to an [`Import`]: the settings that are stored or checked, or the reason for which they are not.
#[derive(Debug, Default, Serialize)]
pub struct Imported {
    #[serde(flatten)]
    settings: Option<SettingsView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

impl Report for Imported {
    fn outcome(&self) -> Outcome {
        if self.problem.is_none() { Outcome::Ok } else { Outcome::Refused }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// Checks and stores the settings.
///
/// # Errors
/// Those that a repetition may help.
pub async fn import(deps: &Deps, import: Import) -> Result<Imported, Error> {
    let Import { org_id, settings: body, dry_run } = import;
    match replace(deps, org_id, body, dry_run).await {
        Ok(settings) => Ok(Imported { settings: Some(settings), problem: None }),
        Err(error @ (Error::Refused(_) | Error::OrgNotActive(_))) => {
            Ok(Imported { settings: None, problem: Some(Problem::from(&error)) })
        }
        Err(error) => Err(error),
    }
}

async fn replace(deps: &Deps, org: OrgId, body: SettingsBody, dry_run: bool) -> Result<SettingsView, Error> {
    let org = deps.orgs.load(org).await?.ok_or(Error::OrgNotActive(OrgState::Claimed))?;
    let seen = deps.settings.load(org.org_id).await?.map_or(0, |latest| latest.version);
    settings::replace(deps, &org, Request { seen, body, author: Author::Operator, dry_run }).await
}
