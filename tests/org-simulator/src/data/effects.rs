//! The records that Salesforce itself writes when a client writes another one.

mod activities;
mod campaigns;
mod contacts;
mod leads;
mod opportunities;
mod people;
mod teams;

use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;

impl Org {
    /// Writes what follows from a record that has just been created, or changed from `before`.
    pub(crate) fn after_write(
        &mut self,
        actor: &Actor,
        object: &str,
        id: RecordId,
        before: Option<&Row>,
    ) -> Result<(), ApiError> {
        let owner = |row: Option<&Row>| row.map(|row| self.value(object, row, "OwnerId").clone());
        if before.is_some() && owner(before) != owner(self.store.get(object, id).map(|row| &**row)) {
            self.owner_changed(object, id);
        }
        match object {
            "Task" | "Event" => self.activity_written(actor, object, id, before),
            "TaskRelation" | "EventRelation" => self.activity_relation_added(object, id, before),
            "Campaign" if before.is_none() => self.campaign_created(actor, id),
            "CampaignMember" => self.count_campaign_members(id),
            "Contact" => self.contact_written(actor, id, before),
            "Lead" => self.lead_written(actor, id, before),
            "Opportunity" => self.opportunity_written(actor, id, before),
            "OpportunityLineItem" => self.line_item_written(actor, id),
            "AccountTeamMember" | "OpportunityTeamMember" => self.team_member_written(actor, object, id),
            "User" => self.user_written(id, before)?,
            "UserLogin" => self.user_login_written(id),
            "UserRole" => self.role_written(id, before),
            "PermissionSet" | "PermissionSetAssignment" => self.show_rights_of_everybody(),
            _ => {}
        }
        Ok(())
    }

    /// Writes what follows from a record that has just been deleted or restored.
    pub(crate) fn after_delete(&mut self, actor: &Actor, object: &Object, id: RecordId) {
        let deleted = self.store.get(&object.name, id).is_some_and(|row| row.is_deleted());
        match object.name.as_str() {
            "Task" | "Event" => self.show_activity(&object.name, id),
            "TaskRelation" | "EventRelation" if deleted => self.activity_relation_deleted(&object.name, id),
            "CampaignMember" => self.count_campaign_members(id),
            "OpportunityLineItem" => self.line_item_written(actor, id),
            "AccountTeamMember" | "OpportunityTeamMember" if deleted => self.team_member_deleted(&object.name, id),
            "AccountTeamMember" | "OpportunityTeamMember" => self.team_member_written(actor, &object.name, id),
            "PermissionSet" | "PermissionSetAssignment" => self.show_rights_of_everybody(),
            _ => {}
        }
    }
}
