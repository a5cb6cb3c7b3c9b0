//! Reads one record again, through the team's connection, and brings it into the mirror.

use mirroring::Filtered;
use salesforce::{ObjectName, RecordId};
use store::{Change, MirrorRecord, Org};

use crate::live::LiveReader;
use crate::{Deps, Error, mirror};

/// Reads the record from Salesforce, applies it to the mirror by the apply rule, and returns the row that the mirror has then:
/// this version, or a newer one that another reader has stored meanwhile. A version that is too large for the mirror leaves the
/// row as it is, with the mark that it is outdated. A version that the filter of the org's settings excludes removes the row.
///
/// # Errors
/// [`Error::NotMirrored`]; [`Error::NotFound`] if the team does not see the record, which leaves the mirror as it is;
/// [`Error::Deleted`] once the mirror knows the deletion.
pub(crate) async fn refresh(deps: &Deps, org: &Org, object: &ObjectName, id: RecordId) -> Result<MirrorRecord, Error> {
    let org_mirror = mirror::of(deps, org.org_id).await?;
    let object = org_mirror.find(object).ok_or_else(|| Error::NotMirrored(object.clone()))?;
    let reader = LiveReader::open(deps, org, None).await?;
    let mut change = reader.change(object, id, org_mirror.fields()).await;
    if matches!(&change, Err(Error::Salesforce(error)) if error.has_code("INVALID_FIELD")) {
        reader.forget(object);
        change = reader.change(object, id, org_mirror.fields()).await;
    }
    let change = change?.ok_or(Error::NotFound("record"))?;
    let Filtered { mut kept, excluded } = reader.filter(object, org_mirror.filter(object), change).await?;
    let excluded = deps.records.live_among(org.org_id, object, excluded).await?;
    kept.extend(excluded.into_iter().map(Change::Tombstone));
    for change in kept {
        match deps.records.apply(org.org_id, object, change).await {
            Ok(_) | Err(store::Error::TooLarge { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    mirror::load(deps, (org.org_id, &org_mirror), object, id).await
}
