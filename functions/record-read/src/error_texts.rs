//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use salesforce::{FieldName, ObjectName};
use store::OrgState;
use store::owner_policy::RouteError;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Invalid(_) => Error::Invalid("limit must be a number from 1 to 200"),
        Error::Parameter(_) => Error::Parameter("limit must be a number from 1 to 200".to_owned()),
        Error::FieldHidden { .. } => Error::FieldHidden {
            object: ObjectName::from_static("Invoice__c"),
            field: salesforce::FieldName::from_static("Total__c"),
        },
        Error::NotFound(_) => Error::NotFound("record"),
        Error::ObjectHidden(_) => Error::ObjectHidden(ObjectName::from_static("Invoice__c")),
        Error::NoRecordType { .. } => Error::NoRecordType { offered: vec!["Renewal".to_owned()] },
        Error::NoExternalId(_) => Error::NoExternalId(FieldName::from_static("Key__c")),
        Error::SeveralRecords(_) => Error::SeveralRecords(vec!["001D000000IRFma".parse().unwrap(); 2]),
        Error::NotInMirror(_) => Error::NotInMirror(ObjectName::from_static("Account")),
        Error::NotMirrored(_) => Error::NotMirrored(ObjectName::from_static("Task")),
        Error::RepNotConnected => Error::RepNotConnected,
        Error::Deleted { .. } => Error::Deleted { merged_into: None },
        Error::CursorExpired { .. } => Error::CursorExpired { oldest: jiff::Timestamp::UNIX_EPOCH },
        Error::OrgNotActive(_) => Error::OrgNotActive(OrgState::Claimed),
        Error::NoRoute(_) => Error::NoRoute(RouteError::RepMustConnect),
        Error::Salesforce(_) => Error::Salesforce(salesforce::Error::DailyLimit { operation: "query the records" }),
        Error::Store(_) => Error::Store(store::Error::NotFound { operation: "load the org", entity: "org" }),
    });
    insta::assert_snapshot!(texts);
}
