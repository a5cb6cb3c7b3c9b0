//! `cargo ferry settings`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use salesforce::OrgId;
use serde_json::{Value, json};
use store::OrgSettings;

use super::operate;
use crate::failure::Failure;
use crate::screen;
use crate::stack::Stack;

/// Copy the settings of an org to another one, for example from a sandbox to production.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Export(ExportArgs),
    Import(ImportArgs),
}

/// Print the settings of an org as JSON, or write them to a file.
///
/// Settings that are not set, and so have their defaults, are left out.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  cargo ferry settings export --org 00D5e000000KQ2eEAG --to settings.json

Exit codes:
  0  printed or written
  1  AWS could not be reached
  2  the org is unknown, or the file could not be written")]
pub(crate) struct ExportArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// File to write; standard output by default.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Replace the settings of an org by those of a file.
///
/// The settings are checked against the org. If it does not accept them, nothing is stored, and everything that has to change
/// is listed. The org must be active.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo ferry settings import --org 00D5e000000KQ2eEAG --from settings.json --dry-run
  cargo ferry settings import --org 00D5e000000KQ2eEAG --from settings.json

Exit codes:
  0  stored; with --dry-run, checked
  1  AWS or Salesforce could not be reached
  2  the org is unknown or not active, the file is invalid, or the org does not accept the settings")]
pub(crate) struct ImportArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// File to read.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Check the settings and print what they would change.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of a list.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &Stack, command: Command) -> Result<String, Failure> {
    match command {
        Command::Export(args) => export(stack, args).await,
        Command::Import(args) => import(stack, args).await,
    }
}

async fn export(stack: &Stack, args: ExportArgs) -> Result<String, Failure> {
    let org = stack.load_org(args.org).await?.org_id;
    let version = stack.settings().load(org).await.map_err(|error| stack.unavailable(&error))?;
    let settings = version.map(|version| version.settings).unwrap_or_default();
    let text = format!("{:#}", json!(settings));
    let Some(path) = args.to else { return Ok(text) };
    std::fs::write(&path, format!("{text}\n")).map_err(|error| unusable(&path, &error))?;
    Ok(format!("The settings of org {org} are in {}.", path.display()))
}

async fn import(stack: &Stack, args: ImportArgs) -> Result<String, Failure> {
    let org = stack.load_org(args.org).await?.org_id;
    let text = std::fs::read_to_string(&args.from).map_err(|error| unusable(&args.from, &error))?;
    // A file that is invalid by itself is refused without a call; the function checks it against the org.
    let settings: OrgSettings = serde_json::from_str(&text).map_err(|error| unusable(&args.from, &error))?;
    let request = json!({ "org_id": org, "settings": settings, "dry_run": args.dry_run });
    let reply = operate(stack, org, &request).await?;
    Ok(if args.json { format!("{reply:#}") } else { report(org, &reply, args.dry_run) })
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::BadInput(format!("{} cannot be used: {error}", path.display()))
}

/// Lists what changed.
fn report(org: OrgId, reply: &Value, dry_run: bool) -> String {
    let changes: Vec<&Value> = reply.get("changes").and_then(Value::as_array).into_iter().flatten().collect();
    if changes.is_empty() {
        return format!("Org {org} has these settings already.");
    }
    let changed = screen::counted(changes.len(), "setting", "settings");
    let verb = if dry_run { "would change" } else { "changed" };
    let line = |change: &&Value| {
        let shown = |name| match change.get(name) {
            None | Some(Value::Null) => "the default".to_owned(),
            Some(value) => value.to_string(),
        };
        let name = change.get("setting").and_then(Value::as_str).unwrap_or_default();
        format!("\n  {name}: {} -> {}", shown("before"), shown("after"))
    };
    format!("{changed} of org {org} {verb}:{}", changes.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org() -> OrgId {
        "00D5e000000KQ2eEAG".parse().unwrap()
    }

    #[test]
    fn a_report_lists_each_change() {
        let changes = json!([{ "setting": "poll_minutes", "before": null, "after": 30 }]);
        let text = report(org(), &json!({ "changes": changes }), true);
        assert_eq!(text, "1 setting of org 00D5e000000KQ2eEAG would change:\n  poll_minutes: the default -> 30");
        assert!(report(org(), &json!({ "changes": [] }), false).contains("already"));
    }
}
