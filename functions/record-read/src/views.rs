//! The JSON views of Ferry's state. No view has a token, its version or a secret's hash.

mod budget;
mod connection;
mod fields;
mod health;
mod left_out;
mod org;
mod record;

use jiff::Timestamp;
use serde::Serializer;

pub(crate) use budget::BudgetHealth;
pub(crate) use connection::ConnectionView;
pub(crate) use fields::ObjectFieldsView;
pub(crate) use health::{HealthView, PipelinesHealth, SyncView};
pub(crate) use left_out::LeftOutView;
pub(crate) use org::{CopyView, LicenseView, OrgView};
pub(crate) use record::{Freshness, OwnerView, RecordView, Source};

pub(crate) fn millis<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    store::time::millis::serialize(at, serializer)
}

pub(crate) fn millis_option<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    store::time::millis_option::serialize(at, serializer)
}
