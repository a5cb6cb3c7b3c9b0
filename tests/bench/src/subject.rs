//! A function binary to measure, the variables it starts with, and an event it can handle without a network.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A binary to measure.
pub struct Subject {
    /// The file's name, which is the function's name.
    pub name: String,
    /// Its path.
    pub binary: PathBuf,
    /// Environment variables beside those that Lambda sets.
    pub environment: Vec<(String, String)>,
    /// The event of every invocation.
    pub event: Value,
}

/// Every variable that a function of Ferry requires, with addresses that nothing listens on.
const ENVIRONMENT: [(&str, &str); 39] = [
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("LOG_LEVEL", "info"),
    ("ORGS_TABLE", "bench-orgs"),
    ("CONNECTIONS_TABLE", "bench-connections"),
    ("AUTHORIZATIONS_TABLE", "bench-authorizations"),
    ("CURSORS_TABLE", "bench-cursors"),
    ("RECORDS_TABLE", "bench-records"),
    ("PIPELINES_TABLE", "bench-pipelines"),
    ("DELIVERIES_TABLE", "bench-deliveries"),
    ("USERS_TABLE", "bench-users"),
    ("WRITES_TABLE", "bench-writes"),
    ("AUDITS_TABLE", "bench-audits"),
    ("WRITE_ORDER_TABLE", "bench-write-order"),
    ("BUDGETS_TABLE", "bench-budgets"),
    ("FRESHNESS_TABLE", "bench-freshness"),
    ("ORIGINS_TABLE", "bench-origins"),
    ("ORG_SETTINGS_TABLE", "bench-org-settings"),
    ("RECORD_UPSERT_QUEUE_URL", "http://127.0.0.1:9/bench/record-upsert"),
    ("DEAD_LETTERS_QUEUE_URL", "http://127.0.0.1:9/bench/dead-letters"),
    ("PIPELINE_REFRESH_QUEUE_URL", "http://127.0.0.1:9/bench/pipeline-refresh"),
    ("BACKFILL_QUEUE_URL", "http://127.0.0.1:9/bench/backfill"),
    ("FREQUENT_REFRESH_QUEUE_URL", "http://127.0.0.1:9/bench/frequent-refresh"),
    ("WRITE_QUEUE_URL", "http://127.0.0.1:9/bench/write"),
    ("RECORD_WRITE_QUEUE_URL", "http://127.0.0.1:9/bench/record-write"),
    ("NOTE_WRITE_QUEUE_URL", "http://127.0.0.1:9/bench/note-write"),
    ("FILE_WRITE_QUEUE_URL", "http://127.0.0.1:9/bench/file-write"),
    ("STAGED_FILES_BUCKET", "bench"),
    ("EVENT_BUS_NAME", "bench"),
    ("APPS_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:000000000000:secret:bench"),
    ("TOKEN_SECRET_READERS", "arn:aws:iam::000000000000:role/bench"),
    ("TOKEN_SECRET_PREFIX", "ferry/bench/tokens"),
    ("OPERATIONS", "access_token,keep_alive,status,apps"),
    ("TOKEN_BROKER_FUNCTION", "bench-token-broker"),
    ("CONNECTION_MANAGER_FUNCTION", "bench-connection-manager"),
    ("ONBOARDING_FUNCTION", "bench-onboarding"),
    ("PUBLIC_URL", "https://ferry.example.com"),
    ("WEBHOOK_URL", "https://ferry.example.com"),
    ("MIRRORED_OBJECTS", "Account,Contact,Lead,Opportunity,OpportunityContactRole,Task,Event,User"),
    ("SALESFORCE_HOSTS", "salesforce"),
];

impl Subject {
    /// Returns a binary with variables and an event for its function. `environment` and `event` override them.
    ///
    /// # Errors
    ///
    /// The file does not exist.
    pub fn new(binary: &Path, environment: &[(String, String)], event: Option<Value>) -> Result<Self> {
        let binary = binary.canonicalize().with_context(|| format!("could not find {}", binary.display()))?;
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

/// Returns a request for an unknown page if the function serves HTTP, or an empty batch if it takes batches.
/// The response may be a failure, which costs the same; the report shows it.
fn default_event(function: &str) -> Value {
    match function {
        "record-events" | "record-upsert" | "pipeline-refresh" => json!({ "Records": [] }),
        "data-erasure" | "event-delivery" | "file-write" | "note-write" | "oauth-callback" | "onboarding"
        | "org-admin" | "outbound-message" | "record-read" | "record-write" => unknown_page(),
        _ => json!({}),
    }
}

/// Returns an event of an HTTP API, payload format 2.0.
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

/// Returns the programs directly in a folder, such as `target/release`, sorted by name.
///
/// # Errors
///
/// The folder cannot be read.
pub fn executables(folder: &Path) -> Result<Vec<PathBuf>> {
    use std::os::unix::fs::PermissionsExt;

    let mut found = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("could not read {}", folder.display()))? {
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
    fn a_given_variable_overrides_the_default() {
        let subject =
            Subject::new(Path::new("/bin/sh"), &[("LOG_LEVEL".to_owned(), "debug".to_owned())], None).unwrap();

        let levels: Vec<_> = subject.environment.iter().filter(|(name, _)| name == "LOG_LEVEL").collect();

        assert_eq!(levels.last().map(|(_, value)| value.as_str()), Some("debug"));
    }

    #[test]
    fn files_that_are_not_executable_are_not_programs() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));

        assert_eq!(executables(folder).unwrap(), Vec::<PathBuf>::new());
    }
}
