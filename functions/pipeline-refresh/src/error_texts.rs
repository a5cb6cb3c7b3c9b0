//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::{error_texts, push, samples};
use runtime::failures::{FailedWork, Failure};
use salesforce::{ObjectName, OrgId};

use crate::Error;
use crate::scan::PageFault;
use crate::selection::Skip;

fn errors() -> Vec<(&'static str, Error)> {
    samples!(Error {
        Error::State(_) => Error::State(store::Error::NotFound { operation: "load the org", entity: "org" }),
        Error::Pipelines { .. } => Error::Pipelines { org: org(), source: salesforce::Error::DailyLimit { operation: "query the records" } },
        Error::Rows { .. } => Error::Rows { org: org(), object: ObjectName::from_static("Account"), source: salesforce::Error::DailyLimit { operation: "query the records" } },
        Error::Page { .. } => Error::Page { org: org(), object: ObjectName::from_static("Account"), source: PageFault::Short },
        Error::Jobs { .. } => Error::Jobs { org: org(), object: ObjectName::from_static("Account"), code: None },
    })
}

#[test]
fn error_texts_read_as_sentences() {
    let mut texts = String::new();
    errors().iter().for_each(|(variant, error)| push(&mut texts, variant, error));
    texts += &error_texts!(PageFault {
        PageFault::Short => PageFault::Short,
        PageFault::OutOfOrder => PageFault::OutOfOrder,
        PageFault::WithoutKey => PageFault::WithoutKey,
        PageFault::NoProgress => PageFault::NoProgress,
    });
    insta::assert_snapshot!(texts);
}

#[test]
fn the_health_knows_every_reason_of_a_failed_scan() {
    let skips = samples!(Skip {
        Skip::Invisible => Skip::Invisible,
        Skip::NotQueryable => Skip::NotQueryable,
        Skip::WithoutSystemModstamp => Skip::WithoutSystemModstamp,
        Skip::NotMirrored => Skip::NotMirrored,
        Skip::NotCopied => Skip::NotCopied,
    });
    let stored = ["over_budget", "rows_too_large", "rows_unreadable", crate::left_out::TOO_LARGE];
    let audits = [crate::audit::RECORDS_VANISHED];
    let pipelines = [crate::pipelines::HIDDEN, crate::pipelines::STAGES_HIDDEN, crate::pipelines::MISSING];
    let named = stored.iter().chain(&audits).chain(&pipelines).map(|reason| (*reason).to_owned());
    let reasons = errors().into_iter().map(|(_, error)| error.reason());
    for reason in reasons.chain(skips.iter().map(|(_, skip)| skip.reason().to_owned())).chain(named) {
        assert!(Failure::known(&reason, FailedWork::Sync).is_some(), "runtime::failures does not know {reason}");
    }
}

fn org() -> OrgId {
    "00D5e000000KQ2eEAG".parse().unwrap()
}
