//! All data of an org: audited, exported to files, or erased.

pub(crate) mod audit;
pub(crate) mod erase;
pub(crate) mod export;
pub(crate) mod settings;
