//! What is measured: a function binary, the variables it starts with, and an event it can answer without a network.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A binary to measure.
pub struct Subject {
    /// The file's name, which is the function's.
    pub name: String,
    /// Where it is.
    pub binary: PathBuf,
    /// Variables beside those that Lambda sets.
    pub environment: Vec<(String, String)>,
    /// What it is invoked with.
    pub event: Value,
}

/// Any variable that some function of Ferry demands, with a value that leads nowhere.
const ENVIRONMENT: [(&str, &str); 25] = [
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("LOG_LEVEL", "info"),
    ("ORGS_TABLE", "bench-orgs"),
    ("CONNECTIONS_TABLE", "bench-connections"),
    ("AUTHORIZATIONS_TABLE", "bench-authorizations"),
    ("CURSORS_TABLE", "bench-cursors"),
    ("RECORDS_TABLE", "bench-records"),
    ("PIPELINES_TABLE", "bench-pipelines"),
    ("DELIVERIES_TABLE", "bench-deliveries"),
    ("WRITES_TABLE", "bench-writes"),
    ("BUDGETS_TABLE", "bench-budgets"),
    ("ORIGINS_TABLE", "bench-origins"),
    ("RECORD_UPSERT_QUEUE_URL", "http://127.0.0.1:9/bench/record-upsert"),
    ("DEAD_LETTERS_QUEUE_URL", "http://127.0.0.1:9/bench/dead-letters"),
    ("PIPELINE_REFRESH_QUEUE_URL", "http://127.0.0.1:9/bench/pipeline-refresh"),
    ("WRITE_QUEUE_URL", "http://127.0.0.1:9/bench/write"),
    ("EVENT_BUS_NAME", "bench"),
    ("APPS_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:000000000000:secret:bench"),
    ("TOKEN_SECRET_PREFIX", "ferry/bench/tokens"),
    ("TOKEN_BROKER_FUNCTION", "bench-token-broker"),
    ("ONBOARDING_FUNCTION", "bench-onboarding"),
    ("PUBLIC_URL", "https://ferry.example.com"),
    ("WEBHOOK_URL", "https://ferry.example.com"),
    ("MIRRORED_OBJECTS", "Account,Contact,Lead,Opportunity"),
    ("SALESFORCE_HOSTS", "salesforce"),
];

impl Subject {
    /// A binary with variables and an event that suit its name; `environment` overrides the one, `event` the other.
    ///
    /// # Errors
    ///
    /// The file does not exist.
    pub fn new(binary: &Path, environment: &[(String, String)], event: Option<Value>) -> Result<Self> {
        let binary = binary.canonicalize().with_context(|| format!("cannot find {}", binary.display()))?;
        let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let defaults = ENVIRONMENT.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(Self {
            environment: defaults.chain(environment.iter().cloned()).collect(),
            event: event.unwrap_or_else(|| default_event(&name)),
            name,
            binary,
        })
    }
}

/// A request for an unknown page where the function serves HTTP, an empty batch where it takes batches.
/// The answer may be a failure, which costs the same; the report shows it.
fn default_event(function: &str) -> Value {
    match function {
        "record-events" | "record-upsert" | "pipeline-refresh" => json!({ "Records": [] }),
        "note-write" | "oauth-callback" | "onboarding" | "outbound-message" | "record-read" | "record-write" => {
            unknown_page()
        }
        _ => json!({}),
    }
}

/// An HTTP API event, payload format 2.0.
fn unknown_page() -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/bench",
        "rawQueryString": "",
        "headers": { "host": "ferry.example.com", "accept": "*/*" },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "domainName": "ferry.example.com",
            "domainPrefix": "ferry",
            "http": {
                "method": "GET",
                "path": "/bench",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "bench",
            },
            "requestId": "bench",
            "routeKey": "$default",
            "stage": "$default",
            "time": "22/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1_795_305_600_000_u64,
        },
        "isBase64Encoded": false,
    })
}

/// The programs directly in a folder, such as `target/release`, by name.
///
/// # Errors
///
/// The folder cannot be read.
pub fn executables(folder: &Path) -> Result<Vec<PathBuf>> {
    use std::os::unix::fs::PermissionsExt;

    let mut found = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let data = entry.metadata()?;
        let is_program = data.is_file() && data.permissions().mode() & 0o111 != 0 && entry.path().extension().is_none();
        if is_program {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_variable_comes_after_the_default_and_so_wins() {
        let subject =
            Subject::new(Path::new("/bin/sh"), &[("LOG_LEVEL".to_owned(), "debug".to_owned())], None).unwrap();

        let levels: Vec<_> = subject.environment.iter().filter(|(name, _)| name == "LOG_LEVEL").collect();

        assert_eq!(levels.last().map(|(_, value)| value.as_str()), Some("debug"));
    }

    #[test]
    fn libraries_and_notes_in_a_target_folder_are_no_programs() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));

        assert_eq!(executables(folder).unwrap(), Vec::<PathBuf>::new());
    }
}
