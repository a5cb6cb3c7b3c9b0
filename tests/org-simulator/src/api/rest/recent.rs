//! Recently viewed items: what a user read or changed one by one (REST API guide, "Recently Viewed Items" and "MRU Header").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{Answer, Call};
use crate::data::soql::attributes;
use crate::model::access::Deed;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;

/// Records kept for a user.
const PER_USER: usize = 200;

/// The records each user saw, the newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RecentItems(BTreeMap<RecordId, Vec<RecordId>>);

impl RecentItems {
    /// The records of a user, the newest first.
    pub(crate) fn of(&self, user: RecordId) -> impl Iterator<Item = RecordId> {
        self.0.get(&user).into_iter().flatten().copied()
    }

    fn add(&mut self, user: RecordId, record: RecordId) {
        let items = self.0.entry(user).or_default();
        items.retain(|known| *known != record);
        items.insert(0, record);
        items.truncate(PER_USER);
    }
}

/// Makes a record recent, unless the request asks that it should not (`Sforce-Mru: updateMru=false`).
pub(super) fn seen(org: &mut Org, actor: &Actor, call: &Call, record: RecordId) {
    let asked = call.headers.get("sforce-mru").and_then(|value| value.trim().strip_prefix("updateMru="));
    if asked.is_none_or(|value| !value.trim().eq_ignore_ascii_case("false")) {
        org.recent.add(actor.user, record);
    }
}

/// `GET recent`: records of all objects, as many as `limit` says.
pub(super) fn list(org: &Org, actor: &Actor, call: &Call) -> Result<Answer, ApiError> {
    let limit = match call.parameter("limit") {
        None => PER_USER,
        Some(text) => text.parse().map_err(|_| ApiError::new("MALFORMED_ID", format!("Invalid limit: {text}")))?,
    };
    let items: Vec<Json> = items(org, actor, &call.version).map(|(_, json)| json).take(limit).collect();
    Ok(Answer::json(Json::Array(items)))
}

/// The recent records of one object.
pub(super) fn of(org: &Org, actor: &Actor, object: &Object, version: &str) -> Vec<Json> {
    items(org, actor, version).filter(|(of, _)| of.name == object.name).map(|(_, json)| json).collect()
}

/// What the user may still see of it: id and name. Records without a name are in no list.
fn items<'a>(org: &'a Org, actor: &'a Actor, version: &'a str) -> impl Iterator<Item = (&'a Object, Json)> {
    org.recent.0.get(&actor.user).into_iter().flatten().filter_map(move |id| {
        let (object, row) = org.live_record(*id)?;
        if !org.may(actor, Deed::Read, object) || !org.may_see(actor, object, row) {
            return None;
        }
        let at = object.name_field()?;
        let name = &object.fields[at].name;
        let item = json!({
            "attributes": attributes(object, *id, version), "Id": id.as_str(), name.as_str(): object.shown(row, at, version),
        });
        Some((&**object, item))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::numbered;

    #[test]
    fn the_newest_stand_first_once_and_only_so_many() {
        let (user, mut items) = (numbered("005", 1), RecentItems::default());
        for n in 0..300 {
            items.add(user, numbered("001", n));
        }
        items.add(user, numbered("001", 250));
        let kept = &items.0[&user];
        assert_eq!(kept.len(), PER_USER);
        assert_eq!(kept[..2], [numbered("001", 250), numbered("001", 299)]);
        assert_eq!(kept.iter().filter(|id| **id == numbered("001", 250)).count(), 1);
    }
}
