//! The fields of objects that a connection's user can access, remembered for a while by an execution environment.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::{Client, Error, FieldDescribe, FieldName, ObjectDescribe, ObjectName, OrgId};
use store::ConnectionId;

/// The age at which a describe is requested again. A field that was removed or hidden is noticed at once, by a query that is
/// refused; a new one only then.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(15);
/// The number of remembered describes; one takes 20 to 100 KB.
const MAX_DESCRIBES: usize = 256;

/// The objects of one connection, as its user sees them.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    objects: HashMap<ObjectName, Option<Arc<ObjectDescribe>>>,
    /// Objects that Salesforce did not describe, though they may be visible.
    unanswered: HashSet<ObjectName>,
}

impl Schema {
    /// Returns the object; `None` if it does not exist or is hidden from the user.
    pub fn object(&self, object: &ObjectName) -> Option<&ObjectDescribe> {
        self.objects.get(object)?.as_deref()
    }

    /// Returns whether the object does not exist or is hidden from the user.
    pub fn is_hidden(&self, object: &ObjectName) -> bool {
        self.objects.get(object).is_some_and(Option::is_none)
    }

    /// Returns whether Salesforce did not describe the object, though it may be visible.
    pub fn is_unanswered(&self, object: &ObjectName) -> bool {
        self.unanswered.contains(object)
    }

    /// Adds an object that Salesforce did not describe.
    pub fn add_unanswered(&mut self, object: ObjectName) {
        self.unanswered.insert(object);
    }

    /// Returns a field; `None` if the object or the field does not exist or is hidden from the user. Names are compared
    /// without case.
    pub fn field(&self, object: &ObjectName, field: &str) -> Option<&FieldDescribe> {
        let describe = self.object(object)?;
        describe.fields.iter().find(|visible| visible.name.as_str().eq_ignore_ascii_case(field))
    }

    /// Returns the fields of the list that the user can access, as Salesforce spells them.
    pub fn visible(&self, object: &ObjectName, fields: &[&str]) -> Vec<FieldName> {
        let visible = fields.iter().filter_map(|field| self.field(object, field));
        visible.map(|field| field.name.clone()).collect()
    }

    /// Returns the schema of these objects; others are hidden.
    pub fn of(describes: impl IntoIterator<Item = ObjectDescribe>) -> Self {
        let entry = |describe: ObjectDescribe| (describe.summary.name.clone(), Some(Arc::new(describe)));
        Self { objects: describes.into_iter().map(entry).collect(), unanswered: HashSet::new() }
    }

    fn insert(&mut self, object: ObjectName, describe: Option<Arc<ObjectDescribe>>) {
        self.objects.insert(object, describe);
    }
}

/// The describes of several connections.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    entries: Arc<Mutex<HashMap<Key, Entry>>>,
}

type Key = (OrgId, ConnectionId, ObjectName);

#[derive(Clone, Debug)]
struct Entry {
    described_at: Timestamp,
    describe: Option<Arc<ObjectDescribe>>,
}

impl Schemas {
    /// Returns these objects as the connection's user sees them, and an error for each object that Salesforce did not describe,
    /// though it may be visible. Costs no call while they are remembered, otherwise one, or two if an object is hidden.
    ///
    /// # Errors
    /// That of the whole request.
    pub async fn load(
        &self,
        client: &Client,
        key: (OrgId, &ConnectionId),
        objects: &[ObjectName],
        now: Timestamp,
    ) -> Result<(Schema, Vec<(ObjectName, Error)>), Error> {
        let (mut schema, unknown) = self.get(key, objects, now);
        let (mut described, mut failed) = (Vec::new(), Vec::new());
        if !unknown.is_empty() {
            let found = client.find_objects(&unknown).await?;
            for (object, found) in unknown.into_iter().zip(found) {
                match found {
                    Ok(describe) => described.push((object, describe)),
                    Err(error) => failed.push((object, error)),
                }
            }
        }
        self.insert(key, described, now, &mut schema);
        Ok((schema, failed))
    }

    /// Returns what is known of these objects, and the names of the others.
    pub fn get(
        &self,
        (org, connection): (OrgId, &ConnectionId),
        objects: &[ObjectName],
        now: Timestamp,
    ) -> (Schema, Vec<ObjectName>) {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut schema, mut unknown) = (Schema::default(), Vec::new());
        for object in objects {
            let entry = entries.get(&(org, connection.clone(), object.clone()));
            match entry.filter(|entry| now.duration_since(entry.described_at) < MAX_AGE) {
                Some(entry) => schema.insert(object.clone(), entry.describe.clone()),
                None if unknown.contains(object) => {}
                None => unknown.push(object.clone()),
            }
        }
        (schema, unknown)
    }

    /// Remembers describes and adds them to the schema. Forgets the oldest beyond 256.
    pub fn insert(
        &self,
        (org, connection): (OrgId, &ConnectionId),
        described: impl IntoIterator<Item = (ObjectName, Option<ObjectDescribe>)>,
        now: Timestamp,
        schema: &mut Schema,
    ) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for (object, describe) in described {
            let describe = describe.map(Arc::new);
            let entry = Entry { described_at: now, describe: describe.clone() };
            entries.insert((org, connection.clone(), object.clone()), entry);
            schema.insert(object, describe);
        }
        while entries.len() > MAX_DESCRIBES {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.described_at);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            entries.remove(&oldest);
        }
    }

    /// Forgets objects whose fields have changed.
    pub fn forget(&self, (org, connection): (OrgId, &ConnectionId), objects: &[ObjectName]) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for object in objects {
            entries.remove(&(org, connection.clone(), object.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: ObjectName = ObjectName::from_static("Account");
    const TASK: ObjectName = ObjectName::from_static("Task");

    fn describe(object: &ObjectName) -> ObjectDescribe {
        let field = |name: &str| json!({"name": name, "label": name, "type": "string", "nillable": true, "createable": true, "updateable": true});
        serde_json::from_value(json!({
            "name": object, "label": object, "keyPrefix": "001", "custom": false, "queryable": true, "createable": true,
            "updateable": true, "replicateable": true, "fields": [field("Id"), field("Name")],
        }))
        .unwrap()
    }

    fn connection() -> (OrgId, ConnectionId) {
        ("00D000000000001".parse().unwrap(), ConnectionId::team())
    }

    #[test]
    fn only_fields_that_the_user_can_access_are_visible() {
        let (org, team) = connection();
        let mut schema = Schema::default();
        Schemas::default().insert(
            (org, &team),
            [(ACCOUNT, Some(describe(&ACCOUNT)))],
            Timestamp::UNIX_EPOCH,
            &mut schema,
        );
        assert_eq!(schema.visible(&ACCOUNT, &["Id", "name", "Phone"]), [FieldName::ID, FieldName::from_static("Name")]);
        assert!(schema.visible(&TASK, &["Id"]).is_empty());
    }

    #[test]
    fn a_describe_is_requested_again_after_15_minutes() {
        let ((org, team), schemas) = (connection(), Schemas::default());
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        let described = [(ACCOUNT, Some(describe(&ACCOUNT))), (TASK, None)];
        schemas.insert((org, &team), described, at(0), &mut Schema::default());

        let (schema, unknown) = schemas.get((org, &team), &[ACCOUNT, TASK], at(14));
        assert!(unknown.is_empty());
        assert!(schema.object(&ACCOUNT).is_some() && schema.object(&TASK).is_none());
        assert_eq!(schemas.get((org, &team), &[ACCOUNT, TASK], at(15)).1, [ACCOUNT, TASK]);
        schemas.forget((org, &team), &[TASK]);
        assert_eq!(schemas.get((org, &team), &[ACCOUNT, TASK], at(1)).1, [TASK]);
    }

    #[test]
    fn the_oldest_describes_are_forgotten() {
        let ((org, team), schemas) = (connection(), Schemas::default());
        for number in 0..=MAX_DESCRIBES {
            let object: ObjectName = format!("Object{number}__c").parse().unwrap();
            let at = Timestamp::from_millisecond(i64::try_from(number).unwrap()).unwrap();
            schemas.insert((org, &team), [(object, None)], at, &mut Schema::default());
        }
        let known =
            |name: &str| schemas.get((org, &team), &[name.parse().unwrap()], Timestamp::UNIX_EPOCH).1.is_empty();
        assert!(!known("Object0__c") && known("Object1__c") && known(&format!("Object{MAX_DESCRIBES}__c")));
    }
}
