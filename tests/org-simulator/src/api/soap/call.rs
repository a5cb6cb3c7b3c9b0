//! A call of a SOAP operation.

use crate::api::soap::answer::Flavor;
use crate::api::soap::xml::Element;
use crate::model::actor::Actor;

/// A call of a SOAP operation, with its context.
pub(super) struct Call<'a> {
    pub(super) actor: Actor,
    pub(super) session: &'a str,
    pub(super) flavor: Flavor,
    pub(super) version: u32,
    pub(super) header: &'a Element,
    pub(super) operation: &'a Element,
}
