//! The views of records: their parts, and the rows and fields that each part reads.

use salesforce::ObjectName;

pub(crate) const ACCOUNT: ObjectName = ObjectName::from_static("Account");
pub(crate) const CONTACT: ObjectName = ObjectName::from_static("Contact");
pub(crate) const LEAD: ObjectName = ObjectName::from_static("Lead");
pub(crate) const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
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
    OpenOrWon,
    EnhancedNotes,
}

const ACCOUNT_FIELDS: &[&str] = &["Name", "Type", "Industry", "Website", "Phone"];
const CONTACT_FIELDS: &[&str] = &["Name", "FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone"];
const OPPORTUNITY_FIELDS: &[&str] = &[
    "Name",
    "StageName",
    "Amount",
    "CurrencyIsoCode",
    "Probability",
    "CloseDate",
    "IsClosed",
    "IsWon",
    "RecordTypeId",
];
const TASK_FIELDS: &[&str] = &[
    "Subject",
    "ActivityDate",
    "Status",
    "Priority",
    "Type",
    "TaskSubtype",
    "IsClosed",
    "CompletedDateTime",
    "CallType",
    "CallDurationInSeconds",
    "CallDisposition",
    "Description",
    "WhoId",
    "WhatId",
    "OwnerId",
];
const EVENT_FIELDS: &[&str] = &[
    "Subject",
    "StartDateTime",
    "EndDateTime",
    "IsAllDayEvent",
    "Location",
    "Type",
    "EventSubtype",
    "Description",
    "WhoId",
    "WhatId",
    "OwnerId",
];
const EMAIL_FIELDS: &[&str] = &[
    "Subject",
    "MessageDate",
    "Incoming",
    "Status",
    "FromName",
    "FromAddress",
    "ToAddress",
    "CcAddress",
    "HasAttachment",
    "ThreadIdentifier",
    "RelatedToId",
    "ActivityId",
];

/// Tasks sort by their day, which those without one do not have.
const fn tasks(by: &'static str) -> List {
    List {
        part: Part::Interactions,
        object: TASK,
        by: By::Field(by),
        index: None,
        children: "Tasks",
        fields: TASK_FIELDS,
        names: &["OwnerId", "WhoId", "WhatId"],
        behind: None,
        only: Only::Every,
        order: &[("ActivityDate", true), ("Id", true)],
    }
}

const fn events(by: &'static str) -> List {
    List {
        part: Part::Interactions,
        object: EVENT,
        by: By::Field(by),
        index: None,
        children: "Events",
        fields: EVENT_FIELDS,
        names: &["OwnerId", "WhoId", "WhatId"],
        behind: None,
        only: Only::Every,
        order: &[("StartDateTime", true), ("Id", true)],
    }
}

const fn emails(by: By) -> List {
    List {
        part: Part::Interactions,
        object: EMAIL,
        by,
        index: None,
        children: "Emails",
        fields: EMAIL_FIELDS,
        names: &["RelatedToId"],
        behind: None,
        only: Only::Every,
        order: &[("MessageDate", true), ("Id", true)],
    }
}

const NOTES: List = List {
    part: Part::Notes,
    object: NOTE_LINK,
    by: By::Field("LinkedEntityId"),
    index: None,
    children: "ContentDocumentLinks",
    fields: &[],
    names: &[],
    behind: Some(Behind {
        field: "ContentDocumentId",
        object: NOTE,
        fields: &["Title", "FileType", "CreatedDate", "LastModifiedDate"],
        members: &[],
    }),
    only: Only::EnhancedNotes,
    order: &[("ContentDocument.LastModifiedDate", true)],
};

/// The view of an account.
pub(crate) static ACCOUNT_VIEW: Kind = Kind {
    object: ACCOUNT,
    parts: &[Part::Parent, Part::Contacts, Part::Opportunities, Part::Notes, Part::Interactions],
    expand_rule: "expand must list parts of an account: parent, contacts, opportunities, notes, interactions; or be none",
    head: &["IsPersonAccount"],
    references: &[Reference {
        part: Part::Parent,
        member: "parent",
        field: "ParentId",
        object: ACCOUNT,
        fields: ACCOUNT_FIELDS,
    }],
    queries: &[
        &[
            List {
                part: Part::Contacts,
                object: CONTACT,
                by: By::Field("AccountId"),
                index: Some(Index::Parent),
                children: "Contacts",
                fields: &["Name", "FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone", "OwnerId"],
                names: &["OwnerId"],
                behind: None,
                only: Only::Every,
                order: &[("Name", false), ("Id", false)],
            },
            List {
                part: Part::Opportunities,
                object: OPPORTUNITY,
                by: By::Field("AccountId"),
                index: Some(Index::Parent),
                children: "Opportunities",
                fields: &[
                    "Name",
                    "StageName",
                    "Amount",
                    "CurrencyIsoCode",
                    "Probability",
                    "CloseDate",
                    "IsClosed",
                    "IsWon",
                    "RecordTypeId",
                    "OwnerId",
                ],
                names: &["OwnerId"],
                behind: None,
                only: Only::OpenOrWon,
                order: &[("IsClosed", false), ("CloseDate", true), ("Id", false)],
            },
            emails(By::Field("RelatedToId")),
        ],
        // `AccountId` finds the activities of the account's contacts and opportunities, too; no relationship does.
        &[tasks("AccountId")],
        &[events("AccountId")],
        &[NOTES],
    ],
};

/// The view of a contact.
pub(crate) static CONTACT_VIEW: Kind = Kind {
    object: CONTACT,
    parts: &[Part::Account, Part::Accounts, Part::Opportunities, Part::Notes, Part::Interactions],
    expand_rule: "expand must list parts of a contact: account, accounts, opportunities, notes, interactions; or be none",
    head: &["IsPersonAccount"],
    references: &[Reference {
        part: Part::Account,
        member: "account",
        field: "AccountId",
        object: ACCOUNT,
        fields: ACCOUNT_FIELDS,
    }],
    queries: &[
        &[
            List {
                part: Part::Accounts,
                object: RELATION,
                by: By::Field("ContactId"),
                index: Some(Index::OtherParent),
                children: "AccountContactRelations",
                fields: &[],
                names: &[],
                behind: Some(Behind {
                    field: "AccountId",
                    object: ACCOUNT,
                    fields: ACCOUNT_FIELDS,
                    members: &[("Roles", "roles"), ("IsDirect", "is_direct"), ("IsActive", "is_active")],
                }),
                only: Only::Every,
                order: &[("IsDirect", true), ("Id", false)],
            },
            List {
                part: Part::Opportunities,
                object: ROLE,
                by: By::Field("ContactId"),
                index: Some(Index::OtherParent),
                children: "OpportunityContactRoles",
                fields: &[],
                names: &[],
                behind: Some(Behind {
                    field: "OpportunityId",
                    object: OPPORTUNITY,
                    fields: OPPORTUNITY_FIELDS,
                    members: &[("Role", "role"), ("IsPrimary", "is_primary")],
                }),
                only: Only::Every,
                order: &[("Opportunity.CloseDate", true), ("Id", false)],
            },
        ],
        &[tasks("WhoId"), events("WhoId")],
        &[emails(By::Person)],
        &[NOTES],
    ],
};

/// The view of a lead.
pub(crate) static LEAD_VIEW: Kind = Kind {
    object: LEAD,
    parts: &[Part::Converted, Part::History, Part::Notes, Part::Interactions],
    expand_rule: "expand must list parts of a lead: converted, history, notes, interactions; or be none",
    head: &["IsConverted", "ConvertedDate"],
    references: &[
        Reference {
            part: Part::Converted,
            member: "account",
            field: "ConvertedAccountId",
            object: ACCOUNT,
            fields: ACCOUNT_FIELDS,
        },
        Reference {
            part: Part::Converted,
            member: "contact",
            field: "ConvertedContactId",
            object: CONTACT,
            fields: CONTACT_FIELDS,
        },
        Reference {
            part: Part::Converted,
            member: "opportunity",
            field: "ConvertedOpportunityId",
            object: OPPORTUNITY,
            fields: OPPORTUNITY_FIELDS,
        },
    ],
    queries: &[
        &[List {
            part: Part::History,
            object: LEAD_HISTORY,
            by: By::Field("LeadId"),
            index: None,
            children: "Histories",
            fields: &["Field", "OldValue", "NewValue", "CreatedDate", "CreatedById"],
            names: &["CreatedById"],
            behind: None,
            only: Only::Every,
            order: &[("CreatedDate", true), ("Id", true)],
        }],
        &[tasks("WhoId"), events("WhoId")],
        &[emails(By::Person)],
        &[NOTES],
    ],
};

/// The view of an opportunity.
pub(crate) static OPPORTUNITY_VIEW: Kind = Kind {
    object: OPPORTUNITY,
    parts: &[
        Part::Account,
        Part::Stage,
        Part::Contacts,
        Part::Products,
        Part::History,
        Part::Notes,
        Part::Interactions,
    ],
    expand_rule: "expand must list parts of an opportunity: account, stage, contacts, products, history, notes, \
                  interactions; or be none",
    head: &["StageName", "Probability", "Amount", "CurrencyIsoCode"],
    references: &[Reference {
        part: Part::Account,
        member: "account",
        field: "AccountId",
        object: ACCOUNT,
        fields: ACCOUNT_FIELDS,
    }],
    queries: &[
        &[List {
            part: Part::Contacts,
            object: ROLE,
            by: By::Field("OpportunityId"),
            index: Some(Index::Parent),
            children: "OpportunityContactRoles",
            fields: &[],
            names: &[],
            behind: Some(Behind {
                field: "ContactId",
                object: CONTACT,
                fields: CONTACT_FIELDS,
                members: &[("Role", "role"), ("IsPrimary", "is_primary")],
            }),
            only: Only::Every,
            order: &[("IsPrimary", true), ("Id", false)],
        }],
        &[
            List {
                part: Part::Products,
                object: LINE_ITEM,
                by: By::Field("OpportunityId"),
                index: None,
                children: "OpportunityLineItems",
                fields: &["TotalPrice"],
                names: &[],
                behind: None,
                only: Only::Every,
                order: &[("Id", false)],
            },
            List {
                part: Part::History,
                object: OPPORTUNITY_HISTORY,
                by: By::Field("OpportunityId"),
                index: None,
                children: "OpportunityHistories",
                fields: &[
                    "StageName",
                    "Amount",
                    "CurrencyIsoCode",
                    "Probability",
                    "CloseDate",
                    "CreatedDate",
                    "CreatedById",
                ],
                names: &["CreatedById"],
                behind: None,
                only: Only::Every,
                order: &[("CreatedDate", true), ("Id", true)],
            },
        ],
        &[tasks("WhatId"), events("WhatId"), emails(By::Field("RelatedToId"))],
        &[NOTES],
    ],
};
