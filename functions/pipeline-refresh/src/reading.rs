//! Reads the pipelines of an org.

use std::collections::{BTreeMap, BTreeSet};

use runtime::Chain;
use salesforce::{
    Classify, FieldName, MASTER_RECORD_TYPE, ObjectDescribe, ObjectName, Record, RecordId, Retry, Soql, soql,
};
use tracing::warn;

use crate::error::Error;
use crate::pipelines::{HIDDEN, OrgStages, Reading, RecordType, STAGES_HIDDEN, StageUse, inactive_stages, pipeline};
use crate::run::Run;
use crate::scan::PageFault;

const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
const RECORD_TYPE: ObjectName = ObjectName::from_static("RecordType");
const BUSINESS_PROCESS: ObjectName = ObjectName::from_static("BusinessProcess");
const OPPORTUNITY_STAGE: ObjectName = ObjectName::from_static("OpportunityStage");
const NAME: FieldName = FieldName::from_static("Name");
const STAGE_NAME: FieldName = FieldName::from_static("StageName");
const RECORD_TYPE_ID: FieldName = FieldName::from_static("RecordTypeId");
const SOBJECT_TYPE: FieldName = FieldName::from_static("SobjectType");
const TABLE: FieldName = FieldName::from_static("TableEnumOrId");
const SORT_ORDER: FieldName = FieldName::from_static("SortOrder");

const RECORD_TYPE_FIELDS: [FieldName; 5] = [
    FieldName::ID,
    FieldName::from_static("DeveloperName"),
    NAME,
    FieldName::from_static("IsActive"),
    FieldName::from_static("BusinessProcessId"),
];
const STAGE_FIELDS: [FieldName; 10] = [
    FieldName::ID,
    FieldName::from_static("ApiName"),
    FieldName::from_static("MasterLabel"),
    SORT_ORDER,
    FieldName::from_static("DefaultProbability"),
    FieldName::from_static("IsActive"),
    FieldName::from_static("IsClosed"),
    FieldName::from_static("IsWon"),
    FieldName::from_static("ForecastCategoryName"),
    FieldName::from_static("Description"),
];

/// Reads the org's record types and the stages of each; `None` if the connection may not see opportunities.
pub(crate) async fn read_pipelines(run: &Run<'_>) -> Result<Option<Reading>, Error> {
    let failed = |source| Error::Pipelines { org: run.org(), source };
    let Some(describe) = run.client.find_object(&OPPORTUNITY).await.map_err(failed)? else { return Ok(None) };
    let of_opportunities = soql::eq(&SOBJECT_TYPE, OPPORTUNITY.as_str());
    let record_types = Soql::select(&RECORD_TYPE_FIELDS).from(&RECORD_TYPE).where_(of_opportunities);
    let record_types = query_all_rows(run, &RECORD_TYPE, &record_types).await?;
    let is_only = record_types.is_empty();
    let mut record_types = RecordType::from_rows(&record_types);
    name_processes(run, &mut record_types).await?;
    let stages = Soql::select(&STAGE_FIELDS).from(&OPPORTUNITY_STAGE).order_by(&SORT_ORDER);
    let rows = query_all_rows(run, &OPPORTUNITY_STAGE, &stages).await?;
    let stages = OrgStages { uses: read_uses(run, &describe, &rows).await?, rows: &rows };
    let infos = &describe.record_type_infos;
    let mut reading = Reading::default();
    reading.exists.extend(infos.iter().map(|info| info.record_type_id));
    for record_type in record_types {
        let id = record_type.id;
        reading.exists.insert(id);
        let info = infos.iter().find(|info| info.record_type_id == id);
        if info.is_some_and(|info| !info.available) {
            reading.unread.insert(id, HIDDEN.to_owned());
            continue;
        }
        let is_default = info.map_or(is_only, |info| info.default_record_type_mapping);
        match run.client.fetch_picklist_values(&OPPORTUNITY, &id).await {
            Ok(mut picklists) => {
                let allowed = picklists.remove(&STAGE_NAME);
                match allowed.and_then(|allowed| pipeline(record_type, is_default, &allowed, &stages)) {
                    Some(pipeline) => reading.read.push(pipeline),
                    None => drop(reading.unread.insert(id, STAGES_HIDDEN.to_owned())),
                }
            }
            Err(error) if error.retry() == Retry::NeedsHuman => return Err(failed(error)),
            Err(error) => {
                warn!(org.id = %run.org(), "could not read record type {id}: {}", Chain(&error));
                reading.unread.insert(id, mirroring::reason(&error).to_owned());
                // Few opportunities have no record type in an org that has some: the master alone is no failure.
                if id != MASTER_RECORD_TYPE || is_only {
                    reading.failure = Some(error);
                }
            }
        }
    }
    Ok(Some(reading))
}

/// Reads the names of the record types' business processes. A process whose name the connection may not read has none.
async fn name_processes(run: &Run<'_>, record_types: &mut [RecordType]) -> Result<(), Error> {
    if record_types.iter().all(|record_type| record_type.business_process.is_none()) {
        return Ok(());
    }
    let of_opportunities = soql::eq(&TABLE, OPPORTUNITY.as_str());
    let processes = Soql::select(&[FieldName::ID, NAME]).from(&BUSINESS_PROCESS).where_(of_opportunities);
    let rows = match query_all_rows(run, &BUSINESS_PROCESS, &processes).await {
        Ok(rows) => rows,
        Err(error) if error.retry() == Retry::Never => {
            warn!(org.id = %run.org(), "could not read the names of business processes: {}", Chain(&error));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for process in record_types.iter_mut().filter_map(|record_type| record_type.business_process.as_mut()) {
        let row = rows.iter().find(|row| row.id == process.id);
        process.name = row.and_then(|row| row.text(NAME.as_str())).map(str::to_owned);
    }
    Ok(())
}

/// Reads which inactive stages opportunities have, in one call, or none if there are no inactive stages. In an org whose
/// opportunities Salesforce cannot count, it is not known.
async fn read_uses(run: &Run<'_>, describe: &ObjectDescribe, rows: &[Record]) -> Result<Option<StageUse>, Error> {
    let inactive: BTreeSet<&str> = inactive_stages(rows).collect();
    if inactive.is_empty() {
        return Ok(Some(StageUse::new()));
    }
    let has_record_types = describe.fields.iter().any(|field| field.name == RECORD_TYPE_ID);
    let fields: Vec<FieldName> = [STAGE_NAME].into_iter().chain(has_record_types.then_some(RECORD_TYPE_ID)).collect();
    let counts = Soql::count_by(&fields).from(&OPPORTUNITY).where_(soql::in_(&STAGE_NAME, inactive));
    match run.client.count_groups(&counts).await {
        Ok(groups) => {
            let mut uses: StageUse = BTreeMap::new();
            for group in groups {
                let text = |field: &FieldName| group.values.get(field.as_str()).and_then(|value| value.as_str());
                let record_type = text(&RECORD_TYPE_ID).and_then(|id| id.parse::<RecordId>().ok());
                let Some(stage) = text(&STAGE_NAME) else { continue };
                uses.entry(stage.to_owned()).or_default().insert(record_type.unwrap_or(MASTER_RECORD_TYPE));
            }
            Ok(Some(uses))
        }
        Err(error) if error.retry() == Retry::NeedsHuman => Err(Error::Pipelines { org: run.org(), source: error }),
        Err(error) => {
            warn!(org.id = %run.org(), "could not count the opportunities with inactive stages: {}", Chain(&error));
            Ok(None)
        }
    }
}

/// Returns all rows of a query that fits into one page. A short page is no answer: it would remove pipelines.
async fn query_all_rows(run: &Run<'_>, object: &ObjectName, query: &Soql) -> Result<Vec<Record>, Error> {
    let (org, object) = (run.org(), object.clone());
    let page = run.client.query(query).await.map_err(|source| Error::Pipelines { org, source })?;
    if !page.done || (page.records.len() as u64) < page.total_size {
        return Err(Error::Page { org, object, source: PageFault::Short });
    }
    Ok(page.records)
}
