//! Records from the mirror.

use salesforce::{HostPolicy, InstanceUrl, ObjectName, OrgId, RecordId};
use store::{ConnectionId, MirrorRecord, Org};

use crate::{Deps, Error};

/// Loads one record. The object is looked up in the request's spelling, then in that of the configuration.
pub(crate) async fn load(deps: &Deps, org: OrgId, object: &ObjectName, id: RecordId) -> Result<MirrorRecord, Error> {
    let configured = deps.mirrored_objects.iter().find(|mirrored| *mirrored == object);
    let mut row = deps.records.load(org, object, id).await?;
    if let (None, Some(configured)) = (&row, configured.filter(|name| name.as_str() != object.as_str())) {
        row = deps.records.load(org, configured, id).await?;
    }
    match row {
        None if configured.is_none() => Err(Error::NotMirrored(object.clone())),
        None => Err(Error::NotInMirror(object.clone())),
        Some(row) if row.deleted => Err(Error::Deleted { merged_into: row.master_record_id }),
        Some(row) => Ok(row),
    }
}

/// Returns the base URL of the org: its My Domain, or the one that the team's connection has.
pub(crate) async fn instance_url(deps: &Deps, org: &Org) -> Result<Option<InstanceUrl>, Error> {
    let url = match &org.my_domain_url {
        Some(url) => Some(url.clone()),
        None => deps.connections.load(org.org_id, &ConnectionId::team()).await?.map(|team| team.instance_url),
    };
    // The URL was checked when it was stored.
    Ok(url.and_then(|url| InstanceUrl::parse(&url, HostPolicy::LoopbackToo).ok()))
}
