//! `cargo ferry outbound-message`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use salesforce::soap::outbound_message::{self, MAX_BYTES, Notification, OutboundMessage};
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// Inspect recorded outbound messages.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print an outbound message as one JSON object.
    ///
    /// Nothing is validated: ids and values are printed as in the body, without surrounding white space. A missing, empty
    /// or xsi:nil value is null. The session id is not printed, only whether there is one.
    #[command(after_long_help = "\
Examples:
  cargo ferry outbound-message parse message.xml
  curl -s https://example.com/message.xml | cargo ferry outbound-message parse -

Exit codes:
  0  printed
  1  the file cannot be read
  2  the body is not an outbound message")]
    Parse {
        /// File with the body of the HTTP request; `-` reads standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
}

/// Runs `cargo ferry outbound-message`.
pub(crate) fn run(command: &Command) -> Result<String, Failure> {
    match command {
        Command::Parse { file } => parse(file),
    }
}

fn parse(file: &Path) -> Result<String, Failure> {
    let name = if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    let body = read(file).map_err(|error| Failure::Unavailable(format!("could not read {name}: {error}")))?;
    let message = outbound_message::parse(&body)
        .map_err(|error| Failure::BadInput(format!("{name} is not an outbound message: {error}")))?;
    Ok(format!("{:#}", to_json(message)))
}

/// Reads a file or standard input, up to one byte more than the parser accepts.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut body)?;
    } else {
        File::open(file)?.take(limit).read_to_end(&mut body)?;
    }
    Ok(body)
}

fn to_json(message: OutboundMessage<'_>) -> Value {
    let mut types = message.notifications.iter().filter_map(|notification| notification.object_type.clone());
    json!({
        "organization_id": message.organization_id,
        "action_id": message.action_id,
        "session_id_present": message.session_id_present,
        "object_type": types.next(),
        "notifications": message.notifications.into_iter().map(notification_to_json).collect::<Vec<_>>(),
    })
}

fn notification_to_json(notification: Notification<'_>) -> Value {
    let fields = notification.fields.into_iter();
    let fields: Map<String, Value> = fields.map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({"id": notification.id, "record_id": notification.record_id, "fields": fields})
}
