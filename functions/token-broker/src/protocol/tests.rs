use std::time::Duration;

use super::*;

/// Examples of every path through the machine.
mod examples;
/// Two or three machines against a model of Salesforce, the table and the vault, in random order and with random faults.
mod interleavings;

const T0: Timestamp = Timestamp::UNIX_EPOCH;

fn limits() -> Limits {
    Limits::default()
}
