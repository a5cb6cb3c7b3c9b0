//! The results of a job, in pages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value as Json, json};

use super::job::wrong_state;
use crate::api::call::Call;
use crate::model::bulk::job::{Job, Work};
use crate::model::bulk::listing::Listing;
use crate::model::errors::ApiError;

/// Result pages listed in one response of `resultPages`.
const PAGES: usize = 5;

/// One page of CSV.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) csv: String,
    pub(super) records: usize,
    /// The locator of the next page.
    pub(super) locator: Option<String>,
}

/// Returns a page of the named results of a job; without `maxRecords`, a page has `default` records.
pub(super) fn page(job: &Job, name: &str, call: &Call, default: usize) -> Result<Page, ApiError> {
    only(call, &["locator", "maxRecords"])?;
    if !job.head.state.is_final() {
        return Err(not_ready());
    }
    let listing;
    let listing = match (&job.work, name) {
        (Work::Query(query), "results") => {
            complete(job, call)?;
            &query.found
        }
        (Work::Ingest(ingest), "successfulResults") => {
            listing = ingest.successes(job.head.format);
            &listing
        }
        (Work::Ingest(ingest), "failedResults") => {
            listing = ingest.failures(job.head.format);
            &listing
        }
        // The guide spells it in lower case; the spelling of the other two resources is accepted too.
        (Work::Ingest(ingest), "unprocessedrecords" | "unprocessedRecords") => {
            listing = ingest.unprocessed(job.head.format);
            &listing
        }
        _ => return Err(ApiError::not_found()),
    };
    let from = start(call, listing)?;
    let count = match call.parameter("maxRecords") {
        None => default,
        Some(text) => text.parse().ok().filter(|count| *count > 0).ok_or_else(|| {
            ApiError::new("INVALID_ARGUMENT", format!("maxRecords must be a positive number, not {text}"))
        })?,
    };
    let to = listing.len().min(from.saturating_add(count));
    let locator = (to < listing.len()).then(|| locator_of(to));
    Ok(Page { csv: listing.page(from, count), records: to - from, locator })
}

/// Lists up to five result pages, which may be fetched in parallel (Bulk API 2.0 guide, parallel results; since 58.0).
pub(super) fn pages(job: &Job, call: &Call, page: usize) -> Result<Json, ApiError> {
    only(call, &["locator"])?;
    if call.version.split('.').next().and_then(|version| version.parse().ok()).is_none_or(|version: u32| version < 58) {
        return Err(ApiError::not_found());
    }
    if !job.head.state.is_final() {
        return Err(not_ready());
    }
    let Work::Query(query) = &job.work else { return Err(ApiError::not_found()) };
    complete(job, call)?;
    let base = format!("/services/data/v{}/jobs/query/{}", call.version, job.head.id);
    let starts = (start(call, &query.found)?..query.found.len().max(1)).step_by(page.max(1));
    let mut urls: Vec<Json> = starts
        .take(PAGES + 1)
        .map(|from| json!({"resultUrl": format!("{base}/results?locator={}", locator_of(from))}))
        .collect();
    let next = (urls.len() > PAGES).then(|| urls.pop()).flatten();
    let next = next.and_then(|url| url["resultUrl"].as_str().map(|url| url.replace("/results?", "/resultPages?")));
    Ok(json!({"resultPages": urls, "nextRecordsUrl": next, "done": next.is_none()}))
}

/// Returns an error unless the query job is complete and the request has the version that created the job. The guide
/// names the status 409; its code and message are unverified.
fn complete(job: &Job, call: &Call) -> Result<(), ApiError> {
    if job.head.version != call.version {
        let message = format!(
            "The job was created with API version {} and its results cannot be read with API version {}",
            job.head.version, call.version
        );
        return Err(ApiError::new("API_VERSION_MISMATCH", message).status(409));
    }
    if job.head.state == crate::model::bulk::job::State::JobComplete { Ok(()) } else { Err(not_ready()) }
}

/// The code is that of other requests in a wrong state; the message is unverified.
fn not_ready() -> ApiError {
    wrong_state("Results are available only after the job has completed")
}

fn start(call: &Call, listing: &Listing) -> Result<usize, ApiError> {
    let Some(locator) = call.parameter("locator") else { return Ok(0) };
    let read = || {
        let bytes = STANDARD_NO_PAD.decode(locator.trim_end_matches('=')).ok()?;
        let from: usize = std::str::from_utf8(&bytes).ok()?.parse().ok()?;
        (from == 0 || from < listing.len()).then_some(from)
    };
    read().ok_or_else(|| ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator"))
}

/// Returns the locator of the page that begins after `from` records: `MTAwMDA` for 10,000, as in the guide.
fn locator_of(from: usize) -> String {
    STANDARD_NO_PAD.encode(from.to_string())
}

/// Rejects a parameter that the resource does not have.
pub(super) fn only(call: &Call, names: &[&str]) -> Result<(), ApiError> {
    match call.query.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some((name, _)) => {
            tracing::warn!(parameter = name, path = call.path.join("/"), "the simulator does not know this parameter");
            Err(ApiError::new("INVALID_ARGUMENT", format!("Unknown parameter: {name}")))
        }
    }
}
