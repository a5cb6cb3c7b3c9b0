//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use salesforce::{ObjectName, OrgId};

use crate::Error;
use crate::scan::PageFault;

#[test]
fn error_texts_read_as_sentences() {
    let mut texts = String::new();
    texts += &error_texts!(Error {
        Error::State(_) => Error::State(store::Error::NotFound { operation: "load the org", entity: "org" }),
        Error::Pipelines { .. } => Error::Pipelines { org: org(), source: salesforce::Error::DailyLimit { operation: "query the records" } },
        Error::Rows { .. } => Error::Rows { org: org(), object: ObjectName::from_static("Account"), source: salesforce::Error::DailyLimit { operation: "query the records" } },
        Error::Page { .. } => Error::Page { org: org(), object: ObjectName::from_static("Account"), source: PageFault::Short },
        Error::Jobs { .. } => Error::Jobs { org: org(), object: ObjectName::from_static("Account"), code: None },
    });
    texts += &error_texts!(PageFault {
        PageFault::Short => PageFault::Short,
        PageFault::OutOfOrder => PageFault::OutOfOrder,
        PageFault::WithoutKey => PageFault::WithoutKey,
        PageFault::NoProgress => PageFault::NoProgress,
    });
    insta::assert_snapshot!(texts);
}

fn org() -> OrgId {
    "00D5e000000KQ2eEAG".parse().unwrap()
}
