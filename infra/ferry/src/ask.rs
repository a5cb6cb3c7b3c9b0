//! Questions before something is done that matters.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::cli::Failure;

/// Asks, unless `yes`, and goes on only where `is_right` takes what was typed.
pub(crate) fn confirm(question: &str, yes: bool, is_right: impl Fn(&str) -> bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::BadInput("add --yes: there is nobody to ask".to_owned()));
    }
    let unanswered = |_| Failure::BadInput("no answer; nothing was done".to_owned());
    write!(io::stderr(), "{question} ").map_err(unanswered)?;
    io::stderr().flush().map_err(unanswered)?;
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed).map_err(unanswered)?;
    if is_right(typed.trim()) {
        Ok(())
    } else {
        Err(Failure::BadInput("that is another answer; nothing was done".to_owned()))
    }
}

/// Whether a question was answered with yes.
pub(crate) fn is_yes(typed: &str) -> bool {
    ["y", "yes"].iter().any(|yes| typed.eq_ignore_ascii_case(yes))
}
