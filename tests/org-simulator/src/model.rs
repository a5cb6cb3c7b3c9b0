//! An org's state: its schema, its records, who may see them, and the state of everything that goes on in it.

pub(crate) mod access;
pub(crate) mod actor;
pub(crate) mod clock;
pub(crate) mod datetime;
pub(crate) mod edition;
pub(crate) mod errors;
pub(crate) mod faults;
pub(crate) mod ids;
pub(crate) mod kind;
pub(crate) mod limits;
pub(crate) mod org;
pub(crate) mod outbox;
pub(crate) mod passwords;
pub(crate) mod people;
pub(crate) mod random;
pub(crate) mod records;
pub(crate) mod request_log;
pub(crate) mod rules;
pub(crate) mod schema;
pub(crate) mod store;
pub(crate) mod transaction;
pub(crate) mod value;
pub(crate) mod write_options;
