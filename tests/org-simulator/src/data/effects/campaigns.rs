//! The member statuses and the numbers of members of a campaign.

use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::value::Value;

/// Label, default, counts as a response.
const STATUSES: [(&str, bool, bool); 2] = [("Sent", true, false), ("Responded", false, true)];

impl Org {
    pub(super) fn campaign_created(&mut self, actor: &Actor, id: RecordId) {
        for ((label, default, responded), order) in STATUSES.into_iter().zip(1..) {
            let fields = [
                ("CampaignId", Value::Id(id)),
                ("Label", Value::text(label)),
                ("SortOrder", Value::Int(order)),
                ("IsDefault", Value::Bool(default)),
                ("HasResponded", Value::Bool(responded)),
            ];
            self.insert_row(Some(actor.user), "CampaignMemberStatus", &fields);
        }
    }

    /// Counts the members of a member's campaign; the counts change without a change of the campaign's time stamps.
    pub(super) fn count_campaign_members(&mut self, member: RecordId) {
        let object = "CampaignMember";
        let Some(row) = self.store.get(object, member) else { return };
        let Some(campaign) = self.value(object, row, "CampaignId").as_id() else { return };
        let members = self.rows_below(object, "CampaignId", campaign);
        let with = |field: &str| members.iter().filter(|row| !self.value(object, row, field).is_null()).count();
        let responded =
            members.iter().filter(|row| *self.value(object, row, "HasResponded") == Value::Bool(true)).count();
        let count = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let fields = [
            ("NumberOfContacts", count(with("ContactId"))),
            ("NumberOfLeads", count(with("LeadId"))),
            ("NumberOfResponses", count(responded)),
        ];
        self.set_fields("Campaign", campaign, &fields);
    }
}
