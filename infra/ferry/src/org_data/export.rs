//! `cargo ferry export`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use salesforce::OrgId;
use serde_json::{Map, Value, json};
use store::OrgTable;

use crate::failure::Failure;
use crate::screen;
use crate::stack::Stack;

/// Write what Ferry stores of an org to files, without secrets.
///
/// Each table becomes a file of JSON lines. `manifest.json` is written last and has the number of lines of each file. Secrets,
/// tokens, connect links and hashes of webhook secrets are left out. The files can be read by you alone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  cargo ferry export --org 00D5e000000KQ2eEAG --to ./acme

Exit codes:
  0  exported
  1  AWS could not be reached, or a file could not be written
  2  the org is unknown, or the folder exists")]
pub(crate) struct ExportArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Folder to create.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// The exported tables. Links are not exported, because a link is a secret.
const TABLES: [OrgTable; 11] = [
    OrgTable::Records,
    OrgTable::Pipelines,
    OrgTable::Cursors,
    OrgTable::Deliveries,
    OrgTable::Writes,
    OrgTable::Origins,
    OrgTable::Budgets,
    OrgTable::Freshness,
    OrgTable::Users,
    OrgTable::OrgSettings,
    OrgTable::Audits,
];

/// The members of rows that are left out: secrets, and what only Ferry's own tables need.
const LEFT_OUT: [&str; 9] = [
    "webhook_secrets",
    "token_version",
    "pending",
    "lease_owner",
    "lease_deadline",
    "lease_fence",
    "partition",
    "expires_at",
    "revision",
];

/// The members that are stored as JSON text, and exported as JSON.
const JSON_TEXTS: [&str; 6] = ["fields", "request", "answer", "settings", "changed_by", "progress"];

/// Writes the files and reports the number of their lines.
pub(crate) async fn export(stack: &Stack, args: ExportArgs) -> Result<String, Failure> {
    let org = stack.load_org(args.org).await?;
    create_folder(&args.to)?;
    let mut files = Map::new();
    let org_row = serde_json::to_value(&org).map_err(|error| unwritable(&args.to, error))?;
    write_rows(&args.to, &mut files, "orgs", [org_row])?;
    let connections = stack.connections().list(args.org).await.map_err(|error| stack.unavailable(&error))?;
    let connections = connections.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
    let connections = connections.map_err(|error| unwritable(&args.to, error))?;
    write_rows(&args.to, &mut files, "connections", connections)?;
    for table in TABLES {
        let lines = write_table(stack, &args, table).await?;
        files.insert(format!("{}.jsonl", table.name()), lines.into());
    }
    let manifest = json!({
        "org_id": args.org,
        "stack": stack.name(),
        "exported_at": store::time::format(stack.clock().now()),
        "files": files,
    });
    let path = args.to.join("manifest.json");
    let mut file = create(&path)?;
    writeln!(file, "{manifest:#}").and_then(|()| file.flush()).map_err(|error| unwritable(&path, error))?;
    Ok(if args.json { format!("{manifest:#}") } else { report(args.org, &args.to, &files) })
}

/// Writes a table page by page, and returns the number of lines.
async fn write_table(stack: &Stack, args: &ExportArgs, table: OrgTable) -> Result<u64, Failure> {
    let path = args.to.join(format!("{}.jsonl", table.name()));
    let mut file = create(&path)?;
    let progress = screen::spinner("Exporting", table.name());
    let (mut lines, mut after) = (0, None);
    loop {
        let page = stack.org_data().page(args.org, table, after).await;
        let (rows, next) = page.map_err(|error| stack.unavailable(&error))?;
        for row in rows {
            writeln!(file, "{}", exported(row)).map_err(|error| unwritable(&path, error))?;
            lines += 1;
        }
        progress.set_position(lines);
        if next.is_none() {
            break;
        }
        after = next;
    }
    progress.finish_and_clear();
    file.flush().map_err(|error| unwritable(&path, error))?;
    Ok(lines)
}

fn write_rows(
    folder: &Path,
    files: &mut Map<String, Value>,
    name: &str,
    rows: impl IntoIterator<Item = Value>,
) -> Result<(), Failure> {
    let name = format!("{name}.jsonl");
    let path = folder.join(&name);
    let mut file = create(&path)?;
    let mut lines = 0_u64;
    for row in rows {
        let Value::Object(row) = row else { continue };
        writeln!(file, "{}", exported(row)).map_err(|error| unwritable(&path, error))?;
        lines += 1;
    }
    files.insert(name, lines.into());
    file.flush().map_err(|error| unwritable(&path, error))
}

/// Returns a row as it is exported.
fn exported(mut row: Map<String, Value>) -> Value {
    row.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    for name in JSON_TEXTS {
        if let Some(member) = row.get_mut(name)
            && let Some(parsed) = member.as_str().and_then(|text| serde_json::from_str(text).ok())
        {
            *member = parsed;
        }
    }
    Value::Object(row)
}

fn create_folder(folder: &Path) -> Result<(), Failure> {
    DirBuilder::new().mode(0o700).create(folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::BadInput(format!("--to `{}` exists; name a folder to create", folder.display()))
        }
        _ => unwritable(folder, error),
    })
}

fn create(path: &Path) -> Result<BufWriter<File>, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map(BufWriter::new).map_err(|error| unwritable(path, error))
}

fn unwritable(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::Unavailable(format!("could not write {}: {error}", path.display()))
}

fn report(org: OrgId, folder: &Path, files: &Map<String, Value>) -> String {
    let mut table = screen::table(["File", "Lines"]);
    for (file, lines) in files {
        let lines = lines.as_u64().and_then(|lines| usize::try_from(lines).ok()).unwrap_or_default();
        table.add_row([file.clone(), screen::number(lines)]);
    }
    format!("{table}\n\nOrg {org} is exported to {}.", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_exported_as_json_and_secrets_are_not() {
        let row = json!({
            "record_id": "0035e00000ZkM3hAAF", "fields": "{\"Name\":\"Ada\"}", "answer": "not JSON",
            "progress": "{\"rows\":7}", "webhook_secrets": [{ "sha256": "0" }], "token_version": "1", "expires_at": 1, "partition": "a#b",
        });
        let Value::Object(row) = row else { panic!("not an object") };
        let expected = json!({ "record_id": "0035e00000ZkM3hAAF", "fields": { "Name": "Ada" }, "answer": "not JSON", "progress": { "rows": 7 } });
        assert_eq!(exported(row), expected);
    }
}
