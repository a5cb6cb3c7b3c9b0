//! A Salesforce org on loopback: OAuth, data API, SOQL, UI API, enhanced notes, outbound messages and faults, with its state in memory.
//!
//! The simulator does what recorded traffic and Salesforce's documentation say an org does, and knows nothing of the
//! clients that are tried against it. It listens on 127.0.0.1 only.
//! Start it in a test with [`Simulator::start`], or as a program with `org-simulator --port 8590`.

mod clock;
mod error;
mod simulator;

pub use clock::Clock;
pub use error::Error;
pub use simulator::{
    Delivery, DeliveryState, Effect, Fault, InstallAnswer, LoadReport, NewUser, Options, OutboundMessage, PackageInstall, Seed,
    Simulator, User,
};
