//! The links of a file to its records, which follow the file. Salesforce decides about each.

use salesforce::files::FileLink;
use salesforce::notes::ShareType;
use salesforce::{Classify, Client, Error, RecordId, Retry, SaveError, SaveOutcome};
use serde::{Deserialize, Serialize};

/// The maximum stored length of one of Salesforce's messages.
const MAX_MESSAGE_CHARS: usize = 400;

/// The outcome of one link, as the ledger stores it and the platform reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkOutcome {
    /// The record.
    pub record: RecordId,
    /// `true` if the record has the file.
    pub linked: bool,
    /// Salesforce's reasons for which it does not have it, or not with the requested access.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<SaveError>,
}

/// Returns the outcomes of the links of a new file: the first record has it, and the others wait.
#[must_use]
pub fn of_new_file(records: &[RecordId]) -> Vec<LinkOutcome> {
    let link =
        |(index, record): (usize, &RecordId)| LinkOutcome { record: *record, linked: index == 0, errors: Vec::new() };
    records.iter().enumerate().map(link).collect()
}

/// Links the file to those of the records that do not have it, and gives them the requested access. Returns the retry that what
/// is missing allows, if anything is. `is_new` says that the file has no other link than that to its first record.
pub async fn complete(
    client: &Client,
    document: &RecordId,
    share_type: ShareType,
    outcomes: &mut [LinkOutcome],
    is_new: bool,
) -> Option<Retry> {
    match try_complete(client, document, share_type, outcomes, is_new).await {
        Ok(()) => open(outcomes),
        Err(error) if error.retry() == Retry::Never => {
            refuse(outcomes, &error);
            None
        }
        Err(error) => Some(error.retry()),
    }
}

async fn try_complete(
    client: &Client,
    document: &RecordId,
    share_type: ShareType,
    outcomes: &mut [LinkOutcome],
    is_new: bool,
) -> Result<(), Error> {
    let mut other_access = Vec::new();
    if !is_new || share_type != ShareType::default() {
        let links = client.file_links(document).await?;
        other_access = adopt(outcomes, &links, share_type);
    }
    let missing: Vec<RecordId> = outcomes.iter().filter(|link| !link.linked).map(|link| link.record).collect();
    let made = client.link_file(document, &missing, share_type).await?;
    decide(outcomes, &missing, made);
    let (records, ids): (Vec<RecordId>, Vec<RecordId>) = other_access.into_iter().unzip();
    let changed = client.change_links(&ids, share_type).await?;
    decide(outcomes, &records, changed);
    Ok(())
}

/// Marks the records that have the file. Returns those whose link gives another access, with the link.
fn adopt(outcomes: &mut [LinkOutcome], links: &[FileLink], share_type: ShareType) -> Vec<(RecordId, RecordId)> {
    let wanted = share_type.code();
    let mut other_access = Vec::new();
    for outcome in outcomes {
        let found = links.iter().find(|link| link.record == outcome.record);
        outcome.linked = found.is_some();
        other_access.extend(found.filter(|link| wanted != link.share_type).map(|link| (link.record, link.id)));
    }
    other_access
}

/// Enters what Salesforce decided about links of these records. A link that was there already is no failure.
fn decide(outcomes: &mut [LinkOutcome], records: &[RecordId], decisions: Vec<SaveOutcome>) {
    for (record, decision) in records.iter().zip(decisions) {
        let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.record == *record) else { continue };
        let exists = decision.errors.iter().any(|error| error.code == "DUPLICATE_VALUE");
        outcome.linked |= decision.success || exists;
        outcome.errors = if decision.success || exists { Vec::new() } else { decision.errors };
        for error in &mut outcome.errors {
            error.message = error.message.chars().take(MAX_MESSAGE_CHARS).collect();
        }
    }
}

/// Enters the refusal of the whole request.
fn refuse(outcomes: &mut [LinkOutcome], error: &Error) {
    let reasons = error.problems().iter().map(|problem| SaveError {
        code: problem.code.clone(),
        fields: problem.fields.clone(),
        ..SaveError::default()
    });
    let reasons: Vec<SaveError> = reasons.collect();
    outcomes.iter_mut().filter(|link| !link.linked).for_each(|link| link.errors.clone_from(&reasons));
}

/// Returns the retry that the refused links allow; `None` if all are decided.
fn open(outcomes: &[LinkOutcome]) -> Option<Retry> {
    let retries = outcomes.iter().flat_map(|link| &link.errors).map(Classify::retry);
    retries.into_iter().find(|retry| matches!(retry, Retry::After(_) | Retry::Unknown(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> RecordId {
        format!("00100000000000{number}").parse().unwrap()
    }

    fn refusal(code: &str) -> SaveOutcome {
        let errors = vec![SaveError { code: code.to_owned(), ..SaveError::default() }];
        SaveOutcome { id: None, success: false, created: false, errors }
    }

    #[test]
    fn a_link_that_exists_is_made() {
        let mut links = of_new_file(&[id(1), id(2)]);
        decide(&mut links, &[id(2)], vec![refusal("DUPLICATE_VALUE")]);
        assert!(links.iter().all(|link| link.linked && link.errors.is_empty()), "{links:?}");
        assert_eq!(open(&links), None);
    }

    #[test]
    fn only_a_refusal_that_passes_by_itself_is_tried_again() {
        let mut links = of_new_file(&[id(1), id(2)]);
        decide(&mut links, &[id(2)], vec![refusal("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY")]);
        assert_eq!((links[1].linked, open(&links)), (false, None));
        decide(&mut links, &[id(2)], vec![refusal("UNABLE_TO_LOCK_ROW")]);
        assert!(matches!(open(&links), Some(Retry::After(_))));
    }

    #[test]
    fn a_link_with_another_access_is_changed_not_made() {
        let mut links = of_new_file(&[id(1), id(2), id(3)]);
        let link = |number: u8, share_type: &str| FileLink {
            id: format!("06A00000000000{number}").parse().unwrap(),
            record: id(number),
            share_type: share_type.to_owned(),
        };
        let found = [link(1, "V"), link(2, "I")];
        assert_eq!(adopt(&mut links, &found, ShareType::Inferred), [(id(1), found[0].id)]);
        assert_eq!(links.iter().map(|link| link.linked).collect::<Vec<_>>(), [true, true, false]);
    }
}
