//! Connect links, disconnecting, and direct calls of the `onboarding` function: the steps by which an org is connected
//! and disconnected. `oauth-callback`, `onboarding`, `record-events` and the command line share them.

pub mod connect_links;
pub mod disconnect;
pub mod onboarding;
pub mod one_time;
