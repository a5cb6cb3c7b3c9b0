//! The handle's methods for stages, sales processes and record types, which only Setup can change.

use super::Simulator;
use crate::Error;
use crate::model::value::Value;

/// Changes of an opportunity stage. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct StageChange {
    /// The label.
    pub label: Option<String>,
    /// The position among all stages of the org.
    pub sort_order: Option<i64>,
    /// The default probability, in percent.
    pub probability: Option<f64>,
    /// `false` if the stage cannot be chosen.
    pub is_active: Option<bool>,
    /// The description.
    pub description: Option<String>,
}

impl Simulator {
    /// Changes the opportunity stage with this API name.
    pub fn change_stage(&self, api_name: &str, change: StageChange) -> Result<(), Error> {
        let fields = [
            ("MasterLabel", change.label.map(Value::text)),
            ("SortOrder", change.sort_order.map(Value::Int)),
            ("DefaultProbability", change.probability.map(Value::Double)),
            ("IsActive", change.is_active.map(Value::Bool)),
            ("Description", change.description.map(Value::text)),
        ];
        let fields: Vec<_> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        self.change_setup("OpportunityStage", ("ApiName", api_name), &fields)
    }

    /// Sets the stages of a sales process, by their API names, and the one that new opportunities get.
    pub fn set_process_stages(&self, process: &str, stages: &[&str], default: Option<&str>) -> Result<(), Error> {
        let mut org = self.shared.org();
        let unknown = |what, name: &str| Error::Unknown { what, name: name.to_owned() };
        let row = org.setup_record("BusinessProcess", "Name", process).and_then(|row| row.id());
        let id = row.ok_or_else(|| unknown("sales process", process))?;
        for stage in stages.iter().copied().chain(default) {
            org.setup_record("OpportunityStage", "ApiName", stage).ok_or_else(|| unknown("stage", stage))?;
        }
        org.stages_of.insert(id, stages.iter().map(|stage| (*stage).to_owned()).collect());
        match default {
            Some(stage) => org.default_stages.insert(id, stage.to_owned()),
            None => org.default_stages.remove(&id),
        };
        Ok(())
    }

    /// Renames a record type.
    pub fn rename_record_type(&self, developer_name: &str, name: &str) -> Result<(), Error> {
        self.change_setup("RecordType", ("DeveloperName", developer_name), &[("Name", Value::text(name))])
    }

    fn change_setup(&self, object: &str, (key, name): (&str, &str), fields: &[(&str, Value)]) -> Result<(), Error> {
        let mut org = self.shared.org();
        let id = org.setup_record(object, key, name).and_then(|row| row.id());
        let id = id.ok_or_else(|| Error::Unknown { what: "setup record", name: name.to_owned() })?;
        org.set_fields(object, id, fields);
        org.store.commit();
        Ok(())
    }
}
