//! Configuration and dependencies.

use runtime::{Aws, Env, EnvError, host_policy};
use salesforce::{Clock, HostPolicy};
use store::{EventBus, EventDeliveries, EventDeliveryTask, EventEndpoints, Orgs, Queue};

use crate::{Error, Sender};

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`: read by the guard of the HTTP API.
    pub orgs_table: String,
    /// `EVENT_ENDPOINTS_TABLE`: the endpoints, with their secrets.
    pub event_endpoints_table: String,
    /// `EVENT_DELIVERIES_TABLE`: the events that wait, and the outcomes.
    pub event_deliveries_table: String,
    /// `EVENT_DELIVERY_QUEUE_URL`: the function's own queue.
    pub event_delivery_queue_url: String,
    /// `EVENT_BUS_NAME`: the bus on which a pause is published.
    pub event_bus_name: String,
    /// `SALESFORCE_HOSTS`: with `loopback`, endpoints on this machine are accepted too, without TLS.
    pub hosts: HostPolicy,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            event_endpoints_table: env.required("EVENT_ENDPOINTS_TABLE")?,
            event_deliveries_table: env.required("EVENT_DELIVERIES_TABLE")?,
            event_delivery_queue_url: env.required("EVENT_DELIVERY_QUEUE_URL")?,
            event_bus_name: env.required("EVENT_BUS_NAME")?,
            hosts: host_policy(env)?,
        })
    }
}

/// The function's dependencies.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The endpoints.
    pub endpoints: EventEndpoints,
    /// The events that wait, and the outcomes.
    pub deliveries: EventDeliveries,
    /// The function's own queue.
    pub tasks: Queue<EventDeliveryTask>,
    /// The event bus.
    pub bus: EventBus,
    /// Sends the requests.
    pub sender: Sender,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    ///
    /// # Errors
    /// The machine has no usable TLS configuration.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, Error> {
        Ok(Self {
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            endpoints: EventEndpoints::new(aws.dynamodb(), config.event_endpoints_table),
            deliveries: EventDeliveries::new(aws.dynamodb(), config.event_deliveries_table),
            tasks: Queue::new(aws.sqs(), config.event_delivery_queue_url, aws.clock()),
            bus: EventBus::new(aws.eventbridge(), config.event_bus_name),
            sender: Sender::new(config.hosts)?,
            clock: aws.clock(),
        })
    }
}
