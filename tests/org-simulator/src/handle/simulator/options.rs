//! The options with which a simulator starts.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::Clock;
use crate::data::seed::Seed;
use crate::model::kind::{Features, OrgKind};

/// The options with which a simulator starts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Address to listen on; 127.0.0.1 by default. Every client that can reach it has full access.
    pub listen: Option<IpAddr>,
    /// The data of the org at the start.
    pub seed: Seed,
    /// The org's clock; the machine's by default.
    pub clock: Clock,
    /// Send outbound messages automatically when they are due. Tests leave this off and call
    /// [`Simulator::deliver_outbound_messages`](crate::Simulator::deliver_outbound_messages).
    pub send_outbound_messages: bool,
    /// The kind of the org.
    pub kind: OrgKind,
    /// The features that are enabled in the org.
    pub features: Features,
    /// Seed of ids, codes, tokens and all other random values; from the system when absent. The key that signs
    /// id_tokens always comes from the system.
    pub random_seed: Option<u64>,
    /// A file that [`Simulator::save_state`](crate::Simulator::save_state) wrote. If it exists, the saved realm is
    /// started, and of these options only the ports, the clock and `send_outbound_messages` apply.
    pub state: Option<PathBuf>,
    /// A file to which every request and its response are appended, as JSON lines without secrets.
    pub record: Option<PathBuf>,
    /// Port on 127.0.0.1 of the login host of production orgs; 0 takes a free one.
    pub login_port: u16,
    /// Port on 127.0.0.1 of the login host of sandboxes; 0 takes a free one.
    pub sandbox_login_port: u16,
}
