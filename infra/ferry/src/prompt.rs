//! Confirmation prompts before changes that cannot be undone.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::failure::Failure;

/// Prompts on standard error, and returns `Ok` only if `accepts` takes the reply. With `yes` it does not prompt.
pub(crate) fn confirm(question: &str, yes: bool, accepts: impl Fn(&str) -> bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let reason = "could not ask for confirmation: standard input is not a terminal; add --yes";
        return Err(Failure::BadInput(reason.to_owned()));
    }
    let unread = |error| Failure::BadInput(format!("could not read the reply: {error}; nothing was changed"));
    write!(io::stderr(), "{question} ").map_err(unread)?;
    io::stderr().flush().map_err(unread)?;
    let mut reply = String::new();
    io::stdin().lock().read_line(&mut reply).map_err(unread)?;
    if accepts(reply.trim()) { Ok(()) } else { Err(Failure::BadInput("not confirmed; nothing was changed".to_owned())) }
}

/// Returns whether the reply is `y` or `yes`, in upper or lower case.
pub(crate) fn is_yes(reply: &str) -> bool {
    ["y", "yes"].iter().any(|yes| reply.eq_ignore_ascii_case(yes))
}
