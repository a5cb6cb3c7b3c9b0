use super::*;

/// Every path through the machine, one step after the other.
mod examples;
/// Two and three machines against a model of Salesforce, the table and the vault, in any order and with any fault.
mod interleavings;

const T0: Timestamp = Timestamp::UNIX_EPOCH;

fn limits() -> Limits {
    Limits::default()
}
