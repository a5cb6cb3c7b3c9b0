//! The program `org-simulator`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::{Error, LoadReport, Options, Seed, Simulator};

/// A Salesforce org on loopback: OAuth, data API, UI API, notes and outbound messages, kept in memory.
///
/// Open the printed address in a browser for users, records and the outbound queue.
/// Its own API, for tests and demos, is under /_simulator/.
#[derive(Debug, Parser)]
#[command(name = "org-simulator", version)]
pub struct Args {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8590)]
    port: u16,
    /// What the org holds at the start.
    #[arg(long, value_enum, default_value_t = SeedName::Default)]
    seed: SeedName,
    /// Folder of CRM data to load: developer-edition/, sobject-trees/, b2b-sales/, opportunities-*-upsert.csv.
    #[arg(long, value_name = "DIR")]
    crm_data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SeedName {
    /// A small fictitious company: an admin, two sales reps, accounts, contacts, leads, opportunities.
    Default,
    /// Users, schema and record types only.
    None,
}

/// Runs the program until Ctrl-C.
pub async fn run(args: Args) -> Result<(), Error> {
    let seed = match args.seed {
        SeedName::Default => Seed::Default,
        SeedName::None => Seed::None,
    };
    let options = Options { port: args.port, seed, send_outbound_messages: true, ..Options::default() };
    let simulator = Simulator::start(options).await?;
    if let Some(dir) = &args.crm_data {
        print(&loaded(&simulator.load_crm_data(dir)?));
    }
    print(&format!(
        "org {} at {}\nclient id {}\nCtrl-C stops it.",
        simulator.org_id(),
        simulator.url(),
        simulator.client_id()
    ));
    // Without a signal handler there is no Ctrl-C to wait for; then the program ends at once.
    let _ = tokio::signal::ctrl_c().await;
    simulator.stop().await;
    Ok(())
}

fn loaded(report: &LoadReport) -> String {
    let lines = |what: &str, counts: &std::collections::BTreeMap<String, usize>| -> String {
        counts.iter().map(|(name, n)| format!("{what} {n:>6} {name}\n")).collect()
    };
    lines("loaded  ", &report.loaded) + &lines("adjusted", &report.adjusted) + &lines("refused ", &report.refused)
}

/// A closed standard output is no reason to stop the org.
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
}
