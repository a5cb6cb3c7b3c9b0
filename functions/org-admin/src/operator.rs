//! Requests of the operator's command line, by direct invocation.

use runtime::{Outcome, Problem, Report};
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use store::org_settings::Author;
use store::{Org, OrgState};

use crate::backfills::{self, BackfillBody, RequestedBackfills};
use crate::settings::{self, Request, SettingsBody};
use crate::views::SettingsView;
use crate::{Deps, Error};

/// A request of an operator about an org.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Members")]
pub struct Operation {
    org_id: OrgId,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Replaces the newest version of the settings, whichever it is.
    Import { settings: SettingsBody, dry_run: bool },
    /// Queues backfills.
    Backfill(BackfillBody),
}

/// The members of an [`Operation`]. An untagged type would not read fractions, because `serde_json` keeps the digits of numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    org_id: OrgId,
    settings: Option<SettingsBody>,
    #[serde(default)]
    dry_run: bool,
    backfill: Option<BackfillBody>,
}

impl TryFrom<Members> for Operation {
    type Error = &'static str;

    fn try_from(Members { org_id, settings, dry_run, backfill }: Members) -> Result<Self, Self::Error> {
        let work = match (settings, backfill) {
            (Some(settings), None) => Work::Import { settings, dry_run },
            (None, Some(backfill)) => Work::Backfill(backfill),
            _ => return Err("expected either settings or backfill"),
        };
        Ok(Self { org_id, work })
    }
}

/// The reply to an [`Operation`]: what was done, or the reason for which nothing was.
#[derive(Debug, Serialize)]
pub struct Reply(Done);

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Done {
    /// The settings are stored or checked.
    Settings(Box<SettingsView>),
    /// The backfills are queued.
    Backfills(RequestedBackfills),
    /// Nothing was done.
    Nothing { problem: Box<Problem> },
}

impl Report for Reply {
    fn outcome(&self) -> Outcome {
        if matches!(self.0, Done::Nothing { .. }) { Outcome::Refused } else { Outcome::Ok }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// Does what an operator requests.
///
/// # Errors
/// Those that a repetition may help.
pub async fn operate(deps: &Deps, operation: Operation) -> Result<Reply, Error> {
    match carry_out(deps, operation).await {
        Err(error @ (Error::Refused(_) | Error::Invalid(_) | Error::OrgNotActive(_))) => {
            Ok(Reply(Done::Nothing { problem: Box::new(Problem::from(&error)) }))
        }
        done => done.map(Reply),
    }
}

async fn carry_out(deps: &Deps, Operation { org_id, work }: Operation) -> Result<Done, Error> {
    let org: Org = deps.orgs.load(org_id).await?.ok_or(Error::OrgNotActive(OrgState::Claimed))?;
    match work {
        Work::Import { settings: body, dry_run } => {
            let seen = deps.settings.load(org_id).await?.map_or(0, |latest| latest.version);
            let request = Request { seen, body, author: Author::Operator, dry_run };
            Ok(Done::Settings(Box::new(settings::replace(deps, &org, request).await?)))
        }
        Work::Backfill(body) => Ok(Done::Backfills(backfills::request(deps, &org, body).await?)),
    }
}
