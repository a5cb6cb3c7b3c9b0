//! The people of a new or changed activity: the ids in `TaskWhoIds` and `EventWhoIds`.
//!
//! Sources: the pages of `Task`, `Event` and `TaskWhoRelation` in the Object Reference. The codes of the errors are
//! unverified.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::Purpose;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::value::Value;

const MAX_PEOPLE: usize = 50;

/// A body without its list of people, and the list if it has one.
type Taken<'a> = (Cow<'a, Map<String, Json>>, Option<Vec<RecordId>>);

/// Takes the list of people out of a body. Without a `WhoId` in the body, the first of them is that of a new activity, and
/// of one whose person is not among them.
pub(super) fn take<'a>(
    object: &Object,
    body: &'a Map<String, Json>,
    known: Option<RecordId>,
) -> Result<Taken<'a>, ApiError> {
    let list = match object.name.as_str() {
        "Task" => "TaskWhoIds",
        "Event" => "EventWhoIds",
        _ => return Ok((Cow::Borrowed(body), None)),
    };
    let Some((name, given)) = body.iter().find(|(name, _)| name.eq_ignore_ascii_case(list)) else {
        return Ok((Cow::Borrowed(body), None));
    };
    let people = match given {
        Json::Null => Vec::new(),
        Json::Array(ids) => ids.iter().map(|id| person(list, id)).collect::<Result<Vec<_>, _>>()?,
        other => return Err(ApiError::bad_json(format!("{list} is not a list of ids: {other}"))),
    };
    if people.len() > MAX_PEOPLE {
        let message = format!("{list}: an activity is related to at most {MAX_PEOPLE} contacts");
        return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields([list]));
    }
    let mut rest = body.clone();
    rest.remove(name);
    let names_one = rest.keys().any(|name| name.eq_ignore_ascii_case("WhoId"));
    if let (Some(first), false) = (people.first(), names_one || known.is_some_and(|who| people.contains(&who))) {
        rest.insert("WhoId".to_owned(), Json::from(first.as_str()));
    }
    Ok((Cow::Owned(rest), Some(people)))
}

fn person(list: &str, id: &Json) -> Result<RecordId, ApiError> {
    let text = id.as_str().unwrap_or_default();
    let id = RecordId::parse(text).ok_or_else(|| {
        ApiError::new("MALFORMED_ID", format!("{list}: id value of incorrect type: {text}")).fields([list])
    })?;
    if matches!(id.key_prefix(), "003" | "00Q") {
        return Ok(id);
    }
    let message = format!("{list}: id value of incorrect type: {id}");
    Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields([list]))
}

impl Org {
    /// Relates an activity to these people and its `WhoId`, and to no others.
    pub(super) fn relate(
        &mut self,
        actor: &Actor,
        activity: &Object,
        id: RecordId,
        people: &[RecordId],
    ) -> Result<(), ApiError> {
        let (relation, reference) = (format!("{}Relation", activity.name), format!("{}Id", activity.name));
        let object = self.object(&relation)?;
        let who = self.store.get(&activity.name, id).and_then(|row| self.value(&activity.name, row, "WhoId").as_id());
        let mut missing = people.to_vec();
        for row in self.rows_below(&relation, &reference, id) {
            let of = |name: &str| self.value(&relation, &row, name);
            let (to, known) = (of("RelationId").as_id(), row.id());
            let is_person = to.is_some_and(|to| matches!(to.key_prefix(), "003" | "00Q"));
            if *of("IsInvitee") == Value::Bool(true) && *of("IsParent") != Value::Bool(true) || !is_person {
                continue;
            }
            if to != who && !to.is_some_and(|to| people.contains(&to)) {
                known.into_iter().for_each(|known| self.store.purge(&object, known));
            }
            missing.retain(|person| Some(*person) != to);
        }
        missing.sort_unstable();
        missing.dedup();
        for person in missing {
            let fields =
                [(reference.clone(), Json::from(id.as_str())), ("RelationId".to_owned(), Json::from(person.as_str()))];
            self.insert(actor, &object, &Map::from_iter(fields), Purpose::Create)?;
        }
        Ok(())
    }
}
