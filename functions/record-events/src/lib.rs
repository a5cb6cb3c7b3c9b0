//! Publishes what changed in the mirror, the connections and the orgs, so that the platform hears of every applied change at least
//! once.
//!
//! | | |
//! |---|---|
//! | trigger | the streams of the `records`, the `connections` and the `orgs` table, in batches, in order per row |
//! | input | rows before and after |
//! | output | `record.changed`, `record.deleted`, `record.merged`, `record.restored`; `connection.connected`, `connection.reauth_required` and `connection.upgrade_required` with a ready link, `connection.disconnected`; `org.claimed`, `org.active`, `org.uninstalled`, `org.disconnected`, `org.quarantined`, `org.license_changed`: on the bus, as CloudEvents |
//! | failures | the first row that did not get through is reported; the stream goes on from there |
//!
//! The events come from the tables and not from whoever wrote to them: a writer that is killed right after its write is told
//! of all the same (invariant 12 of `ARCHITECTURE.md`).

pub mod batch;
pub mod change;
pub mod connection;
mod error;
pub mod org;

use aws_lambda_events::dynamodb::Event;
use connecting::connect_links::{ConnectLink, ConnectLinks, LIFE_IN_EVENT, Ticket, expiry};
use futures::{StreamExt as _, stream};
use runtime::{Aws, Chain, Env, EnvError};
use salesforce::{Clock, HostPolicy, LoginHost};
use store::origins::{Origin, may_be_noted};
use store::{Authorizations, BusEvent, Connection, EventBus, Orgs, Origins};
use tracing::{error, warn};

use crate::batch::{Answer, Batch, Told, resume_at};
use crate::change::{Change, EventValues};
pub use error::Error;

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `EVENT_BUS_NAME`: the bus that the platform listens to.
    pub event_bus_name: String,
    /// `ORGS_TABLE`: read, to see whether an org is a sandbox.
    pub orgs_table: String,
    /// `AUTHORIZATIONS_TABLE`: the links of events.
    pub authorizations_table: String,
    /// `PUBLIC_URL`: where browsers reach the HTTP API, without a trailing slash.
    pub public_url: String,
    /// `ORIGINS_TABLE`: read, to see which changes Ferry's own writes made.
    pub origins_table: String,
    /// `EVENT_VALUES`: `names` (default) or `values`.
    pub event_values: EventValues,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// A setting is missing.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            event_bus_name: env.required("EVENT_BUS_NAME")?,
            orgs_table: env.required("ORGS_TABLE")?,
            authorizations_table: env.required("AUTHORIZATIONS_TABLE")?,
            public_url: env.required("PUBLIC_URL")?.trim_end_matches('/').to_owned(),
            origins_table: env.required("ORIGINS_TABLE")?,
            event_values: env.parsed_or("EVENT_VALUES", EventValues::default())?,
        })
    }
}

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The bus.
    pub bus: EventBus,
    /// The orgs.
    pub orgs: Orgs,
    /// What Ferry's own writes changed.
    pub origins: Origins,
    /// Whether events bring values.
    pub values: EventValues,
    /// Makes the links of events.
    pub links: ConnectLinks,
    /// The time.
    pub clock: Clock,
}

impl Deps {
    /// The real ones.
    #[must_use]
    pub fn new(aws: &Aws, config: Config) -> Self {
        let authorizations = Authorizations::new(aws.dynamodb(), config.authorizations_table);
        Self {
            bus: EventBus::new(aws.eventbridge(), config.event_bus_name),
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            origins: Origins::new(aws.dynamodb(), config.origins_table),
            values: config.event_values,
            links: ConnectLinks::new(authorizations, config.public_url),
            clock: aws.clock(),
        }
    }
}

/// Publishes the events of a batch and answers where the stream must go on, if anything did not get through.
///
/// # Errors
/// None; what failed is in the answer.
pub async fn handle(deps: &Deps, event: Event) -> Result<Answer, Error> {
    let batch = Batch::read(event.records);
    let published = publish(deps, &batch).await;
    if let Some((sequence_number, error)) = &batch.unreadable {
        error!(retry = "never", "stream record {sequence_number} stops the stream: {}", Chain(error));
    }
    Ok(Answer {
        resume_at: resume_at(&batch, &published).map(str::to_owned),
        published: published.iter().filter(|published| **published).count() as u64,
        silent: batch.silent,
    })
}

/// Which of the batch's events are on the bus. One that cannot be made holds back those after it, as one that is lost does.
async fn publish(deps: &Deps, batch: &Batch) -> Vec<bool> {
    let mut made = stream::iter(&batch.events).map(|(_, told)| event_of(deps, told)).buffered(MADE_TOGETHER);
    let mut events = Vec::with_capacity(batch.events.len());
    let mut failed = None;
    while let Some(event) = made.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(source) => {
                failed = Some(source);
                break;
            }
        }
    }
    let results = deps.bus.publish(&events).await;
    let mut published: Vec<bool> = results.iter().map(Result::is_ok).collect();
    published.resize(batch.events.len(), false);
    if let Some(source) = results.into_iter().find_map(Result::err).or(failed) {
        let lost = published.iter().filter(|published| !**published).count();
        let error = Error::NotPublished { lost, total: published.len(), source };
        warn!(retry = "transient", "{}", Chain(&error));
    }
    published
}

async fn event_of(deps: &Deps, told: &Told) -> Result<BusEvent, store::Error> {
    match told {
        Told::Record(change) => {
            let origin = origin(deps, change).await?;
            Ok(change::event(change, origin.as_ref(), deps.values))
        }
        Told::Org(event) => Ok(BusEvent::clone(event)),
        Told::Connection { connection, kind, change_id } => {
            let link = if kind.wants_link() { link(deps, connection).await? } else { None };
            Ok(connection::event(connection, *kind, link.as_ref(), change_id))
        }
    }
}

/// The write of Ferry's that made the change. While that cannot be told the event waits: an echo that looks like a person's
/// change could be written back, and come again, whereas a late event harms nobody.
async fn origin(deps: &Deps, change: &Change) -> Result<Option<Origin>, store::Error> {
    match change.saved() {
        Some(saved) if may_be_noted(saved, deps.clock.now()) => {
            deps.origins.find(change.new.org_id, change.new.record_id, saved).await
        }
        _ => Ok(None),
    }
}

/// How many events are made at a time: each asks a table at most twice.
const MADE_TOGETHER: usize = 16;

/// A link by which the connection's person connects again; none where the org is no longer known.
async fn link(deps: &Deps, connection: &Connection) -> Result<Option<ConnectLink>, store::Error> {
    let Some(org) = deps.orgs.load(connection.org_id).await? else { return Ok(None) };
    // Who signed in at the org's own host does so again; the host of the environment may not let them in.
    let my_domain = LoginHost::parse_my_domain(&connection.login_url, HostPolicy::SalesforceOnly);
    let ticket = Ticket {
        tenant: connection.tenant.clone(),
        kind: connection.kind.clone(),
        environment: org.environment,
        org_id: Some(connection.org_id),
        my_domain_url: my_domain.ok().map(|host| host.to_string()),
        expires_at: expiry(deps.clock.now(), LIFE_IN_EVENT),
    };
    deps.links.create(ticket).await.map(Some)
}
