//! The conversion of a lead to an account, a contact and, if it is wanted, an opportunity.
//!
//! A converted lead names what it was converted to, and Salesforce converts no lead twice. So a conversion is safe to repeat,
//! and one whose response was lost is found in the lead.

mod lead;
mod request;

use runtime::Schema;
use salesforce::soap::partner::{Decision, LeadConversion};
use salesforce::{Client, ObjectName, RecordId};
use serde_json::{Value, json};
use store::owner_policy::{Route, RouteError};
use store::{RecordKey, Write, WriteKind};
use writes::{Attempted, Error, WriteOperation};

use self::lead::{Converted, LEAD};
use crate::access::{self, Right};
use crate::decided::{self, Decided, Request};
use crate::delete::origin;
use crate::effects::Effects;
use crate::rows::RowOutcome;
use crate::{Deps, ownership};

pub use request::ConvertLead;

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const CONTACT: ObjectName = ObjectName::from_static("Contact");
const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");

impl WriteOperation for ConvertLead {
    type Deps = Deps;

    fn kind(&self) -> WriteKind {
        WriteKind::ConvertLead
    }

    fn object(&self) -> Option<&ObjectName> {
        const OBJECT: &ObjectName = &LEAD;
        Some(OBJECT)
    }

    fn require_allowed(&self, deps: &Deps) -> Result<(), Error> {
        self.rights().iter().try_for_each(|(object, _)| deps.writable_objects.require(object))
    }

    /// The records that are known before. What is created has no place in the order of writes.
    fn records(&self) -> Vec<RecordKey> {
        let known = [(LEAD, Some(self.lead_id)), (ACCOUNT, self.account_id), (CONTACT, self.contact_id)];
        known.into_iter().filter_map(|(object, id)| Some(RecordKey::of_id(&object, id?))).collect()
    }

    async fn execute(&self, deps: &Deps, client: &Client, route: &Route, write: &Write) -> Result<Attempted, Error> {
        let schema = access::require(deps, client, (route, write), &self.rights(), &[]).await?;
        let effects = Effects { deps, route, write };
        let from = deps.ledger.clock.now();
        let (converted, statuses) = lead::read(client, &schema, self.lead_id).await?;
        if let Some(converted) = converted {
            return Ok(self.finish(effects, from, &converted, true).await);
        }
        let status = lead::choose_status(self.status.as_deref(), statuses)?;
        let request = Conversion { client, schema: &schema, conversion: self.conversion(route, status) };
        let (converted, before) = match decided::decide(deps, write, &request).await? {
            Decided::Done(converted) => (converted, false),
            Decided::Before(converted) => (converted, true),
            Decided::Refused(row) => {
                self.require_active_owner(deps, route, write, &row)?;
                return Ok(decided::undone(row, None));
            }
            Decided::Deferred(row, retry) => return Ok(decided::undone(row, Some(retry))),
        };
        Ok(self.finish(effects, from, &converted, before).await)
    }

    fn needs_lookup(&self, _: &Write) -> bool {
        false
    }
}

impl ConvertLead {
    /// Returns the permissions that the conversion needs, beside Convert Leads, which no describe shows.
    fn rights(&self) -> Vec<(ObjectName, Right)> {
        let of = |existing: Option<RecordId>| existing.map_or(Right::Create, |_| Right::Edit);
        let mut rights = vec![(LEAD, Right::Edit), (ACCOUNT, of(self.account_id)), (CONTACT, of(self.contact_id))];
        rights.extend((!self.without_opportunity).then_some((OPPORTUNITY, Right::Create)));
        rights
    }

    /// The owner policy decides who owns what is created, unless the request does.
    fn conversion(&self, route: &Route, status: String) -> LeadConversion {
        LeadConversion {
            lead_id: self.lead_id,
            status,
            account_id: self.account_id,
            contact_id: self.contact_id,
            without_opportunity: self.without_opportunity,
            opportunity_name: self.opportunity_name.clone(),
            owner_id: Some(self.owner_id.or(route.owner_id).unwrap_or(route.user_id)),
            overwrite_lead_source: self.overwrite_lead_source,
            send_notification_email: self.send_notification_email,
        }
    }

    /// Refuses the write if Salesforce refused the owner that the route names.
    fn require_active_owner(&self, deps: &Deps, route: &Route, write: &Write, row: &RowOutcome) -> Result<(), Error> {
        let Some(owner) = route.owner_id.filter(|_| self.owner_id.is_none()) else { return Ok(()) };
        if !ownership::is_inactive(&row.errors) {
            return Ok(());
        }
        deps.ledger.users.forget(write.org_id, owner);
        Err(Error::NoRoute(RouteError::RepInactive))
    }

    /// Publishes what the conversion changed, and returns its result.
    async fn finish(
        &self,
        effects: Effects<'_>,
        from: jiff::Timestamp,
        converted: &Converted,
        before: bool,
    ) -> Attempted {
        let Converted { account_id, contact_id, opportunity_id, status } = converted;
        let lead_fields = lead::RESULT.into_iter().chain(["IsConverted", "ConvertedDate"]).map(str::to_owned).collect();
        let changed = [
            (&ACCOUNT, *account_id, Vec::new()),
            (&CONTACT, *contact_id, Vec::new()),
            (&OPPORTUNITY, *opportunity_id, Vec::new()),
            (&LEAD, Some(self.lead_id), lead_fields),
        ];
        for (object, id, fields) in changed {
            if let Some(id) = id {
                effects.publish(object, &[origin(effects, id, from, fields)]).await;
            }
        }
        let members = [
            ("account_id", json!(account_id)),
            ("contact_id", json!(contact_id)),
            ("opportunity_id", json!(opportunity_id)),
            ("converted_status", json!(status)),
            ("already_converted", Value::from(before)),
        ];
        decided::done(self.lead_id, members)
    }
}

struct Conversion<'a> {
    client: &'a Client,
    schema: &'a Schema,
    conversion: LeadConversion,
}

impl Request for Conversion<'_> {
    type Done = Converted;

    async fn send(&self) -> Result<Decision<Converted>, salesforce::Error> {
        let decision = self.client.convert_lead(&self.conversion).await?;
        Ok(decision.map(|lead| Converted::now(lead, &self.conversion.status)))
    }

    async fn look(&self) -> Result<Option<Converted>, Error> {
        lead::read_converted(self.client, self.schema, self.conversion.lead_id).await
    }

    fn advice(&self, code: &str) -> Option<&'static str> {
        match code {
            "DUPLICATES_DETECTED" => Some(
                "A duplicate rule of the org found records like those that the conversion would create (`existing_ids`, where Salesforce names them). Name the account and the contact among them as `account_id` and `contact_id`, or have an administrator of the org change the rule.",
            ),
            code if code.starts_with("INSUFFICIENT_ACCESS") || code == "CANNOT_CONVERT_LEAD" => Some(
                "Have an administrator of the org give the connection's user the permission Convert Leads, Create and Edit on accounts, contacts and opportunities, and access to the lead and to the account and contact that the request names.",
            ),
            _ => None,
        }
    }
}
