//! Bulk API 2.0: ingest jobs.

use serde_json::json;

use crate::answer::Answer;
use crate::check::{Check, Finding, holds, same};
use crate::org::Org;

use super::bulk_query::wait;
use super::describe::external_id;

const CREATE: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/create_job.htm";
const FAILED: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/get_job_failed_results.htm";
const SUCCESSFUL: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/get_job_successful_results.htm";
const NULLS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_csv_valid_record_rows.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "an ingest job is created in the state Open with the address for its rows",
        source: "recording bulk/v2-ingest-job-open.json",
        relied_on: "sample data are loaded by jobs",
        run: |org| {
            let created = create(
                org,
                json!({"object": "Account", "operation": "insert", "contentType": "CSV", "lineEnding": "LF"}),
            )?;
            let id = created.text("/id")?;
            let shape = json!({
                "id": "<id 750>", "operation": "insert", "object": "Account", "state": "Open",
                "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 66.0,
                "contentUrl": format!("services/data/v66.0/jobs/ingest/{id}/batches"), "lineEnding": "LF",
                "columnDelimiter": "COMMA", "createdDate": "<date-time>",
            });
            created.is(200, &shape)?;
            org.patch(&format!("jobs/ingest/{id}"), json!({"state": "Aborted"}))
                .send()?
                .is(200, &json!({"state": "Aborted"}))?;
            Ok(())
        },
    },
    Check {
        name: "the end of the upload is answered with fewer members than the job",
        source: "recording bulk/v2-ingest-job-upload-complete.json",
        relied_on: "members of a job may be missing",
        run: |org| {
            let csv = format!("Name\n{}\n", org.name("ingest upload"));
            let (done, complete) = ingest(org, json!({"object": "Account", "operation": "insert"}), &csv)?;
            own(org, &done)?;
            complete.is(200, &json!({
                "id": "<id 750>", "state": "UploadComplete", "lineEnding": "<absent>", "columnDelimiter": "<absent>",
            }))?;
            Ok(())
        },
    },
    Check {
        name: "a job completes although rows have failed, and counts them",
        source: "recording bulk/v2-ingest-job-complete.json",
        relied_on: "the state of a job says nothing about its rows",
        run: |org| {
            let csv = format!("LastName,Email\n{},\n{},nobody\n", org.name("ingest 1"), org.name("ingest 2"));
            let (done, _) = ingest(org, json!({"object": "Contact", "operation": "insert"}), &csv)?;
            own(org, &done)?;
            done.is(200, &json!({
                "state": "JobComplete", "jobType": "V2Ingest", "numberRecordsProcessed": 2, "numberRecordsFailed": 1,
            }))?;
            Ok(())
        },
    },
    Check {
        name: "successful rows have the id and if the record was created",
        source: SUCCESSFUL,
        relied_on: "the ids of loaded records are known",
        run: |org| {
            let csv = format!("Name,Site\n{},north\n", org.name("ingest ok"));
            let (done, _) = ingest(org, json!({"object": "Account", "operation": "insert"}), &csv)?;
            own(org, &done)?;
            let rows = results(org, &done, "successfulResults")?;
            let right = columns(&rows) == ["sf__Id", "sf__Created", "Name", "Site"] && rows.contains("\"true\"");
            holds(right, "sf__Id, sf__Created and the columns of the upload", rows)
        },
    },
    Check {
        name: "failed rows have the error as code, message and fields",
        source: FAILED,
        relied_on: "the reason of a refused row is shown",
        run: |org| {
            let csv = format!("LastName,Email\n{},nobody\n", org.name("ingest failed"));
            let (done, _) = ingest(org, json!({"object": "Contact", "operation": "insert"}), &csv)?;
            own(org, &done)?;
            let rows = results(org, &done, "failedResults")?;
            let right = columns(&rows) == ["sf__Id", "sf__Error", "LastName", "Email"]
                && rows.contains("INVALID_EMAIL_ADDRESS:")
                && rows.contains(":Email --");
            holds(right, "sf__Id, sf__Error with INVALID_EMAIL_ADDRESS:message:Email --", rows)
        },
    },
    Check {
        name: "an empty value keeps a field, and #N/A clears it",
        source: NULLS,
        relied_on: "a load does not clear what it does not know",
        run: |org| {
            let id = org.create(
                "Account",
                json!({"Name": org.name("ingest null"), "Site": "kept", "AccountNumber": "cleared"}),
            )?;
            let csv = format!("Id,Site,AccountNumber\n{id},,#N/A\n");
            ingest(org, json!({"object": "Account", "operation": "update"}), &csv)?
                .0
                .is(200, &json!({"state": "JobComplete", "numberRecordsFailed": 0}))?;
            org.get(&format!("sobjects/Account/{id}"))
                .send()?
                .is(200, &json!({"Site": "kept", "AccountNumber": null}))?;
            Ok(())
        },
    },
    Check {
        name: "line breaks in quotes belong to a value",
        source: "recording bulk/ingest-accounts-multiline-fields.csv",
        relied_on: "addresses and descriptions are loaded whole",
        run: |org| {
            let csv = format!("Name,Description\n{},\"one\ntwo, \"\"three\"\"\"\n", org.name("ingest lines"));
            let (done, _) = ingest(org, json!({"object": "Account", "operation": "insert"}), &csv)?;
            own(org, &done)?;
            let found =
                org.query(&format!("SELECT Description FROM Account WHERE Name = '{}'", org.name("ingest lines")))?;
            // The org may store line breaks as CR LF.
            let text = found.text("/records/0/Description")?.replace("\r\n", "\n");
            same("Description", &"one\ntwo, \"three\"".to_owned(), &text)
        },
    },
    Check {
        name: "an upsert job names its key, and says for each row if it was created",
        source: "recording bulk/v2-ingest-job-open.json",
        relied_on: "a load that is repeated makes no second records",
        run: |org| {
            let key = external_id(org, "Account")?;
            let value = org.key("ingest");
            org.create("Account", json!({"Name": org.name("ingest old"), key.as_str(): value}))?;
            let csv =
                format!("{key},Name\n{value},{}\n{value}-new,{}\n", org.name("ingest old"), org.name("ingest new"));
            let (done, _) =
                ingest(org, json!({"object": "Account", "operation": "upsert", "externalIdFieldName": key}), &csv)?;
            own(org, &done)?;
            let rows = results(org, &done, "successfulResults")?;
            holds(rows.contains("\"true\"") && rows.contains("\"false\""), "one row created and one not", rows)
        },
    },
    Check {
        name: "a job without failures has no failed and no unprocessed rows",
        source: CREATE,
        relied_on: "an empty result is no error",
        run: |org| {
            let csv = format!("Name\n{}\n", org.name("ingest rest"));
            let (done, _) = ingest(org, json!({"object": "Account", "operation": "insert"}), &csv)?;
            own(org, &done)?;
            for kind in ["failedResults", "unprocessedrecords"] {
                let lines = results(org, &done, kind)?.lines().count();
                holds(lines <= 1, &format!("at most the names of the columns in {kind}"), lines)?;
            }
            Ok(())
        },
    },
];

fn create(org: &Org, job: serde_json::Value) -> Result<Answer, Finding> {
    org.post("jobs/ingest", job).send()?.has_status(200)
}

/// Runs a job to its end, and returns it with the answer to the end of the upload.
fn ingest(org: &Org, job: serde_json::Value, csv: &str) -> Result<(Answer, Answer), Finding> {
    let created = create(org, job)?;
    let (id, path) = (created.text("/id")?, created.text("/contentUrl")?);
    org.request("PUT", &format!("/{path}")).body("text/csv", csv).send()?.has_status(201)?;
    let complete = org.patch(&format!("jobs/ingest/{id}"), json!({"state": "UploadComplete"})).send()?;
    Ok((wait(org, "ingest", &id)?, complete))
}

fn results(org: &Org, job: &Answer, kind: &str) -> Result<String, Finding> {
    let request = org.get(&format!("jobs/ingest/{}/{kind}", job.text("/id")?)).header("accept", "text/csv");
    Ok(request.send()?.has_status(200)?.body())
}

/// Returns the names of the columns, with or without quotes.
fn columns(rows: &str) -> Vec<&str> {
    rows.lines().next().unwrap_or_default().split(',').map(|name| name.trim_matches('"')).collect()
}

/// Notes the records that the job created.
fn own(org: &Org, job: &Answer) -> Result<(), Finding> {
    let object = job.text("/object")?;
    for row in results(org, job, "successfulResults")?.lines().skip(1) {
        let mut values = row.split(',').map(|value| value.trim_matches('"'));
        if let (Some(id), Some("true")) = (values.next(), values.next()) {
            org.own(&object, id);
        }
    }
    Ok(())
}
