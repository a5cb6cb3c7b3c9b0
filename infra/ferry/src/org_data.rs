//! All data of an org: exported to files, or erased.

pub(crate) mod erase;
pub(crate) mod export;
