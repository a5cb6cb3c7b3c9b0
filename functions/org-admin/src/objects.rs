//! The mirrored objects of an org.

use salesforce::{ObjectName, OrgId};

use crate::{Deps, Error};

/// Returns the mirrored objects of the org.
pub(crate) async fn mirrored(deps: &Deps, org: OrgId) -> Result<Vec<ObjectName>, Error> {
    let settings = deps.settings.load(org).await?.map(|version| version.settings).unwrap_or_default();
    Ok(settings.mirrored_objects(&deps.mirrored_objects).to_vec())
}

/// Returns the mirrored object of this name, which Salesforce compares without case.
///
/// # Errors
/// [`Error::Invalid`] if it is not mirrored.
pub(crate) async fn find(deps: &Deps, org: OrgId, object: &ObjectName) -> Result<ObjectName, Error> {
    let objects = mirrored(deps, org).await?;
    let found = objects.into_iter().find(|mirrored| mirrored.as_str().eq_ignore_ascii_case(object.as_str()));
    found.ok_or(Error::Invalid("object must be one of the org's mirrored objects"))
}
