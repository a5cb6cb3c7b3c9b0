//! Checks of the crate cirrus against the org at `ORG_URL`, with one line for each.

mod checks;

use std::process::ExitCode;

/// Runs the checks in turn. An error before the first check fails the client.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match checks::all().await {
        Ok(()) => {
            println!("end of checks");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("FAILED  cirrus: the setup: {error}");
            ExitCode::FAILURE
        }
    }
}
