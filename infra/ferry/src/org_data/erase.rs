//! `cargo ferry erase`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use salesforce::OrgId;
use serde_json::json;
use store::{Erasure, ErasureState, Org, OrgState};

use crate::failure::Failure;
use crate::prompt;
use crate::screen;
use crate::stack::Stack;

/// Delete what Ferry stores of an org, and say what is left.
///
/// The mirror, the pipelines, the ledgers, the connections, the connect links and the dead letters of the org are deleted. An
/// active org is disconnected first. The deletion begins after 16 minutes, when no invocation that began earlier can store
/// rows any more, and goes on without this command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo ferry export --org 00D5e000000KQ2eEAG --to ./acme
  cargo ferry erase --org 00D5e000000KQ2eEAG
  cargo ferry erase --org 00D5e000000KQ2eEAG --yes --no-wait --json

Exit codes:
  0  erased; with --no-wait, started
  1  AWS could not be reached
  2  the org is unknown, or the prompt was declined
  3  erased in part: the org was connected again, or a grant could not be revoked")]
pub(crate) struct EraseArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Do not prompt.
    #[arg(long)]
    yes: bool,
    /// Start the erasure, or print its progress, and do not wait for its end.
    #[arg(long)]
    no_wait: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// The pause between two reads of the progress.
const PAUSE: Duration = Duration::from_secs(2);

/// Disconnects the org if it is active, starts its erasure and reports the outcome.
pub(crate) async fn erase(stack: &Stack, args: EraseArgs) -> Result<String, Failure> {
    let org = stack.load_org(args.org).await?;
    confirm(stack, &org, args.yes).await?;
    let unavailable = |error| stack.unavailable(&error);
    if org.state == OrgState::Active {
        // A connection that cannot be revoked now is revoked by the erasure.
        stack.disconnect().org(args.org).await.map_err(unavailable)?;
    }
    let tasks = stack.erasure_tasks().await.map_err(unavailable)?;
    let started = stack.erasures().start(&tasks, args.org, None, stack.clock().now()).await.map_err(unavailable)?;
    let erasure = if args.no_wait { started } else { wait(stack, started).await? };
    let text = if args.json { format!("{:#}", view(&erasure)) } else { report(&erasure) };
    match erasure.state == ErasureState::Stopped || erasure.connections_left > 0 {
        true => Err(Failure::Unfinished(text)),
        false => Ok(text),
    }
}

/// Waits for the end of the erasure.
async fn wait(stack: &Stack, mut erasure: Erasure) -> Result<Erasure, Failure> {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    while !erasure.is_over() {
        spinner.set_message(progress(&erasure));
        tokio::time::sleep(PAUSE).await;
        let loaded = stack.erasures().load(erasure.org_id, erasure.erasure_id).await;
        erasure = loaded.map_err(|error| stack.unavailable(&error))?.unwrap_or(erasure);
    }
    spinner.finish_and_clear();
    Ok(erasure)
}

fn progress(erasure: &Erasure) -> String {
    match erasure.state {
        ErasureState::Waiting => format!(
            "Org {} is erased from {} on. Ctrl-C ends this command, not the erasure",
            erasure.org_id,
            screen::time(erasure.begins_at)
        ),
        _ => format!("Erasing org {}: {} deleted", erasure.org_id, rows(erasure)),
    }
}

fn rows(erasure: &Erasure) -> String {
    let deleted = erasure.deleted.values().sum::<u64>();
    screen::counted(usize::try_from(deleted).unwrap_or(usize::MAX), "row", "rows")
}

fn view(erasure: &Erasure) -> serde_json::Value {
    json!({
        "org_id": erasure.org_id,
        "erasure_id": erasure.erasure_id,
        "state": erasure.state,
        "begins_at": store::time::format(erasure.begins_at),
        "deleted": erasure.deleted,
        "left": erasure.left(),
    })
}

fn report(erasure: &Erasure) -> String {
    let org = erasure.org_id;
    let mut text = match erasure.state {
        ErasureState::Finished => format!("The data of org {org} are erased: {}.", rows(erasure)),
        ErasureState::Stopped => format!("The erasure of org {org} was stopped."),
        ErasureState::Running => format!("The erasure of org {org} is running: {} deleted so far.", rows(erasure)),
        ErasureState::Waiting => {
            format!("The data of org {org} are erased from {} on.", screen::time(erasure.begins_at))
        }
    };
    if !erasure.deleted.is_empty() {
        let mut table = screen::table(["Table", "Deleted"]);
        for (what, deleted) in &erasure.deleted {
            table.add_row([what.clone(), screen::number(usize::try_from(*deleted).unwrap_or(usize::MAX))]);
        }
        let _ = write!(text, "\n\n{table}");
    }
    let mut table = screen::table(["Left", "Note"]);
    for left in erasure.left() {
        table.add_row([left.what, left.note]);
    }
    let _ = write!(text, "\n\n{table}");
    text
}

/// Says what is deleted, and prompts for the org's id.
async fn confirm(stack: &Stack, org: &Org, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let unavailable = |error| stack.unavailable(&error);
    let cursors = stack.cursors().list(org.org_id).await.map_err(unavailable)?;
    let connections = stack.connections().list(org.org_id).await.map_err(unavailable)?.len();
    let mut objects: Vec<String> = cursors.iter().map(|cursor| cursor.cursor_name.to_string()).collect();
    objects = objects.iter().filter_map(|name| Some(name.split_once('/')?.1.to_owned())).collect();
    objects.sort_unstable();
    objects.dedup();
    let objects = if objects.is_empty() { String::new() } else { format!(" ({})", objects.join(", ")) };
    let first = if org.state == OrgState::Active { "The org is active and is disconnected first. " } else { "" };
    let question = format!(
        "{first}This deletes all mirrored records{objects}, pipelines, ledgers, {} and links of org {}. It cannot be undone. Type \
         the org id:",
        screen::counted(connections, "connection", "connections"),
        org.org_id
    );
    prompt::confirm(&question, yes, |typed| typed.parse::<OrgId>().is_ok_and(|typed| typed == org.org_id))
}
