//! The rows that belong to a record.

use salesforce::ObjectName;

use super::{
    ACCOUNT, Behind, By, CONTACT, EMAIL, EVENT, Index, LINE_ITEM, List, NOTE, NOTE_LINK, OPPORTUNITY, Only, Part,
    RELATION, ROLE, TASK,
};

pub(super) const ACCOUNT_FIELDS: &[&str] = &["Name", "Type", "Industry", "Website", "Phone"];
pub(super) const CONTACT_FIELDS: &[&str] = &["Name", "FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone"];
pub(super) const OPPORTUNITY_FIELDS: &[&str] = &[
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
const ROLES: &str = "OpportunityContactRoles";
const ROLE_MEMBERS: &[(&str, &str)] = &[("Role", "role"), ("IsPrimary", "is_primary")];
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
pub(super) const fn tasks(by: &'static str) -> List {
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

pub(super) const fn events(by: &'static str) -> List {
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

pub(super) const fn emails(by: By) -> List {
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

pub(super) const NOTES: List = List {
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

pub(super) const CONTACTS: List = List {
    part: Part::Contacts,
    object: CONTACT,
    by: By::Field("AccountId"),
    index: Some(Index::Parent),
    children: "Contacts",
    fields: &["Name", "FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone", "OwnerId"],
    names: &["OwnerId"],
    behind: None,
    only: Only::NoPersons,
    order: &[("Name", false), ("Id", false)],
};

pub(super) const OPPORTUNITIES: List = List {
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
};

/// The accounts of a contact.
pub(super) const ACCOUNTS: List = List {
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
};

/// The opportunities in which a contact has a role.
pub(super) const ROLES_OF_CONTACT: List = List {
    part: Part::Opportunities,
    object: ROLE,
    by: By::Field("ContactId"),
    index: Some(Index::OtherParent),
    children: ROLES,
    fields: &[],
    names: &[],
    behind: Some(Behind {
        field: "OpportunityId",
        object: OPPORTUNITY,
        fields: OPPORTUNITY_FIELDS,
        members: ROLE_MEMBERS,
    }),
    only: Only::Every,
    order: &[("Opportunity.CloseDate", true), ("Id", false)],
};

/// The contacts with a role in an opportunity.
pub(super) const ROLES_OF_OPPORTUNITY: List = List {
    part: Part::Contacts,
    object: ROLE,
    by: By::Field("OpportunityId"),
    index: Some(Index::Parent),
    children: ROLES,
    fields: &[],
    names: &[],
    behind: Some(Behind { field: "ContactId", object: CONTACT, fields: CONTACT_FIELDS, members: ROLE_MEMBERS }),
    only: Only::Every,
    order: &[("IsPrimary", true), ("Id", false)],
};

pub(super) const PRODUCTS: List = List {
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
};

/// The rows of a history, the newest first.
pub(super) const fn history(
    object: ObjectName,
    by: &'static str,
    children: &'static str,
    fields: &'static [&'static str],
) -> List {
    List {
        part: Part::History,
        object,
        by: By::Field(by),
        index: None,
        children,
        fields,
        names: &["CreatedById"],
        behind: None,
        only: Only::Every,
        order: &[("CreatedDate", true), ("Id", true)],
    }
}
