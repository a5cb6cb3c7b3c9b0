//! The command line: parses arguments and calls the command.

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::org_data::{audit, backfill, erase, export, settings};
use crate::stack::Stack;
use crate::{
    dead_letters, deliveries, disconnect, outbound_message, polling, replay, replay_events, transfer, upgrade, webhooks,
};

/// Operate a deployed Ferry stack.
///
/// The AWS region, credentials and endpoint come from the environment, as for the AWS CLI.
#[derive(Debug, Parser)]
#[command(name = "ferry", bin_name = "cargo ferry", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Name of the CloudFormation stack.
    #[arg(
        long,
        global = true,
        env = "FERRY_STACK",
        hide_env_values = true,
        default_value = "ferry",
        value_name = "NAME"
    )]
    stack: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Deliveries(deliveries::ListArgs),
    Replay(replay::ReplayArgs),
    ReplayEvents(replay_events::ReplayEventsArgs),
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    Audit(audit::AuditArgs),
    Backfill(backfill::BackfillArgs),
    Polling(polling::PollingArgs),
    #[command(subcommand)]
    Settings(settings::Command),
    #[command(subcommand)]
    Upgrade(upgrade::Command),
    Disconnect(disconnect::DisconnectArgs),
    Transfer(transfer::TransferArgs),
    Erase(erase::EraseArgs),
    Export(export::ExportArgs),
    LmoAddress(webhooks::LmoAddressArgs),
    RotateWebhookSecret(webhooks::RotateArgs),
    #[command(subcommand)]
    OutboundMessage(outbound_message::Command),
}

/// Runs a command and returns its report for standard output.
pub(crate) async fn run(cli: Cli) -> Result<String, Failure> {
    let stack = async || Stack::open(&cli.stack).await;
    match cli.command {
        Command::Deliveries(args) => deliveries::list(&stack().await, args).await,
        Command::Replay(args) => replay::replay(&stack().await, args).await,
        Command::ReplayEvents(args) => replay_events::replay_events(&stack().await, args).await,
        Command::DeadLetters(command) => dead_letters::run(&stack().await, command).await,
        Command::Audit(args) => audit::audit(&stack().await, args).await,
        Command::Backfill(args) => backfill::backfill(&stack().await, args).await,
        Command::Polling(args) => polling::set(&stack().await, args).await,
        Command::Settings(command) => settings::run(&stack().await, command).await,
        Command::Upgrade(command) => upgrade::run(&stack().await, command).await,
        Command::Disconnect(args) => disconnect::disconnect(&stack().await, args).await,
        Command::Transfer(args) => transfer::transfer(&stack().await, args).await,
        Command::Erase(args) => erase::erase(&stack().await, args).await,
        Command::Export(args) => export::export(&stack().await, args).await,
        Command::LmoAddress(args) => webhooks::lmo_address(&stack().await, args).await,
        Command::RotateWebhookSecret(args) => webhooks::rotate(&stack().await, args).await,
        Command::OutboundMessage(command) => outbound_message::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    /// Renders the long help of a command and of all below it, 80 columns wide.
    fn help(mut command: clap::Command) -> Vec<(String, String)> {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let own = (name, command.clone().term_width(80).render_long_help().to_string());
        let below = command.get_subcommands_mut().filter(|command| command.get_name() != "help");
        [own].into_iter().chain(below.flat_map(|command| help(command.clone()))).collect()
    }

    #[test]
    fn help_of_every_command() {
        let mut cli = Cli::command();
        cli.build();
        for (name, text) in help(cli) {
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            insta::assert_snapshot!(name, text);
        }
    }
}
