//! Reads and writes of records: SOQL, the rules of a write, enhanced notes, and the data of a new org.

pub(crate) mod crm_data;
mod effects;
pub(crate) mod files;
pub(crate) mod notes;
pub(crate) mod rules;
pub(crate) mod seed;
pub(crate) mod soql;
pub(crate) mod write;
