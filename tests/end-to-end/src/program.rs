//! The end of a program of `src/bin`: its report, or its failure.

use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

/// Prints the report of a run as JSON, or its failure on standard error. Returns success for a report that `is_good`.
pub async fn report<R: Serialize>(
    program: &str,
    run: impl Future<Output = Result<R>>,
    is_good: impl FnOnce(&R) -> bool,
) -> ExitCode {
    let printed = async {
        let report = run.await?;
        writeln!(stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
        Ok::<_, anyhow::Error>(is_good(&report))
    };
    match printed.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(stderr(), "{program}: {failure:#}");
            ExitCode::FAILURE
        }
    }
}
