//! The crate cirrus against the org at `ORG_URL`: one line for each check.

mod checks;

use std::process::ExitCode;

/// Runs the checks in turn; a client that cannot even begin has failed.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match checks::all().await {
        Ok(()) => {
            println!("end of checks");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("FAILED  cirrus: the beginning: {error}");
            ExitCode::FAILURE
        }
    }
}
