//! The responses about erasures.

use std::collections::BTreeMap;

use salesforce::OrgId;
use serde::Serialize;
use store::erasures::Left;
use store::{Erasure, ErasureId, ErasureState};

/// An erasure as the API returns it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ErasureView {
    erasure_id: ErasureId,
    org_id: OrgId,
    subject: Subject,
    state: ErasureState,
    requested_at: String,
    begins_at: String,
    updated_at: String,
    deleted: BTreeMap<String, u64>,
    left: Vec<Left>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Subject {
    Org,
    Record,
}

impl From<&Erasure> for ErasureView {
    fn from(erasure: &Erasure) -> Self {
        Self {
            erasure_id: erasure.erasure_id,
            org_id: erasure.org_id,
            subject: if erasure.of_record { Subject::Record } else { Subject::Org },
            state: erasure.state,
            requested_at: store::time::format(erasure.requested_at),
            begins_at: store::time::format(erasure.begins_at),
            updated_at: store::time::format(erasure.updated_at),
            deleted: erasure.deleted.clone(),
            left: erasure.left(),
        }
    }
}
