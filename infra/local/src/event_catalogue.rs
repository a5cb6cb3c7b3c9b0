//! Checks what Ferry publishes against the event catalogue: the schemas in `infra/events`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, bail, ensure};
use jsonschema::{Draft, Validator};
use serde_json::Value;

use crate::workspace::Workspace;

/// The file with the parts that the schemas share.
const COMMON: &str = "common.schema.json";

/// The schemas by type of event.
pub struct EventCatalogue {
    schemas: BTreeMap<String, (Value, Validator)>,
}

impl EventCatalogue {
    /// Returns the catalogue of this workspace.
    ///
    /// # Errors
    /// If a schema cannot be read or is not a schema.
    pub fn get() -> Result<&'static Self> {
        static CATALOGUE: LazyLock<Result<EventCatalogue>> = LazyLock::new(EventCatalogue::load);
        CATALOGUE.as_ref().map_err(|error| anyhow::anyhow!("could not load the event catalogue: {error:#}"))
    }

    fn load() -> Result<Self> {
        let folder = Workspace::here().root().join("infra/events");
        let read = |name: &str| -> Result<Value> { Ok(serde_json::from_str(&fs::read_to_string(folder.join(name))?)?) };
        let common = read(COMMON)?;
        let mut schemas = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            let kind = name.strip_suffix(".schema.json").with_context(|| format!("{name} is not a schema"))?;
            if name != COMMON {
                let schema = read(&name)?;
                let validator = compile(&schema, &common).with_context(|| name.clone())?;
                schemas.insert(kind.to_owned(), (schema, validator));
            }
        }
        Ok(Self { schemas })
    }

    /// Returns the types of events that have a schema.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.schemas.keys().map(String::as_str)
    }

    /// Returns the examples of the schema of a type.
    pub fn examples(&self, kind: &str) -> &[Value] {
        self.schemas.get(kind).and_then(|(schema, _)| schema["examples"].as_array()).map_or(&[], Vec::as_slice)
    }

    /// Checks an event against the schema of its type.
    ///
    /// # Errors
    /// If the type has no schema, or the event differs from it.
    pub fn check(&self, event: &Value) -> Result<()> {
        let kind = event["type"].as_str().unwrap_or_default();
        let (_, validator) =
            self.schemas.get(kind).with_context(|| format!("no schema for the event type {kind:?}"))?;
        let reasons: Vec<_> = validator
            .iter_errors(event)
            .map(|error| format!("{error} at {:?}", error.instance_path().to_string()))
            .collect();
        ensure!(reasons.is_empty(), "{kind} differs from its schema: {}\n{event:#}", reasons.join("; "));
        Ok(())
    }

    /// Checks an event with the envelope of EventBridge. Other events than Ferry's pass.
    ///
    /// # Errors
    /// If the event differs from its schema, or its envelope names another type.
    pub fn check_envelope(&self, envelope: &Value) -> Result<()> {
        if envelope["source"] != "ferry" {
            return Ok(());
        }
        if envelope["detail-type"] != envelope["detail"]["type"] {
            bail!("the envelope names another type than the event: {envelope:#}");
        }
        self.check(&envelope["detail"])
    }
}

/// Compiles a schema whose references point into the common file.
fn compile(schema: &Value, common: &Value) -> Result<Validator> {
    let mut whole: Value = serde_json::from_str(&schema.to_string().replace(&format!("\"{COMMON}#"), "\"#"))?;
    whole["definitions"] = common["definitions"].clone();
    let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    options.build(&whole).map_err(|error| anyhow::anyhow!("{error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_example_matches_its_schema() {
        let catalogue = EventCatalogue::get().unwrap();
        for kind in catalogue.kinds() {
            let examples = catalogue.examples(kind);
            assert!(!examples.is_empty(), "{kind} has no example");
            examples.iter().for_each(|example| catalogue.check(example).unwrap());
        }
    }

    #[test]
    fn an_event_that_differs_from_its_schema_is_rejected() {
        let catalogue = EventCatalogue::get().unwrap();
        let good = catalogue.examples("record.changed")[0].clone();
        for (member, wrong) in [("colour", json!("red")), ("tenant", Value::Null), ("org_id", json!("00D"))] {
            let mut event = good.clone();
            event["data"][member] = wrong;
            assert!(catalogue.check(&event).is_err(), "{member}");
        }
        let envelope = json!({ "source": "ferry", "detail-type": "record.deleted", "detail": good });
        assert!(catalogue.check_envelope(&envelope).is_err(), "another type");
        assert!(catalogue.check(&json!({ "type": "record.colored" })).is_err(), "an unknown type");
    }

    #[test]
    fn the_asyncapi_document_has_every_type() {
        let path = Workspace::here().root().join("infra/asyncapi.yaml");
        let document = crate::template::Template::load(&path).unwrap().to_json();
        let document: Value = serde_json::from_str(&document).unwrap();
        let messages = document["components"]["messages"].as_object().unwrap();
        let mut described: Vec<_> = messages.values().map(|message| message["name"].as_str().unwrap()).collect();
        described.sort_unstable();
        assert_eq!(described, EventCatalogue::get().unwrap().kinds().collect::<Vec<_>>());
        for message in messages.values() {
            let file = format!("./events/{}.schema.json", message["name"].as_str().unwrap());
            assert_eq!(message["payload"]["schema"]["$ref"], file);
        }
    }
}
