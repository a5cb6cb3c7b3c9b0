//! `ferry outbound-message`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use salesforce::soap::outbound_message::{self, MAX_BYTES, Notification, OutboundMessage};
use serde_json::{Map, Value, json};

use crate::cli::Failure;

/// What the outbound message in a file says, as JSON.
pub(crate) fn parse(file: &Path) -> Result<String, Failure> {
    let shown = if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    let body = read(file).map_err(|error| Failure::Unavailable(format!("cannot read {shown}: {error}")))?;
    let message = outbound_message::parse(&body)
        .map_err(|error| Failure::BadInput(format!("{shown} is no outbound message: {error}")))?;
    Ok(format!("{:#}", to_json(message)))
}

/// The bytes of a file or of standard input: one more than a message can have is enough to refuse it.
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
