//! A Salesforce client for the calls that Ferry makes.
//!
//! It speaks Salesforce's OAuth, REST, composite, query and UI APIs, reads outbound messages (SOAP), and
//! knows nothing of AWS or of Ferry's own state.
//! [`Client`] makes the calls; it gets its access token from a [`Sessions`] and asks for another one
//! when Salesforce refuses it.
//! Every failure is an [`Error`], whose [`Classify::retry`] says what the caller may do about it.

pub mod auth;
mod client;
mod clock;
mod collections;
pub mod composite;
pub mod datetime;
mod error;
mod host;
mod id;
mod limits;
mod name;
pub mod notes;
mod query;
mod record;
mod rest;
mod session;
pub mod soap;
pub mod soql;
pub mod transport;
mod ui_api;

pub use client::Client;
pub use clock::Clock;
pub use collections::{MAX_RETRIEVE_IDS, MAX_UPSERT_RECORDS, SaveError, SaveOutcome};
pub use composite::{CompositeAnswer, CompositeRequest};
pub use error::{BoxError, Classify, Error, Problem, Retry};
pub use host::{HostPolicy, InstanceUrl, LoginHost};
pub use id::{OrgId, RecordId};
pub use limits::{ApiUsage, Limit};
pub use name::{ApiVersion, FieldName, ObjectName};
pub use notes::{NewNote, Note, NoteHtml, NoteUpdate};
pub use query::{NextPage, Page};
pub use record::{JsonObject, Record};
pub use rest::{
    Deleted, DeletedRecord, FieldDescribe, ObjectDescribe, ObjectSummary, PicklistEntry, RecordTypeInfo, Updated,
};
pub use session::{BoxFuture, Fingerprint, Session, Sessions};
pub use soql::Soql;
pub use transport::{Http, Patience};
pub use ui_api::{MASTER_RECORD_TYPE, Picklist, PicklistValue, StageAttributes};
