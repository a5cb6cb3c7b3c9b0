//! The share of a record with a member of its account or opportunity team.

use std::sync::Arc;

use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::store::Row;
use crate::model::value::Value;

/// The object of a team, and the levels that a member has.
fn team(member: &str) -> (&'static str, &'static [&'static str]) {
    match member {
        "AccountTeamMember" => {
            ("Account", &["AccountAccessLevel", "OpportunityAccessLevel", "CaseAccessLevel", "ContactAccessLevel"])
        }
        _ => ("Opportunity", &["OpportunityAccessLevel"]),
    }
}

impl Org {
    /// Removes the manual shares of a record that gets another owner.
    pub(super) fn owner_changed(&mut self, object: &str, id: RecordId) {
        let (share, reference) = (format!("{object}Share"), format!("{object}Id"));
        let Some(object) = self.schema.object(&share).cloned() else { return };
        let shares = self.rows_below(&share, &reference, id);
        let manual = shares.iter().filter(|row| self.value(&share, row, "RowCause").as_text() == "Manual");
        let manual: Vec<RecordId> = manual.filter_map(|row| row.id()).collect();
        manual.into_iter().for_each(|id| self.store.purge(&object, id));
    }

    /// Shares the record with a team member at the member's levels; a level that is not given is Read for the record
    /// itself and None for the records below it.
    pub(super) fn team_member_written(&mut self, actor: &Actor, object: &str, id: RecordId) {
        self.team_member_deleted(object, id);
        let Some(row) = self.store.get(object, id).map(Arc::clone) else { return };
        let (of, levels) = team(object);
        let (share, reference) = (format!("{of}Share"), format!("{of}Id"));
        let mut fields = vec![
            (reference.as_str(), self.value(object, &row, &reference).clone()),
            ("UserOrGroupId", self.value(object, &row, "UserId").clone()),
            ("RowCause", Value::text("Team")),
        ];
        let mut own = Vec::new();
        for level in levels {
            let given = self.value(object, &row, level).clone();
            let of_record = level.strip_suffix("AccessLevel") == Some(of);
            let value = if given.is_null() { Value::text(if of_record { "Read" } else { "None" }) } else { given };
            own.push((*level, value.clone()));
            fields.push((level, value));
        }
        self.set_fields(object, id, &own);
        self.insert_row(Some(actor.user), &share, &fields);
    }

    /// Removes the share of a team member.
    pub(super) fn team_member_deleted(&mut self, object: &str, id: RecordId) {
        let Some(row) = self.store.get(object, id).map(Arc::clone) else { return };
        let (of, _) = team(object);
        let (share, reference) = (format!("{of}Share"), format!("{of}Id"));
        let Some(record) = self.value(object, &row, &reference).as_id() else { return };
        let user = self.value(object, &row, "UserId").as_id();
        let shares = self.rows_below(&share, &reference, record);
        let theirs = |row: &Row| {
            self.value(&share, row, "RowCause").as_text() == "Team"
                && self.value(&share, row, "UserOrGroupId").as_id() == user
        };
        let theirs: Vec<RecordId> = shares.iter().filter(|row| theirs(row)).filter_map(|row| row.id()).collect();
        let Some(object) = self.schema.object(&share).cloned() else { return };
        for share in theirs {
            self.store.purge(&object, share);
        }
    }
}
