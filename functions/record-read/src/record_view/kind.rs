//! The views of records: their parts, and the rows and fields that each part reads.

mod lists;
mod views;

use salesforce::ObjectName;

pub(crate) use crate::summary::{ACCOUNT, CONTACT, LEAD, OPPORTUNITY};
pub(crate) use views::{ACCOUNT_VIEW, CONTACT_VIEW, LEAD_VIEW, OPPORTUNITY_VIEW};

pub(super) const TASK: ObjectName = ObjectName::from_static("Task");
pub(super) const EVENT: ObjectName = ObjectName::from_static("Event");
pub(super) const EMAIL: ObjectName = ObjectName::from_static("EmailMessage");
/// The people of an e-mail.
pub(super) const EMAIL_RELATION: ObjectName = ObjectName::from_static("EmailMessageRelation");
const NOTE: ObjectName = ObjectName::from_static("ContentNote");
const NOTE_LINK: ObjectName = ObjectName::from_static("ContentDocumentLink");
const ROLE: ObjectName = ObjectName::from_static("OpportunityContactRole");
const RELATION: ObjectName = ObjectName::from_static("AccountContactRelation");
const LINE_ITEM: ObjectName = ObjectName::from_static("OpportunityLineItem");
const OPPORTUNITY_HISTORY: ObjectName = ObjectName::from_static("OpportunityHistory");
const LEAD_HISTORY: ObjectName = ObjectName::from_static("LeadHistory");

/// A part of a view, which `expand` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The account that an account belongs to.
    Parent,
    /// The account of a contact or of an opportunity.
    Account,
    /// All accounts of a contact.
    Accounts,
    /// The contacts of an account, or of an opportunity with their roles.
    Contacts,
    /// The open and won opportunities of an account, or those of a contact with its roles.
    Opportunities,
    /// The sum of an opportunity's products.
    Products,
    /// The stage of an opportunity within its pipeline.
    Stage,
    /// The stages of an opportunity, or the changed fields of a lead.
    History,
    /// The records that a lead was converted to.
    Converted,
    /// Enhanced notes.
    Notes,
    /// Tasks, events and e-mails.
    Interactions,
}

impl Part {
    /// Returns the name of the part in `expand` and of its member in the response.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Account => "account",
            Self::Accounts => "accounts",
            Self::Contacts => "contacts",
            Self::Opportunities => "opportunities",
            Self::Products => "products",
            Self::Stage => "stage",
            Self::History => "history",
            Self::Converted => "converted",
            Self::Notes => "notes",
            Self::Interactions => "interactions",
        }
    }
}

/// A view.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The object of the record.
    pub(crate) object: ObjectName,
    /// The parts, in the order of the response.
    pub(crate) parts: &'static [Part],
    /// The rule for `expand`, for a problem.
    pub(crate) expand_rule: &'static str,
    /// The record's own fields from which members of the view are computed.
    pub(super) head: &'static [&'static str],
    /// The records that fields of the record refer to.
    pub(super) references: &'static [Reference],
    /// Lists that one query reads. A composite request takes four of them beside the query of the record itself.
    pub(super) queries: &'static [&'static [List]],
}

/// A record that a field of the record refers to.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) part: Part,
    /// The name of its member: that of the part, or one within the part.
    pub(super) member: &'static str,
    /// The field of the record.
    pub(super) field: &'static str,
    pub(super) object: ObjectName,
    pub(super) fields: &'static [&'static str],
}

/// Rows that belong to the record.
#[derive(Debug)]
pub(super) struct List {
    pub(super) part: Part,
    pub(super) object: ObjectName,
    pub(super) by: By,
    /// The index of the mirror that finds the rows. Without one they are read through the team: the mirror does not have
    /// them, or not in the order of the part.
    pub(super) index: Option<Index>,
    /// The relationship of the record to the rows, for a subquery.
    pub(super) children: &'static str,
    pub(super) fields: &'static [&'static str],
    /// References whose names are read.
    pub(super) names: &'static [&'static str],
    /// The record behind the row that the part shows instead of the row.
    pub(super) behind: Option<Behind>,
    pub(super) only: Only,
    /// The fields to sort by, each with whether descending.
    pub(super) order: &'static [(&'static str, bool)],
}

/// The condition that relates rows to the record.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// This field of the row has the record's id.
    Field(&'static str),
    /// The record is a sender or recipient of the e-mail.
    Person,
}

/// An index of the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    Parent,
    OtherParent,
}

/// The record behind a row, such as the contact of a role.
#[derive(Debug)]
pub(super) struct Behind {
    /// The field of the row with the record's id.
    pub(super) field: &'static str,
    pub(super) object: ObjectName,
    pub(super) fields: &'static [&'static str],
    /// Fields of the row that are shown as members beside the record.
    pub(super) members: &'static [(&'static str, &'static str)],
}

/// A further condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    Every,
    /// No contacts of person accounts.
    NoPersons,
    OpenOrWon,
    EnhancedNotes,
}
