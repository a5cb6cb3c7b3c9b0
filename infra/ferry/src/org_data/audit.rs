//! `cargo ferry audit`.

use clap::Args;
use salesforce::{ObjectName, OrgId};
use serde_json::json;
use store::{Audit, AuditState, OrgState, RefreshKind, RefreshTask};

use crate::failure::Failure;
use crate::screen;
use crate::stack::Stack;

/// Show the last audit of each object of an org, or request audits.
///
/// An audit compares every row of an object's mirror with the org, and repairs what differs. It is made every night after the
/// object's refresh, and costs an API call for every 2,000 records, and above 20,000 records one for every 50,000. An audit is
/// green if every row is compared and every difference is repaired. Times are in UTC.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo ferry audit --org 00D5e000000KQ2eEAG
  cargo ferry audit --org 00D5e000000KQ2eEAG --object Contact --now

Exit codes:
  0  shown, and all are green; or requested
  1  AWS could not be reached
  2  the org is unknown or not active
  3  shown, and not all are green")]
pub(crate) struct AuditArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Only this object, as Salesforce spells it.
    #[arg(long, value_name = "OBJECT")]
    object: Option<ObjectName>,
    /// Request an audit, of one object or of all mirrored ones, instead of showing the last ones.
    #[arg(long)]
    now: bool,
    /// Delete all records from the mirror that Salesforce no longer returns, however many they are.
    #[arg(long, requires_all = ["now", "object"])]
    confirm: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Shows or requests audits.
pub(crate) async fn audit(stack: &Stack, args: AuditArgs) -> Result<String, Failure> {
    let org = stack.load_org(args.org).await?;
    if args.now {
        if org.state != OrgState::Active {
            return Err(Failure::BadInput(format!("org {} is not active; it has no audits", args.org)));
        }
        return request(stack, &args).await;
    }
    let audits = stack.audits().last(args.org).await.map_err(|error| stack.unavailable(&error))?;
    let is_wanted = |audit: &Audit| args.object.as_ref().is_none_or(|object| *object == audit.object);
    let audits: Vec<Audit> = audits.into_iter().filter(is_wanted).collect();
    let is_green = !audits.is_empty() && audits.iter().all(Audit::is_green);
    let shown = if args.json {
        let audits: Vec<runtime::AuditView> = audits.into_iter().map(Into::into).collect();
        format!("{:#}", json!({ "org_id": args.org, "green": is_green, "audits": audits }))
    } else {
        report(&args, &audits)
    };
    if is_green { Ok(shown) } else { Err(Failure::Unfinished(shown)) }
}

async fn request(stack: &Stack, args: &AuditArgs) -> Result<String, Failure> {
    let kind = if args.confirm { RefreshKind::ConfirmedAudit } else { RefreshKind::Audit };
    let requested_at = stack.clock().now();
    let task = RefreshTask { object: args.object.clone(), ..RefreshTask::new(args.org, kind, requested_at) };
    let queue = stack.refreshes().await.map_err(|error| stack.unavailable(&error))?;
    queue.send(&task, std::time::Duration::ZERO).await.map_err(|error| stack.unavailable(&error))?;
    let of = args.object.as_ref().map_or_else(|| "all mirrored objects".to_owned(), ToString::to_string);
    Ok(if args.json {
        format!("{:#}", json!({ "org_id": args.org, "object": args.object, "requested_at": requested_at }))
    } else {
        format!("An audit of {of} in org {} is requested. `cargo ferry audit --org {}` shows it.", args.org, args.org)
    })
}

fn report(args: &AuditArgs, audits: &[Audit]) -> String {
    if audits.is_empty() {
        let of = args.object.as_ref().map(|object| format!(" of {object}")).unwrap_or_default();
        return format!("No audit{of} in org {} yet; --now requests one.", args.org);
    }
    let mut table = screen::table(["Object, begun", "Result", "Compared", "Differences", "Calls"]);
    for audit in audits {
        table.add_row(cells(audit));
    }
    let green = audits.iter().filter(|audit| audit.is_green()).count();
    format!("{table}\n\n{green} of {} green", screen::counted(audits.len(), "audit", "audits"))
}

fn cells(audit: &Audit) -> [String; 5] {
    let counts = &audit.counts;
    let result = match (audit.state, audit.is_green()) {
        (AuditState::Finished, true) => "green".to_owned(),
        (AuditState::Finished, false) => "not all repaired".to_owned(),
        (AuditState::Running, _) => "running".to_owned(),
        (AuditState::Unfinished, _) => format!("unfinished: {}", audit.reason.as_deref().unwrap_or("unknown")),
    };
    [
        format!("{}\n{}", audit.object, screen::time(audit.started_at)),
        result,
        format!("{} in the org\n{} in the mirror", number(counts.checked), number(counts.mirrored)),
        format!(
            "{} missing, {} surplus\n{} stale; {} repaired",
            number(counts.missing),
            number(counts.surplus),
            number(counts.stale),
            number(counts.repaired)
        ),
        number(counts.calls),
    ]
}

fn number(count: u64) -> String {
    screen::number(usize::try_from(count).unwrap_or(usize::MAX))
}
