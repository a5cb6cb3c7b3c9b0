//! The access of a user to a record, from the organization-wide default, the role hierarchy, sharing rules, shares and
//! teams.
//!
//! Sources: "Record-Level Security" and "Sharing Architecture" of Salesforce's documentation, and the pages of the share
//! objects in the Object Reference. A record that is shared with a user is also shared with the users above in the role
//! hierarchy.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::model::activity_views::is_shown_in;
use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::rights;
use crate::model::schema::{self, Object};
use crate::model::sharing::{SharedAccess, SharingDefault};
use crate::model::store::Row;

/// The access of a user to a record; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    None,
    Read,
    Edit,
    /// Read, edit, delete, transfer and share.
    All,
}

impl Level {
    fn named(name: &str) -> Self {
        match name {
            "Read" => Self::Read,
            "Edit" => Self::Edit,
            "All" => Self::All,
            _ => Self::None,
        }
    }
}

/// Objects whose records have the access of another one: object, its references to that one. Who may edit the parent may do
/// everything with the record.
const WITH_PARENT: [(&str, &[&str]); 14] = [
    ("AccountContactRelation", &["AccountId", "ContactId"]),
    ("Attachment", &["ParentId"]),
    ("CampaignMember", &["CampaignId"]),
    ("CampaignMemberStatus", &["CampaignId"]),
    ("EmailMessage", &["ParentId"]),
    ("EmailMessageRelation", &["EmailMessageId"]),
    ("EventRelation", &["EventId"]),
    ("LeadHistory", &["LeadId"]),
    ("Note", &["ParentId"]),
    ("OpportunityContactRole", &["OpportunityId"]),
    ("OpportunityFieldHistory", &["OpportunityId"]),
    ("OpportunityHistory", &["OpportunityId"]),
    ("OpportunityLineItem", &["OpportunityId"]),
    ("TaskRelation", &["TaskId"]),
];
/// Objects whose records are written by those who have all access to another one: object, its reference to that one.
const SHARES: [(&str, &str); 7] = [
    ("AccountShare", "AccountId"),
    ("AccountTeamMember", "AccountId"),
    ("CaseShare", "CaseId"),
    ("ContactShare", "ContactId"),
    ("LeadShare", "LeadId"),
    ("OpportunityShare", "OpportunityId"),
    ("OpportunityTeamMember", "OpportunityId"),
];
/// Objects whose records give their users read access to the account.
const BELOW_ACCOUNT: [&str; 3] = ["Contact", "Opportunity", "Case"];

/// The users below a user in the role hierarchy, and what is shared with them or the user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// The users with a role below the user's.
    below: HashSet<RecordId>,
    /// The user, the users below, and the groups of all of them.
    shared_with: HashSet<RecordId>,
}

/// The access of one user as far as it has been decided, until a record changes.
#[derive(Clone, Debug)]
pub(crate) struct KnownAccess {
    revision: u64,
    user: RecordId,
    reach: Arc<Reach>,
    /// The accounts of the records below them that the user has access to.
    accounts: Option<Arc<HashSet<RecordId>>>,
}

impl Org {
    /// Returns the access of the actor to a record.
    pub(crate) fn access(&self, actor: &Actor, object: &Object, row: &Row) -> Level {
        let (name, open) = (object.name.as_str(), Level::All);
        match name {
            "ContentNote" | "ContentDocument" => {
                return if self.may_see_document(actor, row) { open } else { Level::None };
            }
            "ContentVersion" | "ContentDocumentLink" => {
                return self.access_of_reference(actor, object, row, "ContentDocumentId");
            }
            "UserPermissionAccess" => return if rights::is_of(row, actor.user) { open } else { Level::None },
            "OpenActivity" | "ActivityHistory" => {
                let shown = is_shown_in(self, name, row);
                let activity = row.id().filter(|_| shown).and_then(|id| self.live_record(id));
                return activity.map_or(Level::None, |(object, row)| self.access(actor, object, row));
            }
            _ => {}
        }
        if actor.is_admin || self.sharing.defaults.is_empty() {
            return open;
        }
        if let Some((_, reference)) = SHARES.iter().find(|(share, _)| *share == name) {
            return match self.access_of_reference(actor, object, row, reference) {
                Level::All => Level::All,
                level => level.min(Level::Read),
            };
        }
        if let Some((_, references)) = WITH_PARENT.iter().find(|(child, _)| *child == name) {
            let of = |reference: &&str| self.access_of_reference(actor, object, row, reference);
            return below(references.iter().map(of).min().unwrap_or(open));
        }
        let default = self.sharing.default_of(name);
        if !object.has_owner || default == SharingDefault::FullAccess {
            return open;
        }
        if self.modifies_all(actor, object) {
            return open;
        }
        let seen = if self.views_all(actor, object) { Level::Read } else { Level::None };
        let base = self.by_default(actor, object, row, default);
        let granted = self.granted(actor, object, row);
        let implied = if name == "Account" && granted == Level::None && self.has_access_below(actor, row) {
            Level::Read
        } else {
            Level::None
        };
        base.max(seen).max(granted).max(implied)
    }

    /// Returns whether the actor may save a record of `object` with this reference to a record: readers may, except for a
    /// reference to the record that decides the access to the new one.
    pub(crate) fn may_refer(
        &self,
        actor: &Actor,
        (object, field): (&Object, &str),
        (target, row): (&Object, &Row),
    ) -> bool {
        let names = |(child, reference): &(&str, &str)| *child == object.name && *reference == field;
        let decides = |(child, references): &(&str, &[&str])| *child == object.name && references.contains(&field);
        let contact = object.name == "Contact" && field == "AccountId";
        let controlled = contact && self.sharing.default_of("Contact") == SharingDefault::ControlledByParent;
        let needed = if SHARES.iter().any(names) {
            Level::All
        } else if controlled || WITH_PARENT.iter().any(decides) {
            Level::Edit
        } else {
            Level::Read
        };
        self.access(actor, target, row) >= needed
    }

    fn by_default(&self, actor: &Actor, object: &Object, row: &Row, default: SharingDefault) -> Level {
        match default {
            SharingDefault::ReadOnly => Level::Read,
            SharingDefault::ReadWrite => Level::Edit,
            SharingDefault::FullAccess => Level::All,
            SharingDefault::Private if !matches!(object.name.as_str(), "Task" | "Event") => Level::None,
            // Who may read the related record may read a private activity.
            SharingDefault::Private => {
                self.of_parents(actor, object, row).max().unwrap_or(Level::None).min(Level::Read)
            }
            SharingDefault::ControlledByParent => {
                below(self.of_parents(actor, object, row).min().unwrap_or(Level::None))
            }
        }
    }

    /// Returns the access to each record that a contact, task or event belongs to.
    fn of_parents(&self, actor: &Actor, object: &Object, row: &Row) -> impl Iterator<Item = Level> {
        let references: &[&str] = if object.name == "Contact" { &["AccountId"] } else { &["WhatId", "WhoId"] };
        let parents = references.iter().filter(|name| !self.value(&object.name, row, name).is_null());
        parents.map(|name| self.access_of_reference(actor, object, row, name))
    }

    /// Returns the access to the record that a reference points to; all if it points to none.
    fn access_of_reference(&self, actor: &Actor, object: &Object, row: &Row, reference: &str) -> Level {
        let Some(id) = self.value(&object.name, row, reference).as_id() else { return Level::All };
        let parent = self.schema.by_prefix(id.key_prefix()).and_then(|of| Some((of, self.store.get(&of.name, id)?)));
        parent.map_or(Level::None, |(object, row)| self.access(actor, object, row))
    }

    /// Returns the access that ownership, the role hierarchy, shares and sharing rules grant.
    fn granted(&self, actor: &Actor, object: &Object, row: &Row) -> Level {
        let Some(owner) = row.get(schema::OWNER).as_id() else { return Level::None };
        let reach = self.reach(actor);
        let queue = owner.key_prefix() == "00G" && reach.shared_with.contains(&owner);
        if owner == actor.user || reach.below.contains(&owner) || queue {
            return Level::All;
        }
        let (own, account) = (format!("{}Share", object.name), self.value(&object.name, row, "AccountId").as_id());
        let shares = |share: &str, reference: &str, id: Option<RecordId>| {
            let rows = id.map(|id| self.rows_below(share, reference, id)).unwrap_or_default();
            let mine = rows.into_iter().filter(|row| {
                let with = self.value(share, row, "UserOrGroupId").as_id();
                with.is_some_and(|with| reach.shared_with.contains(&with))
            });
            let level = format!("{}AccessLevel", object.name);
            mine.map(|row| Level::named(self.value(share, &row, &level).as_text())).max().unwrap_or(Level::None)
        };
        let mut level = shares(&own, &format!("{}Id", object.name), row.id());
        if BELOW_ACCOUNT.contains(&object.name.as_str()) {
            level = level.max(shares("AccountShare", "AccountId", account));
            level = level.max(self.of_account_owner(&reach, actor, object, account));
        }
        level.max(self.by_rules(&reach, object, owner))
    }

    /// Returns the access of an account's owner to a record below the account, which the owner's role grants.
    fn of_account_owner(&self, reach: &Reach, actor: &Actor, object: &Object, account: Option<RecordId>) -> Level {
        let owner = account.and_then(|id| self.store.get("Account", id)).and_then(|row| row.get(schema::OWNER).as_id());
        let Some(owner) = owner.filter(|owner| *owner == actor.user || reach.below.contains(owner)) else {
            return Level::None;
        };
        let role = self.role_of(owner).and_then(|role| self.store.get("UserRole", role));
        let field = format!("{}AccessForAccountOwner", object.name);
        role.map_or(Level::None, |role| Level::named(self.value("UserRole", role, &field).as_text()))
    }

    fn by_rules(&self, reach: &Reach, object: &Object, owner: RecordId) -> Level {
        let rules = self.sharing.rules.iter().filter(|rule| rule.object == object.name);
        let applies = rules.filter(|rule| {
            let with = self.group_of(&rule.shared_with).is_ok_and(|group| reach.shared_with.contains(&group));
            with && self.group_of(&rule.owned_by).is_ok_and(|group| self.groups_of(owner).contains(&group))
        });
        let level = |access| if access == SharedAccess::Edit { Level::Edit } else { Level::Read };
        applies.map(|rule| level(rule.access)).max().unwrap_or(Level::None)
    }

    /// Returns whether the user has access to a contact, opportunity or case of an account by more than a default.
    fn has_access_below(&self, actor: &Actor, account: &Row) -> bool {
        let Some(id) = account.id() else { return false };
        let reach = self.reach(actor);
        let known = self.known_access.borrow().as_ref().and_then(|known| known.accounts.clone());
        let accounts = known.unwrap_or_else(|| Arc::new(self.accounts_with_access_below(actor)));
        *self.known_access.borrow_mut() = Some(KnownAccess {
            revision: self.store.revision(),
            user: actor.user,
            reach,
            accounts: Some(Arc::clone(&accounts)),
        });
        accounts.contains(&id)
    }

    fn accounts_with_access_below(&self, actor: &Actor) -> HashSet<RecordId> {
        let mut accounts = HashSet::new();
        for object in BELOW_ACCOUNT.iter().filter_map(|name| self.schema.object(name)) {
            let rows = self.store.table(&object.name).into_iter().flat_map(|table| table.rows());
            for row in rows.filter(|row| !row.is_deleted()) {
                let account = self.value(&object.name, row, "AccountId").as_id();
                if let Some(account) = account.filter(|_| self.granted(actor, object, row) > Level::None) {
                    accounts.insert(account);
                }
            }
        }
        accounts
    }

    /// Returns the users below the actor, and what is shared with them, as of the newest change of a record.
    fn reach(&self, actor: &Actor) -> Arc<Reach> {
        let revision = self.store.revision();
        let is_known = |known: &&KnownAccess| known.revision == revision && known.user == actor.user;
        if let Some(known) = self.known_access.borrow().as_ref().filter(is_known) {
            return Arc::clone(&known.reach);
        }
        let below = self.users_below(actor.user);
        let mut shared_with: HashSet<RecordId> = below.iter().copied().chain([actor.user]).collect();
        shared_with.extend(below.iter().chain([&actor.user]).flat_map(|user| self.groups_of(*user)));
        let reach = Arc::new(Reach { below, shared_with });
        let known = KnownAccess { revision, user: actor.user, reach: Arc::clone(&reach), accounts: None };
        *self.known_access.borrow_mut() = Some(known);
        reach
    }

    fn role_of(&self, user: RecordId) -> Option<RecordId> {
        self.value("User", self.store.get("User", user)?, "UserRoleId").as_id()
    }

    /// Returns the roles above a role, nearest first.
    fn roles_above(&self, role: RecordId) -> Vec<RecordId> {
        let mut above = Vec::new();
        let parent = |role| self.value("UserRole", self.store.get("UserRole", role)?, "ParentRoleId").as_id();
        let mut next = parent(role);
        while let Some(role) = next.filter(|role| !above.contains(role)) {
            above.push(role);
            next = parent(role);
        }
        above
    }

    fn users_below(&self, user: RecordId) -> HashSet<RecordId> {
        let Some(role) = self.role_of(user) else { return HashSet::new() };
        let users = self.store.table("User").into_iter().flat_map(|table| table.rows());
        let is_below = |row: &&Arc<Row>| {
            let theirs = self.value("User", row, "UserRoleId").as_id();
            theirs.is_some_and(|theirs| self.roles_above(theirs).contains(&role))
        };
        users.filter(is_below).filter_map(|row| row.id()).collect()
    }

    /// Returns the groups of a user: those of the role and the roles above, public groups and queues.
    fn groups_of(&self, user: RecordId) -> BTreeSet<RecordId> {
        let mut groups = BTreeSet::new();
        if let Some(role) = self.role_of(user) {
            for (role, kinds) in [(role, &["Role", "RoleAndSubordinates"][..])]
                .into_iter()
                .chain(self.roles_above(role).into_iter().map(|above| (above, &["RoleAndSubordinates"][..])))
            {
                let rows = self.rows_below("Group", "RelatedId", role);
                let of_kind = |row: &&Arc<Row>| kinds.contains(&self.value("Group", row, "Type").as_text());
                groups.extend(rows.iter().filter(of_kind).filter_map(|row| row.id()));
            }
        }
        let mut next: Vec<RecordId> = groups.iter().copied().chain([user]).collect();
        while let Some(member) = next.pop() {
            for row in self.rows_below("GroupMember", "UserOrGroupId", member) {
                let group = self.value("GroupMember", &row, "GroupId").as_id();
                if let Some(group) = group.filter(|group| groups.insert(*group)) {
                    next.push(group);
                }
            }
        }
        groups
    }
}

/// Returns the access to a record whose parent is accessed like that.
fn below(parent: Level) -> Level {
    if parent >= Level::Edit { Level::All } else { parent }
}
