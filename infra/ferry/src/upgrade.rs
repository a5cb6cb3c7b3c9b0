//! `cargo ferry upgrade`.

mod usage;

use std::pin::pin;
use std::sync::Arc;

use clap::{ArgGroup, Subcommand};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::civil::Date;
use serde_json::{Value, json};
use store::Connection;
use store::apps::{AppRegistration, newest, public};

use crate::failure::Failure;
use crate::screen;
use crate::stack::Stack;
use usage::{AppUsage, OutdatedConnection, app_usage, outdated_connections};

/// Move connections to a newer app registration.
///
/// The current app is the one that new consents use: the newest registration that is not stopped or rolled back.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the apps, and the connections that do not use the current app.
    #[command(after_long_help = "\
Example:
  cargo ferry upgrade status

Exit codes:
  0  listed
  1  AWS could not be reached")]
    Status {
        /// Print one JSON object instead of tables.
        #[arg(long)]
        json: bool,
    },
    /// Set or clear the date on which an app stops.
    ///
    /// The platform is notified of each connection that still uses the app 60, 30 and 7 days before that date.
    #[command(group(ArgGroup::new("day").required(true)), after_long_help = "\
Examples:
  cargo ferry upgrade sunset --app v1 --on 2027-03-01
  cargo ferry upgrade sunset --app v1 --clear

Exit codes:
  0  stored
  1  AWS could not be reached
  2  the app is unknown, or no app would be left for new consents")]
    Sunset {
        /// Name of the app registration.
        #[arg(long)]
        app: String,
        /// Date such as 2027-03-01; the app stops at 00:00 UTC.
        #[arg(long, group = "day", value_name = "DATE", value_parser = date)]
        on: Option<Date>,
        /// Remove the date.
        #[arg(long, group = "day")]
        clear: bool,
    },
    /// Use the previous app for new consents.
    ///
    /// Existing connections keep working.
    #[command(after_long_help = "\
Example:
  cargo ferry upgrade rollback --app v2

Exit codes:
  0  stored
  1  AWS could not be reached
  2  the app is unknown, or no app would be left for new consents")]
    Rollback {
        /// Name of the app registration to stop using.
        #[arg(long)]
        app: String,
    },
    /// Undo a rollback.
    #[command(after_long_help = "\
Example:
  cargo ferry upgrade resume --app v2

Exit codes:
  0  stored
  1  AWS could not be reached
  2  the app is unknown")]
    Resume {
        /// Name of the app registration to use again.
        #[arg(long)]
        app: String,
    },
}

/// Orgs whose connections are read at the same time.
const CONCURRENCY: usize = 16;

/// Parses a date such as 2027-03-01.
fn date(text: &str) -> Result<Date, &'static str> {
    text.parse().map_err(|_| "it is not a date such as 2027-03-01")
}

/// Runs `cargo ferry upgrade`.
pub(crate) async fn run(stack: &Stack, command: Command) -> Result<String, Failure> {
    match command {
        Command::Status { json } => status(stack, json).await,
        Command::Sunset { app, on, clear: _ } => sunset(stack, &app, on).await,
        Command::Rollback { app } => set_new_consents(stack, &app, false).await,
        Command::Resume { app } => set_new_consents(stack, &app, true).await,
    }
}

async fn status(stack: &Stack, as_json: bool) -> Result<String, Failure> {
    let apps = stack.apps().load().await.map_err(|error| stack.unavailable(&error))?;
    let connections = connections(stack).await.map_err(|error| stack.unavailable(&error))?;
    let now = stack.clock().now();
    let usage = app_usage(&apps, &connections, now);
    let outdated = outdated_connections(&apps, &connections, now);
    Ok(if as_json { format!("{:#}", json!({ "apps": usage, "left": outdated })) } else { report(&usage, &outdated) })
}

/// Returns the connections of the active orgs; those of the others are revoked.
async fn connections(stack: &Stack) -> Result<Vec<Connection>, store::Error> {
    let (orgs, table) = (stack.orgs(), stack.connections());
    let (mut pages, mut connections) = (pin!(orgs.active()), Vec::new());
    while let Some(page) = pages.try_next().await? {
        let lists = stream::iter(page.iter().map(|org| table.list(org.org_id))).buffered(CONCURRENCY);
        let lists: Vec<_> = lists.try_collect().await?;
        connections.extend(lists.into_iter().flatten());
    }
    Ok(connections)
}

fn report(usage: &[AppUsage], outdated: &[OutdatedConnection]) -> String {
    let mut apps = screen::table(["App", "Current", "Working", "To reconnect", "Stops"]);
    for app in usage {
        let stops = match (app.sunset, app.days_left) {
            (Some(sunset), Some(days)) if days > 0 => format!("{sunset}, in {days} days"),
            (Some(sunset), _) => format!("{sunset}: stopped"),
            (None, _) => "never".to_owned(),
        };
        let current = if app.current { "yes" } else { "no" };
        apps.add_row([&app.app, current, &app.working.to_string(), &app.to_reconnect.to_string(), &stops]);
    }
    if outdated.is_empty() {
        return format!("{apps}\n\nEvery connection uses the current app.");
    }
    let mut connections = screen::table(["Tenant", "Org, Salesforce user", "Connection", "App", "State"]);
    for connection in outdated {
        let user = format!("{}\n{}", connection.org_id, connection.user_id);
        connections.add_row([
            connection.tenant.as_str(),
            &user,
            &connection.connection,
            &connection.app,
            connection.state,
        ]);
    }
    format!(
        "{apps}\n\n{} not use the current app. Each moves when its user opens a connect link and consents.\n{connections}",
        screen::counted(outdated.len(), "connection does", "connections do"),
    )
}

async fn sunset(stack: &Stack, app: &str, on: Option<Date>) -> Result<String, Failure> {
    let apps = change(stack, app, "sunset", on.map_or(Value::Null, |on| on.to_string().into())).await?;
    let now = stack.clock().now();
    let registration = apps.iter().find(|registration| registration.app.name == app);
    let days = registration.and_then(|registration| registration.app.days_left(now));
    Ok(match (on, days) {
        (None, _) => format!("{app} has no sunset date any more. The change takes effect within five minutes."),
        (Some(on), Some(days)) if days > 0 => format!(
            "{app} stops on {on} (UTC), in {days} days. The platform is notified 60, 30 and 7 days before. To undo: `cargo ferry \
             upgrade sunset --app {app} --clear`."
        ),
        (Some(on), _) => format!("{app} stopped on {on} (UTC). Its users have to connect again."),
    })
}

/// Sets whether new consents may use an app.
async fn set_new_consents(stack: &Stack, app: &str, allowed: bool) -> Result<String, Failure> {
    let apps = change(stack, app, "new_consents", allowed.into()).await?;
    let current = newest(public(&apps), stack.clock().now()).map_or("no app", |newest| newest.name.as_str());
    let existing = if allowed { String::new() } else { format!(" Existing connections of {app} keep working.") };
    Ok(format!("New consents use {current} now.{existing} The change takes effect within five minutes."))
}

async fn change(stack: &Stack, app: &str, member: &str, value: Value) -> Result<Arc<[AppRegistration]>, Failure> {
    let changed = stack.apps().change(app, &[(member, value)]).await;
    changed.map_err(|error| match error {
        store::Error::NotFound { .. } => Failure::BadInput(format!(
            "app `{app}` is not registered in the secret ferry/{}/apps; check --app and --stack",
            stack.name()
        )),
        store::Error::Corrupt { source, .. } => Failure::BadInput(format!("nothing was changed: {source}")),
        error => stack.unavailable(&error),
    })
}
