//! Records from the mirror.

use mirroring::OrgMirror;
use salesforce::{HostPolicy, InstanceUrl, ObjectName, OrgId, RecordId};
use store::{ConnectionId, MirrorRecord, Org};

use crate::{Deps, Error};

/// Returns what of the org is mirrored. Costs one read of the `org_settings` table a minute for each org.
pub(crate) async fn of(deps: &Deps, org: OrgId) -> Result<OrgMirror, Error> {
    let settings = deps.settings.load(org, deps.clock.now()).await?;
    Ok(OrgMirror::new(&settings, &deps.mirrored_objects, &deps.mirrored_fields))
}

/// Loads one record. The object is looked up in the request's spelling, then in that of the configuration.
///
/// # Errors
/// [`Error::NotMirrored`], [`Error::NotInMirror`], [`Error::Deleted`].
pub(crate) async fn load(
    deps: &Deps,
    (org, mirror): (OrgId, &OrgMirror),
    object: &ObjectName,
    id: RecordId,
) -> Result<MirrorRecord, Error> {
    let configured = mirror.find(object).ok_or_else(|| Error::NotMirrored(object.clone()))?;
    let mut row = deps.records.load(org, object, id).await?;
    if row.is_none() && configured.as_str() != object.as_str() {
        row = deps.records.load(org, configured, id).await?;
    }
    let mut row = row.ok_or_else(|| Error::NotInMirror(object.clone()))?;
    if row.deleted {
        return Err(Error::Deleted { merged_into: row.master_record_id });
    }
    mirror.retain(&mut row);
    Ok(row)
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
