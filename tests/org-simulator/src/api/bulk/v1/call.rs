//! A request to Bulk API 1.0.

use http::HeaderMap;

use crate::api::bulk::v1::answer::Form;
use crate::model::actor::Actor;

pub(super) struct Call<'a> {
    pub(super) actor: &'a Actor,
    /// API version, for example `37.0`.
    pub(super) version: &'a str,
    pub(super) form: Form,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}
