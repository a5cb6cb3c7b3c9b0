//! Measures the kill switch: an org with many connections is disconnected over the deployed stack.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use end_to_end::{Connected, Method};
use local::stack;
use org_simulator::NewUser;
use serde_json::{Value, json};

/// Connects a team and its reps, and measures how long `DELETE /v1/orgs/{org}` takes to end all of them.
#[derive(Parser)]
#[command(name = "kill-switch")]
struct Options {
    /// Number of connections, including the team's
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "kill-switch: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let org = Connected::start(stack::Options::default()).await?;
    for number in 1..options.connections {
        connect(&org, number).await.with_context(|| format!("rep {number}"))?;
    }
    let started = now();
    let ended = org.platform(Method::DELETE, &org.path(""), &Value::Null).await?;
    let took = started.elapsed();
    let connections = ended["connections"].as_array().context("the response has no connections")?;
    ensure!(connections.len() == usize::from(options.connections), "not every connection was ended");
    ensure!(connections.iter().all(|one| one["outcome"] == "ended"), "not every connection was revoked: {ended}");
    let (count, took) = (connections.len(), took.as_secs_f64());
    let per_connection = took * 1000.0 / f64::from(options.connections);
    writeln!(
        std::io::stdout(),
        "{count} connections closed, revoked at Salesforce and their secrets deleted in {took:.2} s ({per_connection:.0} ms each)"
    )?;
    Ok(())
}

async fn connect(org: &Connected, number: u16) -> Result<()> {
    let simulator = org.stack.simulator();
    let user = json!({ "username": format!("rep-{number}@example.com"), "last_name": format!("Rep {number}") });
    let user = simulator.add_user(&serde_json::from_value::<NewUser>(user)?)?;
    let link = json!({
        "tenant": "acme", "kind": "personal", "platform_user": format!("rep-{number}"), "environment": "production",
        "org_id": simulator.org_id(),
    });
    let link = org.platform(Method::POST, "/v1/connect-links", &link).await?;
    org.consent(link["url"].as_str().context("the link has no URL")?, &user).await
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: measuring real time is what this program is for")]
fn now() -> Instant {
    Instant::now()
}
