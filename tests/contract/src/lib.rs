//! The contract between Ferry and Salesforce: named checks of the facts that Ferry relies on, in plain requests to an org.
//!
//! The crate uses no crate of Ferry, so that a mistake of Ferry's client cannot hide in it.
//! `cargo contract` runs the checks against a real org or the simulator; `README.md` says how.
//!
//! | to find | look in |
//! |---|---|
//! | the checks, one module for each area | `checks` |
//! | what a check is and what it can find | `check` |
//! | the org as a check sees it: requests, its own records, queries | `org` |
//! | an answer, and the pattern that it should match | `answer`, `pattern` |
//! | the only HTTP client | `http` |
//! | where the org's address and session come from | `target`, `simulator` |
//! | OAuth consents, and the listener for outbound messages | `consent`, `listener` |
//! | the order of a run, and what it stores for `--resume` | `run`, `journal` |
//! | the removal of records that an aborted run left | `clean` |
//! | the report, and the secrets that it does not show | `report`, `mask` |

mod answer;
pub mod check;
pub mod checks;
mod clean;
pub mod cli;
mod consent;
mod error;
mod http;
mod journal;
mod listener;
mod mask;
mod org;
mod pattern;
pub mod report;
pub mod run;
pub mod simulator;
pub mod target;

pub use error::Error;
pub use org::Org;
