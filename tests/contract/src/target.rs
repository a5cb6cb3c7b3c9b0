//! The org that is checked: its address, a session, and what the operator provides for single checks.

use std::process::Command;

use serde_json::Value;

use crate::Error;

/// The org that is checked.
#[derive(Clone)]
pub struct Target {
    /// The org's My Domain, without a trailing slash.
    pub instance_url: String,
    /// A session of the user whom the checks act as.
    pub access_token: String,
    /// The simulator, which has an admin API, or an org of Salesforce's.
    pub is_simulator: bool,
    /// The OAuth app for the checks of consents and tokens.
    pub app: Option<App>,
    /// The endpoint for the checks of outbound messages.
    pub endpoint: Option<Endpoint>,
    /// An app that an administrator has blocked.
    pub blocked_app: Option<BlockedApp>,
    /// The consumer key of an app that the user is not approved for.
    pub unapproved_client_id: Option<String>,
    /// A session of a user without View Setup and Configuration.
    pub limited_token: Option<String>,
    /// An event bus of Amazon EventBridge that the AWS CLI may put events on.
    pub event_bus: Option<String>,
    /// A file with a change event as it arrived on Amazon EventBridge.
    pub relayed_event: Option<std::path::PathBuf>,
}

/// An OAuth app that the org's user may consent to.
#[derive(Clone)]
pub struct App {
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret; absent for a public client.
    pub client_secret: Option<String>,
    /// The login host, without a trailing slash.
    pub login_url: String,
    /// A callback URL of the app. A browser's consent needs one on this machine, for example `http://localhost:8599/callback`.
    pub redirect_uri: String,
    /// The operator opens the consent pages in a browser. Without it only the simulator can be asked for a code.
    pub in_browser: bool,
}

/// An app that an administrator has blocked in the org.
#[derive(Clone)]
pub struct BlockedApp {
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret; absent for a public client.
    pub client_secret: Option<String>,
    /// A refresh token from a consent before the app was blocked.
    pub refresh_token: Option<String>,
}

/// The place where outbound messages arrive.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address to which the org sends, without a trailing slash.
    pub url: String,
    /// The local address, for example `127.0.0.1:8598`, to which a tunnel forwards what arrives at `url`.
    pub listen: String,
}

// Without derives: a target contains secrets.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("is_simulator", &self.is_simulator).finish_non_exhaustive()
    }
}

impl Target {
    /// Returns a target for an address and a session.
    #[must_use]
    pub fn new(instance_url: &str, access_token: &str) -> Self {
        Self {
            instance_url: instance_url.trim_end_matches('/').to_owned(),
            access_token: access_token.to_owned(),
            is_simulator: false,
            app: None,
            endpoint: None,
            blocked_app: None,
            unapproved_client_id: None,
            limited_token: None,
            event_bus: None,
            relayed_event: None,
        }
    }

    /// Reads address and session of an org that the Salesforce CLI is logged in to.
    pub fn of_salesforce_cli(alias: &str) -> Result<Self, Error> {
        let display = run_sf(&["org", "display", "--json", "--target-org", alias])?;
        let url = text_of(&display, "instanceUrl")
            .ok_or_else(|| Error::SalesforceCli(format!("`sf org display` shows no instance URL for {alias}")))?;
        // Newer versions of the CLI do not show the token here, but in a command of its own.
        let shown = text_of(&display, "accessToken").filter(|token| token.contains('!'));
        let token = match shown {
            Some(token) => token,
            None => {
                let shown = run_sf(&["org", "auth", "show-access-token", "--json", "--target-org", alias])?;
                text_of(&shown, "accessToken")
                    .ok_or_else(|| Error::SalesforceCli(format!("the session of {alias} is not shown; log in again")))?
            }
        };
        Ok(Self::new(&url, &token))
    }
}

fn run_sf(arguments: &[&str]) -> Result<Value, Error> {
    let output = Command::new("sf").args(arguments).output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::NoSalesforceCli,
        _ => Error::SalesforceCli(error.to_string()),
    })?;
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    if output.status.success() {
        return Ok(json);
    }
    let message = json["message"].as_str().unwrap_or("it ended with an error and no message");
    Err(Error::SalesforceCli(message.to_owned()))
}

fn text_of(json: &Value, member: &str) -> Option<String> {
    json["result"][member].as_str().map(str::to_owned)
}
