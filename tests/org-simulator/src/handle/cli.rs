//! The program `org-simulator`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Parser, ValueEnum};
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

use crate::data::crm_data::load::LoadReport;
use crate::data::seed::Seed;
use crate::handle::faults_file;
use crate::handle::simulator::options::Options;
use crate::identity::realm::OrgOptions;
use crate::model::faults::FaultRule;
use crate::model::kind::OrgKind;
use crate::{Error, Simulator};

const AFTER_HELP: &str = "\
Examples:
  org-simulator --seed developer-edition
  org-simulator --port 0 --seed none --package my-sfdx-project --record requests.jsonl
  org-simulator --orgs production,sandbox --faults faults.json --state orgs.json

Exit codes:
  0  ended by Ctrl-C or SIGTERM
  1  an org could not be started or filled, or the state could not be written; the reason is on standard error
  2  an option is unknown or its value invalid";

/// A Salesforce org on loopback: OAuth, data API, Bulk API, UI API, notes and outbound messages, in memory.
///
/// The printed address is a web page with users, records, the outbound queue and faults. The admin API for tests and
/// demos is below /_simulator/; README.md lists its routes.
#[derive(Debug, Parser)]
#[command(name = "org-simulator", version, after_help = AFTER_HELP)]
pub struct Args {
    /// Port of the first org; the next orgs use the ports after it. 0 selects free ports.
    #[arg(long, default_value_t = 8590)]
    port: u16,
    /// Address to listen on. Every client that can reach it has full access, so any address except loopback logs a
    /// warning.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Data of the orgs at the start: `default` (a small fictitious company), `developer-edition` (the well-known
    /// sample data), `none` (users, schema and record types only), or a folder of CRM data, which is loaded into the
    /// first org.
    #[arg(long, value_name = "default|developer-edition|none|DIR", default_value = "default")]
    seed: SeedArg,
    /// Orgs to start, in this order.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "production")]
    orgs: Vec<Kind>,
    /// Folder of CRM data to load into the first org: developer-edition/, sobject-trees/, b2b-sales/,
    /// opportunities-*-upsert.csv.
    #[arg(long, value_name = "DIR")]
    crm_data: Option<PathBuf>,
    /// SFDX project whose custom objects and fields, outbound messages, their flows, and permission sets are installed
    /// into the first org. A warning names everything that is not supported.
    #[arg(long, value_name = "DIR")]
    package: Option<PathBuf>,
    /// JSON file with a fault or a list of faults for the first org, as for POST /_simulator/faults.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// File to which requests and responses are appended as they happen, as JSON lines; secrets are masked.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// File for the state: loaded at the start if it exists, and written when the program ends.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Queue outbound messages without sending them; the admin API sends them on demand.
    #[arg(long)]
    no_send: bool,
}

/// The data of an org at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SeedArg {
    BuiltIn(Seed),
    Folder(PathBuf),
}

impl FromStr for SeedArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "default" => Self::BuiltIn(Seed::Default),
            "developer-edition" => Self::BuiltIn(Seed::DeveloperEdition),
            "none" => Self::BuiltIn(Seed::None),
            folder if PathBuf::from(folder).is_dir() => Self::Folder(folder.into()),
            other => return Err(format!("{other} is neither default, developer-edition or none, nor a folder")),
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A customer's production org.
    Production,
    /// A sandbox.
    Sandbox,
    /// A Developer Edition.
    DeveloperEdition,
    /// The vendor's org with the License Management App.
    LicenseManagement,
}

impl From<Kind> for OrgKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Production => Self::Production,
            Kind::Sandbox => Self::Sandbox,
            Kind::DeveloperEdition => Self::DeveloperEdition,
            Kind::LicenseManagement => Self::LicenseManagement,
        }
    }
}

/// Runs the program until Ctrl-C or SIGTERM.
pub async fn run(args: Args) -> Result<(), Error> {
    let seed = match &args.seed {
        SeedArg::BuiltIn(seed) => *seed,
        SeedArg::Folder(_) => Seed::None,
    };
    let faults = args.faults.as_deref().map(read_faults).transpose()?.unwrap_or_default();
    let options = Options {
        port: args.port,
        listen: Some(args.listen),
        seed,
        kind: args.orgs.first().copied().map(OrgKind::from).unwrap_or_default(),
        send_outbound_messages: !args.no_send,
        state: args.state.clone(),
        record: args.record.clone(),
        ..Options::default()
    };
    let resumes = args.state.as_deref().is_some_and(Path::exists);
    let simulator = Simulator::start(options).await?;
    let others = if resumes { Vec::new() } else { fill(&simulator, &args, seed).await? };
    for fault in faults {
        simulator.fault(fault);
    }
    // Set before the last line is printed, after which a caller may end the program.
    let stopped = stop_signal();
    for org in simulator.orgs() {
        print(&format!("org {} ({}) at {}", org.org_id(), org.kind(), org.url()));
    }
    print(&format!("login hosts {} and, for sandboxes, {}", simulator.login_url(), simulator.sandbox_login_url()));
    print(&format!("install link {}{}", simulator.url(), crate::http::page::INSTALL_PATH));
    print(&format!("client id {}\nCtrl-C stops it.", simulator.client_id()));
    stopped.await;
    let saved = args.state.as_deref().map_or(Ok(()), |path| simulator.save_state(path));
    for org in others {
        org.stop().await;
    }
    simulator.stop().await;
    saved
}

/// Returns a future that ends with Ctrl-C or SIGTERM, which count from this call on. Where no handler can be set, it ends
/// at once.
#[cfg(unix)]
fn stop_signal() -> impl Future<Output = ()> {
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        if let [Ok(mut interrupted), Ok(mut terminated)] = signals {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
        }
    }
}

/// Ends with Ctrl-C, or at once where no handler can be set.
#[cfg(not(unix))]
async fn stop_signal() {
    let _ = tokio::signal::ctrl_c().await;
}

fn read_faults(path: &Path) -> Result<Vec<FaultRule>, Error> {
    let shown = || path.display().to_string();
    let text = fs::read_to_string(path).map_err(|source| Error::Read { path: shown(), source })?;
    faults_file::parse(&text)
        .map_err(|reason| Error::Invalid { what: "file of faults", reason: format!("{}: {reason}", shown()) })
}

/// Installs a project in the first org and reports what was not installed.
fn install(simulator: &Simulator, dir: &Path) -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "a project names the variables of its replacements")]
    let report = simulator.install_source(dir, |name| std::env::var(name).ok())?;
    for part in &report.installed {
        print(&format!("installed {part}"));
    }
    for part in &report.skipped {
        tracing::warn!("not installed: {part}");
    }
    Ok(())
}

/// Installs the project and loads data into the first org, and adds the others.
async fn fill(simulator: &Simulator, args: &Args, seed: Seed) -> Result<Vec<Simulator>, Error> {
    let folder = match &args.seed {
        SeedArg::BuiltIn(_) => None,
        SeedArg::Folder(folder) => Some(folder),
    };
    if let Some(dir) = &args.package {
        install(simulator, dir)?;
    }
    for dir in folder.into_iter().chain(&args.crm_data) {
        print(&loaded(&simulator.load_crm_data(dir)?));
    }
    let mut others = Vec::new();
    for (kind, number) in args.orgs.iter().copied().skip(1).map(OrgKind::from).zip(1_u16..) {
        let port = if args.port == 0 { 0 } else { args.port.saturating_add(number) };
        let options = OrgOptions { kind, seed, port, send_outbound_messages: !args.no_send, ..OrgOptions::default() };
        others.push(simulator.add_org(options).await?);
    }
    Ok(others)
}

fn loaded(report: &LoadReport) -> String {
    let lines = |what: &str, counts: &BTreeMap<String, usize>| -> String {
        counts.iter().map(|(name, n)| format!("{what} {n:>6} {name}\n")).collect()
    };
    lines("loaded  ", &report.loaded) + &lines("adjusted", &report.adjusted) + &lines("refused ", &report.refused)
}

/// Prints a line. An error is ignored: a closed standard output must not stop the org.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_seed_is_a_name_or_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!("developer-edition".parse(), Ok(SeedArg::BuiltIn(Seed::DeveloperEdition)));
        assert_eq!(dir.path().to_str().unwrap().parse(), Ok(SeedArg::Folder(dir.path().into())));
        assert!("no-such-folder".parse::<SeedArg>().is_err());
    }

    #[test]
    fn it_listens_on_loopback_by_default() {
        let args = Args::parse_from(["org-simulator"]);
        assert!(args.listen.is_loopback());
        let args =
            Args::parse_from(["org-simulator", "--listen", "0.0.0.0", "--orgs", "production,license-management"]);
        assert_eq!((args.listen.is_unspecified(), args.orgs.len()), (true, 2));
    }
}
