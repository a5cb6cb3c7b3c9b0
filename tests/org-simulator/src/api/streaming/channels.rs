//! The channels of change events, and who may subscribe to them.

use crate::model::actor::Actor;
use crate::model::change_events::STANDARD;
use crate::model::change_events::names::object_of_event;
use crate::model::org::Org;

/// Checks that a channel exists, and that the actor may see all records whose changes it holds: View All Data for the
/// standard channel, View All Records on the object for an object's own ("Required Permissions for Receiving Change
/// Events"). For a custom channel, View All Records on each of its objects.
pub(super) fn check(org: &Org, actor: &Actor, channel: &str) -> Result<(), String> {
    if !channel.starts_with('/') {
        return Err("400::Channel subscriptions must start with a leading '/'".to_owned());
    }
    let unknown = || format!("400::The channel you requested to subscribe to does not exist {{{channel}}}");
    let name = channel.strip_prefix("/data/").ok_or_else(unknown)?;
    let may_see = if name == STANDARD {
        org.views_all_data(actor)
    } else if org.change_events.channel(name).is_some() {
        let members = org.change_events.members().iter().filter(|member| member.channel == name);
        let mut objects = members.filter_map(|member| org.schema.object(&member.object));
        objects.all(|object| org.views_all(actor, object))
    } else {
        let object = object_of_event(org, name).ok_or_else(unknown)?;
        org.views_all(actor, object)
    };
    may_see.then_some(()).ok_or_else(|| "403:denied_by_security_policy:create_denied".to_owned())
}
