//! Connecting and disconnecting an org: connect links, disconnecting, and the client of the `onboarding` function.

pub mod connect_links;
pub mod disconnect;
pub mod onboarding;
pub mod one_time;
