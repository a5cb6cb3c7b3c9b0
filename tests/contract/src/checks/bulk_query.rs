//! Bulk API 2.0: query jobs.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::check::{Check, Finding, holds, same};
use crate::org::Org;

const RESULTS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_job_results.htm";
const PAGES: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_parallel_job_results.htm";

/// The number of times that a job is read before the check gives up, with a pause that grows to 5 seconds.
const READS: u64 = 60;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a query job is created in the state UploadComplete",
        source: "recording bulk/v2-query-job-created.json",
        relied_on: "a refresh of many rows is one job",
        run: |org| {
            let created = create(org, "query", "SELECT Id FROM Account LIMIT 1")?;
            let shape = json!({
                "id": "<id 750>", "operation": "query", "object": "Account", "createdById": "<id 005>",
                "createdDate": "<date-time>", "systemModstamp": "<date-time>", "state": "UploadComplete",
                "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 66.0, "lineEnding": "LF",
                "columnDelimiter": "COMMA",
            });
            created.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "a job for deleted rows too has the operation queryAll",
        source: "recording bulk/v2-queryall-job-created.json",
        relied_on: "deletions are found by a job",
        run: |org| {
            create(org, "queryAll", "SELECT Id, IsDeleted FROM Account LIMIT 1")?
                .is(200, &json!({"operation": "queryAll", "state": "UploadComplete"}))?;
            Ok(())
        },
    },
    Check {
        name: "a finished job has the number of its rows",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_one_job.htm",
        relied_on: "a job is waited for",
        run: |org| {
            accounts(org, "bulk state", 3)?;
            let done = finished(org, &soql(org, "bulk state"))?;
            done.is(
                200,
                &json!({
                    "state": "JobComplete", "jobType": "V2Query", "numberRecordsProcessed": 3, "retries": "<number>",
                    "totalProcessingTime": "<number>",
                }),
            )?;
            Ok(())
        },
    },
    Check {
        name: "results are CSV in quotes, in the order of the query",
        source: RESULTS,
        relied_on: "columns are read by their names",
        run: |org| {
            let name = format!("{}, \"quoted\"", org.name("bulk csv"));
            org.create("Account", json!({"Name": org.name("bulk csv"), "Description": name, "Site": null}))?;
            let done = finished(
                org,
                &format!("SELECT Name, Site, Description FROM Account WHERE Name = '{}'", org.name("bulk csv")),
            )?;
            let csv = results(org, &done, "")?;
            holds(csv.header("content-type").starts_with("text/csv"), "text/csv", csv.header("content-type"))?;
            let expected = format!(
                "\"Name\",\"Site\",\"Description\"\n\"{}\",\"\",\"{}\"\n",
                org.name("bulk csv"),
                name.replace('"', "\"\"")
            );
            same("the rows", &expected, &csv.body())
        },
    },
    Check {
        name: "times in results end in Z",
        source: RESULTS,
        relied_on: "times of the Bulk API are parsed by another rule than those of REST",
        run: |org| {
            accounts(org, "bulk time", 1)?;
            let done = finished(
                org,
                &format!("SELECT SystemModstamp FROM Account WHERE Name LIKE '{}%'", org.name("bulk time")),
            )?;
            let body = results(org, &done, "")?.body();
            let time = body.lines().nth(1).unwrap_or_default().trim_matches('"').to_owned();
            holds(crate::pattern::has_shape(&time, "0000-00-00T00:00:00.000Z"), "0000-00-00T00:00:00.000Z", time)
        },
    },
    Check {
        name: "pages are followed by their locator, which is the text null at the end",
        source: RESULTS,
        relied_on: "the end of the results is told from the next page",
        run: |org| {
            accounts(org, "bulk page", 5)?;
            let done = finished(org, &soql(org, "bulk page"))?;
            let first = results(org, &done, "?maxRecords=3")?;
            same("Sforce-NumberOfRecords", &"3", &first.header("sforce-numberofrecords"))?;
            let locator = first.header("sforce-locator").to_owned();
            holds(!locator.is_empty() && locator != "null", "a locator of the next page", &locator)?;
            let last = results(org, &done, &format!("?maxRecords=3&locator={locator}"))?;
            same("Sforce-Locator of the last page", &"null", &last.header("sforce-locator"))?;
            same("Sforce-NumberOfRecords", &"2", &last.header("sforce-numberofrecords"))
        },
    },
    Check {
        name: "every page begins with the names of the columns",
        source: RESULTS,
        relied_on: "the first line of each page is no row",
        run: |org| {
            accounts(org, "bulk header", 3)?;
            let done = finished(org, &soql(org, "bulk header"))?;
            let first = results(org, &done, "?maxRecords=2")?;
            let last = results(org, &done, &format!("?maxRecords=2&locator={}", first.header("sforce-locator")))?;
            holds(last.body().starts_with("\"Id\",\"Name\"\n"), "the names of the columns", last.shown())
        },
    },
    Check {
        name: "a job without rows completes, and its results have no row",
        source: RESULTS,
        relied_on: "no rows are told from a failed job",
        run: |org| {
            let done = finished(org, "SELECT Id, Name FROM Account WHERE Id = '001000000000000AAA'")?;
            done.clone().is(200, &json!({"state": "JobComplete", "numberRecordsProcessed": 0}))?;
            let lines = results(org, &done, "")?.body().lines().count();
            holds(lines <= 1, "at most the names of the columns", lines)
        },
    },
    Check {
        name: "parents' fields are columns with a dot",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm",
        relied_on: "parents are mirrored from a job",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("bulk parent")}))?;
            org.create("Contact", json!({"LastName": org.name("bulk child"), "AccountId": account}))?;
            let done =
                finished(org, &format!("SELECT LastName, Account.Name FROM Contact WHERE AccountId = '{account}'"))?;
            let body = results(org, &done, "")?.body();
            holds(
                body.starts_with("\"LastName\",\"Account.Name\"\n") && body.contains(&org.name("bulk parent")),
                "the column Account.Name",
                body,
            )
        },
    },
    Check {
        name: "a job cannot aggregate",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm",
        relied_on: "counts are made by REST queries",
        run: |org| refused(org, "SELECT COUNT(Id) FROM Account GROUP BY Industry"),
    },
    Check {
        name: "a job cannot read children",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm",
        relied_on: "children are read by a job of their own",
        run: |org| refused(org, "SELECT Id, (SELECT Id FROM Contacts) FROM Account"),
    },
    Check {
        name: "result pages list the addresses of a job's pages",
        source: PAGES,
        relied_on: "pages could be read at the same time",
        run: |org| {
            accounts(org, "bulk pages", 2)?;
            let done = finished(org, &soql(org, "bulk pages"))?;
            let pages = org.get(&format!("jobs/query/{}/resultPages", done.text("/id")?)).send()?;
            pages.is(200, &json!({"resultPages": [{"resultUrl": "<contains /results>"}], "done": true}))?;
            Ok(())
        },
    },
    Check {
        name: "a finished job can be deleted, and is then NOT_FOUND",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_delete_job.htm",
        relied_on: "results are not kept longer than they are needed",
        run: |org| {
            let done = finished(org, "SELECT Id FROM Account LIMIT 1")?;
            let path = format!("jobs/query/{}", done.text("/id")?);
            org.delete(&path).send()?.has_status(204)?;
            org.get(&path).send()?.has_status(404)?;
            Ok(())
        },
    },
];

fn create(org: &Org, operation: &str, soql: &str) -> Result<Answer, Finding> {
    org.post("jobs/query", json!({"operation": operation, "query": soql})).send()
}

fn refused(org: &Org, soql: &str) -> Result<(), Finding> {
    let answer = create(org, "query", soql)?;
    if answer.status == 400 {
        return Ok(());
    }
    // Some restrictions are found only when the job runs.
    let done = wait(org, "query", &answer.has_status(200)?.text("/id")?)?;
    same("the state of the job", &json!("Failed"), done.at("/state"))
}

fn finished(org: &Org, soql: &str) -> Result<Answer, Finding> {
    let created = create(org, "query", soql)?.has_status(200)?;
    wait(org, "query", &created.text("/id")?)
}

/// Waits until a job of the kind `query` or `ingest` has ended, and returns it.
pub(super) fn wait(org: &Org, kind: &str, id: &str) -> Result<Answer, Finding> {
    for read in 0..READS {
        let job = org.get(&format!("jobs/{kind}/{id}")).send()?.has_status(200)?;
        if matches!(job.at("/state").as_str(), Some("JobComplete" | "Failed" | "Aborted")) {
            return Ok(job);
        }
        org.pass_time((read / 2).clamp(1, 5))?;
    }
    Err(Finding::NotRun("the job did not end within 5 minutes".to_owned()))
}

fn results(org: &Org, job: &Answer, query: &str) -> Result<Answer, Finding> {
    let request = org.get(&format!("jobs/query/{}/results{query}", job.text("/id")?)).header("accept", "text/csv");
    request.send()?.has_status(200)
}

fn accounts(org: &Org, name: &str, count: usize) -> Result<Vec<String>, Finding> {
    let records: Vec<Value> = (0..count).map(|n| json!({"Name": org.name(&format!("{name} {n}"))})).collect();
    org.create_all("Account", records)
}

fn soql(org: &Org, name: &str) -> String {
    format!("SELECT Id, Name FROM Account WHERE Name LIKE '{}%'", org.name(name))
}
