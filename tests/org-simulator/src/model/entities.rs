//! The rows of `EntityDefinition`, one for each object of the schema.

use std::sync::Arc;

use crate::model::activity_views::is_activity_view;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{Access, Object};
use crate::model::value::Value;

const ENTITY: &str = "EntityDefinition";

impl Org {
    /// Adds the objects that are not listed yet, and updates the others.
    pub(crate) fn list_entities(&mut self) {
        let objects: Vec<Arc<Object>> = self.schema.objects().cloned().collect();
        for object in objects {
            let fields = self.entity(&object);
            match self.entity_named(&object.name) {
                Some(id) => self.set_fields(ENTITY, id, &fields),
                None => {
                    let author = Some(self.id);
                    self.insert_row(author, ENTITY, &fields);
                }
            }
        }
        self.store.commit();
    }

    fn entity_named(&self, name: &str) -> Option<RecordId> {
        self.setup_record(ENTITY, "QualifiedApiName", name)?.id()
    }

    fn entity(&self, object: &Object) -> Vec<(&'static str, Value)> {
        let name = object.name.as_str();
        let developer_name = name.strip_suffix("__c").unwrap_or(name);
        let namespace = developer_name.split_once("__").map(|(namespace, _)| namespace);
        let developer_name = namespace.map_or(developer_name, |namespace| &developer_name[namespace.len() + 2..]);
        let records = !is_activity_view(name);
        let sharing = match name {
            _ if object.has_owner => self.sharing.default_of(name).name(),
            "User" => "Read",
            _ if object.setup || object.access == Access::ReadOnly => "FullAccess",
            _ => "ControlledByParent",
        };
        vec![
            ("QualifiedApiName", Value::text(name)),
            ("DeveloperName", Value::text(developer_name)),
            ("DurableId", Value::text(name)),
            ("MasterLabel", Value::text(object.label.as_str())),
            ("Label", Value::text(object.label.as_str())),
            ("PluralLabel", Value::text(object.label_plural.as_str())),
            ("NamespacePrefix", namespace.map_or(Value::Null, Value::text)),
            ("KeyPrefix", object.described_prefix().map_or(Value::Null, Value::text)),
            ("InternalSharingModel", Value::text(sharing)),
            ("ExternalSharingModel", Value::text(if object.has_owner { "Private" } else { sharing })),
            ("IsCustomizable", Value::Bool(object.access == Access::Full && !object.setup)),
            ("IsEverCreatable", Value::Bool(object.access.creates())),
            ("IsEverUpdatable", Value::Bool(object.access.updates())),
            ("IsEverDeletable", Value::Bool(object.access.deletes())),
            ("IsQueryable", Value::Bool(records)),
            ("IsRetrieveable", Value::Bool(records)),
            ("IsReplicateable", Value::Bool(records)),
            ("IsSearchable", Value::Bool(object.has_owner)),
            ("IsTriggerable", Value::Bool(object.access == Access::Full && !object.setup)),
        ]
    }
}
