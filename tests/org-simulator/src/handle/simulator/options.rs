//! The options with which a simulator starts.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::Clock;
use crate::data::seed::Seed;
use crate::model::kind::{Features, OrgKind};

/// How to start a simulator.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Address to listen on; 127.0.0.1 unless told otherwise. Whoever reaches it can do everything.
    pub listen: Option<IpAddr>,
    /// What the org holds at the start.
    pub seed: Seed,
    /// The org's time; the machine's unless told otherwise.
    pub clock: Clock,
    /// Send outbound messages by itself as they fall due. Tests leave this off and call [`Simulator::deliver_outbound_messages`](crate::Simulator::deliver_outbound_messages).
    pub send_outbound_messages: bool,
    /// What kind of org it is.
    pub kind: OrgKind,
    /// What is switched on in it.
    pub features: Features,
    /// Seed for ids, codes, tokens and whatever else is left to chance; without one it comes from the system.
    /// The key that signs id_tokens always comes from the system.
    pub random_seed: Option<u64>,
    /// A file that [`Simulator::save_state`](crate::Simulator::save_state) wrote. If it exists, the realm is the one that was saved, and of these options only the
    /// ports, the clock and `send_outbound_messages` count.
    pub state: Option<PathBuf>,
    /// Port on 127.0.0.1 of the login host of production orgs; 0 takes a free one.
    pub login_port: u16,
    /// Port on 127.0.0.1 of the login host of sandboxes; 0 takes a free one.
    pub sandbox_login_port: u16,
}
