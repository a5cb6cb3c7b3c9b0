//! The resources of an API version, the org's limits and its record counts.

use serde_json::{Map, Value as Json, json};

use crate::api::call::Call;
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::limits::Allowance;
use crate::model::org::Org;

/// Returns the body of `GET /services/data/vNN.0`: the resources, and the identity of the user.
pub(super) fn resources(org: &Org, actor: &Actor, call: &Call) -> Json {
    let names = [
        "composite",
        "jobs",
        "limits",
        "parameterizedSearch",
        "query",
        "queryAll",
        "recent",
        "search",
        "sobjects",
        "tooling",
        "ui-api",
    ];
    let mut all: Map<String, Json> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!(format!("/services/data/v{}/{name}", call.version))))
        .collect();
    all.insert("identity".to_owned(), json!(format!("{}/id/{}/{}", org.base_url, org.id, actor.user)));
    all.into()
}

pub(super) fn limits(org: &Org) -> Json {
    let (now, result_kb) = (org.clock.now(), &org.bulk.result_kb);
    let daily = |allowance: &Allowance| json!({"Max": allowance.max, "Remaining": allowance.remaining(now)});
    json!({
        "ConcurrentAsyncGetReportInstances": {"Max": 200, "Remaining": 200},
        "DailyApiRequests": daily(&org.limits),
        "DailyBulkApiBatches": daily(&org.bulk.batches),
        "DailyBulkV2QueryFileStorageMB": {"Max": result_kb.max / 1_024, "Remaining": result_kb.remaining(now) / 1_024},
        "DailyBulkV2QueryJobs": daily(&org.bulk.query_jobs),
        "DailyDeliveredPlatformEvents": {"Max": 10_000, "Remaining": 10_000},
        "DataStorageMB": {"Max": 1_024, "Remaining": 1_024},
        "FileStorageMB": {"Max": 1_024, "Remaining": 1_024},
        "HourlyPublishedPlatformEvents": {"Max": 50_000, "Remaining": 50_000},
    })
}

/// Returns the numbers of live records; an object without records is left out.
pub(super) fn record_count(org: &Org, actor: &Actor, call: &Call) -> Json {
    let requested: Option<Vec<&str>> =
        call.parameter("sObjects").map(|names| names.split(',').map(str::trim).collect());
    let selected =
        |name: &str| requested.as_ref().is_none_or(|names| names.iter().any(|n| n.eq_ignore_ascii_case(name)));
    let counts: Vec<Json> = org
        .schema
        .objects()
        .filter(|object| selected(&object.name) && org.has_permission(actor, Permission::Read, object))
        .filter_map(|object| org.store.table(&object.name).map(|table| (table.live(), &object.name)))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| json!({"count": count, "name": name}))
        .collect();
    json!({"sObjects": counts})
}
