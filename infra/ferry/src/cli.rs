//! The commands, and what a failed one says.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Parser, Subcommand};
use jiff::civil::Date;
use salesforce::{OrgId, RecordId};
use store::ConnectionId;

use crate::dead_letters::{self, QueueName};
use crate::disconnect::{self, Target};
use crate::since::Since;
use crate::stack::Stack;
use crate::{deliveries, outbound_message, polling, replay, upgrade, webhooks};

/// Looks into Ferry's input and state, and acts on it.
///
/// AWS region, credentials and endpoint come from the environment, as the AWS command line reads it.
#[derive(Debug, Parser)]
#[command(name = "ferry", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The CloudFormation stack that Ferry was deployed as.
    #[arg(long, global = true, env = "FERRY_STACK", default_value = "ferry", value_name = "NAME")]
    stack: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Salesforce's outbound messages (the SOAP that it posts to the webhook).
    #[command(subcommand)]
    OutboundMessage(OutboundMessage),
    /// Show what arrived from an org and what came of it, the newest last. Times are in UTC.
    ///
    /// The ledger keeps a delivery for 14 days. One that arrived a moment ago may be missing; one that is still being worked on
    /// has no row yet, or one that says `put off`.
    ///
    /// Exit codes: 0 shown, 1 AWS was not reached, 2 there is no such org or such a time.
    Deliveries(Deliveries),
    /// Have every record that the ledger names since a time read again from its org, and applied.
    ///
    /// Each record is queued once, as its newest delivery, whose row in the ledger gets the new outcome where that says more than
    /// the one before: what was applied stays so when it is found unchanged. It does no harm to run it twice, or again after it was killed half-way: a record that is read twice changes nothing the second time.
    ///
    /// Exit codes: 0 queued, or there was nothing to queue, 1 AWS was not reached, 2 the org is not known or not active, or
    /// nobody said yes, 3 queued in part.
    Replay(Replay),
    /// Have an org asked for its changes every few minutes (the stack's parameter `PollSchedule`), or not.
    ///
    /// Orgs of editions without outbound messages are polled anyway. A poll costs two API calls for each mirrored object, and one
    /// more for every 2,000 changed records.
    ///
    /// Exit codes: 0 noted, 1 AWS was not reached, 2 there is no such org.
    Polling {
        /// The org's id, 15 or 18 characters.
        #[arg(long)]
        org: OrgId,
        /// What is wanted.
        #[arg(value_enum)]
        choice: polling::Choice,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// What was given up and waits in a dead-letter queue.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// The move of every connection from an older app to a newer one.
    #[command(subcommand)]
    Upgrade(Upgrade),
    /// End connections: at once here, then at Salesforce, then their secrets.
    ///
    /// Exit codes: 0 all ended, 1 AWS was not reached, 2 there is no such org or connection, 3 something is left: what
    /// was not reachable is in the table, and the same command finishes it.
    Disconnect(Disconnect),
    /// Register the License Management Org, and show the address for its outbound message, once.
    ///
    /// Run again for the same org, it makes another address beside the newest one.
    LmoAddress {
        /// The id of the License Management Org.
        #[arg(long)]
        org: OrgId,
        /// The record of `sfLma__Package__c` that the messages must be about, where the org manages several packages.
        #[arg(long, value_name = "ID")]
        package: Option<RecordId>,
        /// Base URL of Ferry's HTTP API, as in the stack's parameter `PublicUrl`.
        #[arg(long, value_name = "URL")]
        public_url: String,
    },
    /// Give an org another webhook secret beside the one that it uses, and put it into the org where Ferry may.
    RotateWebhookSecret {
        /// The org's id.
        #[arg(long)]
        org: OrgId,
    },
    /// End the quarantine of an org, most often of a sandbox that sent to the address of its original.
    Release {
        /// The org's id.
        #[arg(long)]
        org: OrgId,
    },
}

#[derive(Debug, Args)]
struct Deliveries {
    /// The org's id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// From when on: a time as 2026-11-22T10:00:00Z, or a span back as 90m, 24h or 7d.
    #[arg(long, default_value = "24h", value_name = "T")]
    since: Since,
    /// Only those about this record, 15 or 18 characters.
    #[arg(long, value_name = "ID")]
    record: Option<RecordId>,
    /// How many to show at most: the newest. All are counted.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u16).range(1..=10_000), value_name = "NUMBER")]
    limit: u16,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Replay {
    /// The org's id, 15 or 18 characters. The org has to be active.
    #[arg(long)]
    org: OrgId,
    /// From when on: a time as 2026-11-22T10:00:00Z, or a span back as 90m, 24h or 7d.
    #[arg(long, value_name = "T")]
    since: Since,
    /// Only show how many records there are, and what reading them costs.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum DeadLetters {
    /// Show them: what each was about, and why it was given up. It changes nothing for others.
    ///
    /// Exit codes: 0 shown, 1 AWS was not reached, 2 there is no such queue or org.
    List(Letters),
    /// Send them back to the queue that they came from, to be worked on again. Each is deleted only after it was sent, so that
    /// none is lost when the command is killed.
    ///
    /// Exit codes: 0 sent back, 1 AWS was not reached, 2 their queue takes none back, 3 sent back in part.
    Redrive(Letters),
    /// Delete them, and show what was deleted.
    ///
    /// Exit codes: 0 dropped, 1 AWS was not reached, 2 nobody said yes, 3 dropped in part.
    Drop {
        #[command(flatten)]
        letters: Letters,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Letters {
    /// Whose dead letters.
    #[arg(long, value_enum, default_value = "record-upsert")]
    queue: QueueName,
    /// Only those of this org, 15 or 18 characters.
    #[arg(long)]
    org: Option<OrgId>,
    /// How many to look at.
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u16).range(1..=10_000), value_name = "NUMBER")]
    limit: u16,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Upgrade {
    /// List the apps, and every connection that is not on the one that new consents use.
    Status {
        /// Print one JSON object instead of tables.
        #[arg(long)]
        json: bool,
    },
    /// Set the day on which an app is stopped. Its people are told 60, 30 and 7 days before.
    #[command(group(ArgGroup::new("day").required(true)))]
    Sunset {
        /// The app's name in the registrations.
        #[arg(long)]
        app: String,
        /// The day, as in 2027-03-01: the app is stopped when it begins, in UTC.
        #[arg(long, group = "day", value_name = "DATE")]
        on: Option<Date>,
        /// Take the day back.
        #[arg(long, group = "day")]
        clear: bool,
    },
    /// Have new consents use the app before this one again. What is connected goes on working.
    Rollback {
        /// The app's name in the registrations.
        #[arg(long)]
        app: String,
    },
    /// Take a roll-back back.
    Resume {
        /// The app's name in the registrations.
        #[arg(long)]
        app: String,
    },
}

#[derive(Debug, Args)]
struct Disconnect {
    /// The org's id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Every connection of the org, and its lanes: nothing is scheduled, and its messages are refused.
    #[arg(long, conflicts_with = "connection")]
    all: bool,
    /// Which connection, as `GET /v1/orgs/{org}/connections` names it.
    #[arg(long, default_value = "team", value_name = "ID")]
    connection: ConnectionId,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum OutboundMessage {
    /// Print what an outbound message says, as one JSON object.
    ///
    /// It reads and does not judge: values and ids stand as they do in the body, without surrounding white space;
    /// what is missing, empty or xsi:nil is null. A session id is not printed, only whether there was one.
    ///
    /// Exit codes: 0 printed, 1 the file cannot be read, 2 the body is no outbound message.
    Parse {
        /// The file with the body of the HTTP request; `-` for standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
}

/// Why a command failed, in one line.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something that the command needs is not to be had.
    Unavailable(String),
    /// What the command was given is not what it takes.
    BadInput(String),
    /// It was done in part; the text is for standard output.
    Unfinished(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unavailable(_) => ExitCode::FAILURE,
            Self::BadInput(_) => ExitCode::from(2),
            Self::Unfinished(_) => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(line) | Self::BadInput(line) | Self::Unfinished(line) => f.write_str(line),
        }
    }
}

/// Carries out a command; the text is for standard output.
pub(crate) async fn run(cli: Cli) -> Result<String, Failure> {
    match cli.command {
        Command::OutboundMessage(OutboundMessage::Parse { file }) => outbound_message::parse(&file),
        Command::Deliveries(Deliveries { org, since, record, limit, json }) => {
            let stack = Stack::open(&cli.stack).await;
            let since = since.resolve(stack.clock().now())?;
            let wanted = deliveries::Wanted { org, since, record, limit: limit.into() };
            deliveries::list(&stack, wanted, json).await
        }
        Command::Replay(Replay { org, since, dry_run, yes, json }) => {
            let stack = Stack::open(&cli.stack).await;
            let since = since.resolve(stack.clock().now())?;
            replay::replay(&stack, replay::Wanted { org, since, dry_run, yes }, json).await
        }
        Command::Polling { org, choice, json } => {
            polling::choose(&Stack::open(&cli.stack).await, org, choice, json).await
        }
        Command::DeadLetters(task) => dead_letters(&Stack::open(&cli.stack).await, task).await,
        Command::Upgrade(task) => upgrade(&Stack::open(&cli.stack).await, task).await,
        Command::LmoAddress { org, package, public_url } => {
            webhooks::lmo_address(&Stack::open(&cli.stack).await, org, package, &public_url).await
        }
        Command::RotateWebhookSecret { org } => webhooks::rotate(&Stack::open(&cli.stack).await, org).await,
        Command::Release { org } => webhooks::release(&Stack::open(&cli.stack).await, org).await,
        Command::Disconnect(Disconnect { org, all, connection, yes, json }) => {
            disconnect::confirm(org, yes)?;
            let target = if all { Target::Org } else { Target::Connection(connection) };
            disconnect::disconnect(&Stack::open(&cli.stack).await, org, &target, json).await
        }
    }
}

async fn dead_letters(stack: &Stack, task: DeadLetters) -> Result<String, Failure> {
    let wanted = |letters: &Letters| dead_letters::Wanted {
        queue: letters.queue,
        org: letters.org,
        limit: letters.limit.into(),
    };
    match task {
        DeadLetters::List(letters) => dead_letters::list(stack, wanted(&letters), letters.json).await,
        DeadLetters::Redrive(letters) => dead_letters::redrive(stack, wanted(&letters), letters.json).await,
        DeadLetters::Drop { letters, yes } => dead_letters::drop(stack, wanted(&letters), yes, letters.json).await,
    }
}

async fn upgrade(stack: &Stack, task: Upgrade) -> Result<String, Failure> {
    match task {
        Upgrade::Status { json } => upgrade::status(stack, json).await,
        Upgrade::Sunset { app, on, clear: _ } => upgrade::sunset(stack, &app, on).await,
        Upgrade::Rollback { app } => upgrade::new_consents(stack, &app, false).await,
        Upgrade::Resume { app } => upgrade::new_consents(stack, &app, true).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
