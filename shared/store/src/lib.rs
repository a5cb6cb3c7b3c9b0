//! Ferry's state: one module for each table, queue or secret. Only that module knows its keys.
//!
//! DynamoDB holds everything except secrets and the contents of files; Secrets Manager holds the tokens and the app
//! registrations; SQS and EventBridge carry messages between the functions; S3 holds the contents of files on their way to
//! Salesforce. The types are concrete and use the AWS SDK: there are no repository traits and no in-memory stand-ins. Every write is idempotent by its key or guarded by a condition. The
//! decisions behind the conditions are pure functions with property tests: [`records::rule`], [`cursors::rule`],
//! [`orgs::rule`], [`orgs::change_detection`], [`connections::reservation`], [`origins::is_made_by`], [`writes::rule`], [`writes::order`],
//! [`budgets::lanes`], [`freshness::Histogram`].
//!
//! ```no_run
//! use salesforce::{Clock, ObjectName, OrgId, Record};
//! use store::{ApplyOutcome, Change, Records};
//!
//! # async fn example(client: aws_sdk_dynamodb::Client, org: OrgId, record: Record) -> Result<(), store::Error> {
//! let records = Records::new(client, "my-stack-records");
//! let account = ObjectName::from_static("Account");
//! let change = Change::Upsert { record, read_at: Clock::system().now() };
//! match records.apply(org, &account, change).await? {
//!     ApplyOutcome::Applied => { /* the stream publishes the change */ }
//!     ApplyOutcome::Unchanged | ApplyOutcome::Stale => {}
//! }
//! # Ok(())
//! # }
//! ```

pub mod apps;
pub mod audits;
pub mod authorizations;
pub mod aws;
pub mod batch;
pub mod budgets;
pub mod connections;
pub mod cursors;
pub mod dead_letters;
pub mod deferral;
pub mod deliveries;
pub mod erasures;
mod error;
#[cfg(test)]
mod error_texts;
pub mod event_deliveries;
pub mod event_endpoints;
pub mod events;
pub mod freshness;
pub mod hints;
pub mod ids;
mod json_text;
pub mod org_data;
pub mod org_settings;
pub mod orgs;
pub mod origins;
pub mod owner_policy;
pub mod pipelines;
pub mod queues;
pub mod records;
pub mod staged_files;
mod table;
pub mod time;
pub mod token_vault;
pub mod user_mappings;
pub mod webhook_secret;
pub mod writes;

pub use apps::{AppRegistration, Apps, PublicApp};
pub use audits::{Audit, AuditCounts, AuditState, Audits, RowsHash};
pub use authorizations::{Authorization, AuthorizationId, Authorizations, Purpose};
pub use budgets::{Allowance, Budget, BudgetWarning, Budgets, Lane, Made, Observation, OrgLimits, Outlook};
pub use connections::{
    ConditionState, Connection, ConnectionKind, ConnectionState, Connections, Consent, Lease, LeaseClaim, LeaseOutcome,
    LeaseRequest, LeaseSlot, PendingGrant, Reservation, SunsetWarning, UserRights,
};
pub use cursors::{
    BackfillMethod, BackfillProgress, Cursor, CursorName, Cursors, FieldChanges, LeftOut, Position, ScanKey, SeenFields,
};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use deferral::Deferrals;
pub use deliveries::{Deliveries, Delivery, DeliveryOutcome};
pub use erasures::{Erasure, ErasureState, ErasureTask, Erasures};
pub use error::{Error, ITEM_LIMIT};
pub use event_deliveries::{EndedEvent, EventDeliveries, EventDeliveryTask, WaitingEvent};
pub use event_endpoints::{EndpointId, EventEndpoint, EventEndpoints, SigningSecret};
pub use events::kind::EventKind;
pub use events::{BusEvent, EventBus};
pub use freshness::{ChangeLane, Freshness, HourlyFreshness, Measured, Objectives, VisibleIn};
pub use hints::{ChangeHint, RecordRef, Source};
pub use ids::{
    ConnectionId, DeliveryId, ErasureId, IdempotencyKey, InvalidText, PlatformUser, Tenant, TokenVersion, WriteId,
};
pub use org_data::{OrgData, OrgTable, RecordLedger};
pub use org_settings::{Allocation, OrgSettings, OrgSettingsTable, SettingsCache, SettingsChange, SettingsVersion};
pub use orgs::{
    Activation, ActivationRequest, Announcement, BindingRight, ChangeDetection, DetectionMethod, DetectionReason,
    Edition, Environment, InstallClaim, License, LicenseManagement, LicenseNotice, LicenseState, LicenseStatus,
    ListedOrg, MAX_COPIES, Org, OrgPage, OrgState, Orgs, PollingChoice, Quarantine, SeenCopy, verify_webhook_secret,
};
pub use origins::{Origins, SavedVersion};
pub use owner_policy::WriteRoute;
pub use pipelines::{BusinessProcess, Pipeline, PipelineChange, Pipelines, PipelinesAt, RefreshedPipelines, Stage};
pub use queues::{Message, NewDeadLetter, Queue, RefreshKind, RefreshTask, WriteTask};
pub use records::{
    ApplyOutcome, Change, ChangeKey, ChangedPage, ChangedRecord, ChangesFrom, DeletionReason, MirrorRecord,
    RecordCount, RecordPage, Records, RowState, RowVersion, Tombstone, VersionPage,
};
pub use staged_files::{StagedFiles, StagedKey};
pub use table::PageKey;
pub use token_vault::{Protection, TokenGrant, TokenVault, Tokens};
pub use user_mappings::{UserMapping, UserMappings};
pub use webhook_secret::{SecretHash, WebhookSecret};
pub use writes::client_keys::{self, ClientKey, ClientKeys};
pub use writes::order::{Place, RecordKey, WriteOrder};
pub use writes::{
    BeginOutcome, ListedState, NewWrite, Obstacle, QueuedState, Retried, WaitingFor, Write, WriteFilter, WriteKind,
    WritePage, WritePosition, WriteState, Writes,
};
