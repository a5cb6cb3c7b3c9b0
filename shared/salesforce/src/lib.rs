//! A Salesforce client for the calls that Ferry makes.
//!
//! It covers Salesforce's OAuth, REST, composite, query, Bulk, Tooling and UI APIs, and parses outbound messages (SOAP) and
//! change events. It depends neither on AWS nor on Ferry's state.
//! A [`Client`] makes the calls. It gets its access token from a [`Sessions`], and requests another one if Salesforce
//! refuses it.
//! A call that fails returns an [`Error`], and [`Classify::retry`] returns the retry that the error allows.
//!
//! ```
//! use std::sync::Arc;
//!
//! use salesforce::{
//!     ApiVersion, BoxFuture, Client, Clock, Error, FieldName, Fingerprint, HostPolicy, Http, ObjectName, Record, Session,
//!     Sessions, Soql, soql,
//! };
//!
//! const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
//! const NAME: FieldName = FieldName::from_static("Name");
//! const IS_CLOSED: FieldName = FieldName::from_static("IsClosed");
//!
//! /// Has only one session.
//! struct Single(Session);
//!
//! impl Sessions for Single {
//!     fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
//!         Box::pin(async move {
//!             match refused {
//!                 None => Ok(self.0.clone()),
//!                 Some(_) => Err(Error::SessionRefused { operation: "renew the session" }),
//!             }
//!         })
//!     }
//! }
//!
//! async fn open_opportunities(session: Session) -> Result<Vec<Record>, Error> {
//!     let http = Http::new(HostPolicy::SalesforceOnly, Clock::system())?;
//!     let client = Client::new(http, Arc::new(Single(session)), ApiVersion::DEFAULT);
//!     let open = Soql::select(&[NAME]).from(&OPPORTUNITY).where_(soql::eq(&IS_CLOSED, false)).order_by(&NAME);
//!     let mut page = client.query(&open).await?;
//!     let mut records = page.records;
//!     while let Some(next) = page.next {
//!         page = client.query_more(&next).await?;
//!         records.append(&mut page.records);
//!     }
//!     Ok(records)
//! }
//! ```
//!
//! See `ARCHITECTURE.md` for the system.

pub mod auth;
mod backoff;
pub mod bulk;
pub mod change_event;
mod client;
mod clock;
mod collections;
pub mod composite;
pub mod datetime;
pub mod deadline;
mod decimal;
mod describe;
mod duplicates;
mod error;
#[cfg(test)]
mod error_texts;
pub mod external_id;
pub mod files;
pub mod graph;
mod host;
mod id;
mod key_cache;
mod layout;
mod limits;
mod meter;
mod name;
pub mod notes;
mod query;
mod record;
mod replication;
pub mod search;
mod session;
pub mod soap;
pub mod soql;
mod text;
pub mod tooling;
mod transport;
mod ui_api;

pub use backoff::Backoff;
pub use client::Client;
pub use clock::Clock;
pub use collections::{MAX_RETRIEVE_IDS, MAX_UPSERT_RECORDS, SaveError, SaveOptions, SaveOutcome};
pub use composite::{CompositeRequest, CompositeResponse};
pub use decimal::Decimal;
pub use describe::{FieldDescribe, ObjectDescribe, ObjectSummary, PicklistEntry, RecordTypeInfo};
pub use duplicates::{DuplicateMatch, DuplicateResult};
pub use error::{BoxError, Classify, Condition, Error, Problem, ResolvedBy, Retry};
pub use external_id::ExternalIdType;
pub use files::NewFile;
pub use host::{HostPolicy, InstanceUrl, LoginHost};
pub use id::{OrgId, RecordId};
pub use layout::{Layout, LayoutComponent, LayoutItem, LayoutSection};
pub use limits::OrgLimit;
pub use meter::{ApiUsage, MeterReading};
pub use name::{ApiVersion, FieldName, ObjectName};
pub use notes::{NewNote, Note, NoteHtml, NoteUpdate};
pub use query::{Group, NextPage, Page};
pub use record::{JsonObject, Record};
pub use replication::{DeletedRecord, DeletedRecords};
pub use search::Sosl;
pub use session::{BoxFuture, Fingerprint, Session, Sessions, Unusable};
pub use soql::Soql;
pub use transport::{ContentStream, FileContent, Http, Timeouts};
pub use ui_api::{MASTER_RECORD_TYPE, Picklist, PicklistValue, StageAttributes};
