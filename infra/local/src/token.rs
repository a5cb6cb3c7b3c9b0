//! `cargo dev token`: prints a JWT of the running stack's issuer.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::dev::PORT;
use crate::issuer::{LIFETIME, MAX_LIFETIME, TENANT_SCOPE};

/// Print a JWT for the HTTP API of the running stack.
///
/// The issuer of the stack signs it. Send it in the header `Authorization: Bearer TOKEN` to the routes below `/v1`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  TOKEN=$(cargo dev token --tenant acme)
  curl -s http://localhost:8580/v1/orgs -H \"Authorization: Bearer $TOKEN\"
  cargo dev token --tenant acme --scope ferry/read --user rep-1 --ttl 60
  cargo dev token --scope 'ferry/read ferry/write ferry/all-tenants'

Exit codes:
  0  printed
  1  no stack runs on the port, or it refused the request
  2  the arguments are wrong")]
pub(crate) struct TokenArgs {
    /// Tenant that the token speaks for: the claim `tenant`. Required without the scope `ferry/all-tenants`.
    #[arg(long)]
    tenant: Option<String>,
    /// Scopes, separated by spaces: the claim `scope`.
    #[arg(long, default_value = TENANT_SCOPE)]
    scope: String,
    /// User of the platform that the token acts for: the claims `user` and `sub`. Default: no user.
    #[arg(long)]
    user: Option<String>,
    /// Lifetime in seconds, at most a day.
    #[arg(long, value_name = "SECONDS", default_value_t = LIFETIME.as_secs(), value_parser = clap::value_parser!(u64).range(1..=MAX_LIFETIME.as_secs()))]
    ttl: u64,
    /// Port of the running stack's HTTP API on localhost.
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    port: u16,
}

/// Requests a token and prints it.
///
/// # Errors
/// If no stack runs on the port, the stack refuses the request, or standard output is closed.
pub(crate) async fn run(args: TokenArgs) -> Result<ExitCode> {
    let token = request(&args).await.context("could not get a token")?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(ExitCode::SUCCESS)
}

async fn request(args: &TokenArgs) -> Result<String> {
    let port = args.port;
    let mut form = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("scope", args.scope.clone()),
        ("expires_in", args.ttl.to_string()),
    ];
    form.extend(args.tenant.clone().map(|tenant| ("tenant", tenant)));
    form.extend(args.user.clone().map(|user| ("user", user)));
    let http = reqwest::Client::builder().no_proxy().build()?;
    let Ok(response) = http.post(format!("http://127.0.0.1:{port}/issuer/token")).form(&form).send().await else {
        bail!("no stack runs on port {port}; start one with `cargo dev`, or choose its port with --port");
    };
    let body: Value = response.json().await.unwrap_or_default();
    match (&body["access_token"], &body["error_description"]) {
        (Value::String(token), _) => Ok(token.clone()),
        (_, Value::String(reason)) => bail!("{reason}"),
        _ => bail!("the program on port {port} is not a local stack; choose the stack's port with --port"),
    }
}
