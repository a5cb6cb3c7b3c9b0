//! The four views.

use salesforce::ObjectName;

use super::lists::{
    ACCOUNT_FIELDS, ACCOUNTS, CONTACT_FIELDS, CONTACTS, NOTES, OPPORTUNITIES, OPPORTUNITY_FIELDS, PRODUCTS,
    ROLES_OF_CONTACT, ROLES_OF_OPPORTUNITY, emails, events, history, tasks,
};
use super::{ACCOUNT, By, CONTACT, Kind, LEAD, LEAD_HISTORY, OPPORTUNITY, OPPORTUNITY_HISTORY, Part, Reference};

const fn reference(
    part: Part,
    member: &'static str,
    field: &'static str,
    object: ObjectName,
    fields: &'static [&'static str],
) -> Reference {
    Reference { part, member, field, object, fields }
}

/// The view of an account.
pub(crate) static ACCOUNT_VIEW: Kind = Kind {
    object: ACCOUNT,
    parts: &[Part::Parent, Part::Contacts, Part::Opportunities, Part::Notes, Part::Interactions],
    expand_rule: "expand must list parts of an account: parent, contacts, opportunities, notes, interactions; or be none",
    head: &["IsPersonAccount"],
    references: &[reference(Part::Parent, "parent", "ParentId", ACCOUNT, ACCOUNT_FIELDS)],
    queries: &[
        &[CONTACTS, OPPORTUNITIES, emails(By::Field("RelatedToId"))],
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
    references: &[reference(Part::Account, "account", "AccountId", ACCOUNT, ACCOUNT_FIELDS)],
    queries: &[&[ACCOUNTS, ROLES_OF_CONTACT], &[tasks("WhoId"), events("WhoId")], &[emails(By::Person)], &[NOTES]],
};

/// The view of a lead.
pub(crate) static LEAD_VIEW: Kind = Kind {
    object: LEAD,
    parts: &[Part::Converted, Part::History, Part::Notes, Part::Interactions],
    expand_rule: "expand must list parts of a lead: converted, history, notes, interactions; or be none",
    head: &["IsConverted", "ConvertedDate"],
    references: &[
        reference(Part::Converted, "account", "ConvertedAccountId", ACCOUNT, ACCOUNT_FIELDS),
        reference(Part::Converted, "contact", "ConvertedContactId", CONTACT, CONTACT_FIELDS),
        reference(Part::Converted, "opportunity", "ConvertedOpportunityId", OPPORTUNITY, OPPORTUNITY_FIELDS),
    ],
    queries: &[
        &[history(
            LEAD_HISTORY,
            "LeadId",
            "Histories",
            &["Field", "OldValue", "NewValue", "CreatedDate", "CreatedById"],
        )],
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
    references: &[reference(Part::Account, "account", "AccountId", ACCOUNT, ACCOUNT_FIELDS)],
    queries: &[
        &[ROLES_OF_OPPORTUNITY],
        &[
            PRODUCTS,
            history(
                OPPORTUNITY_HISTORY,
                "OpportunityId",
                "OpportunityHistories",
                &["StageName", "Amount", "CurrencyIsoCode", "Probability", "CloseDate", "CreatedDate", "CreatedById"],
            ),
        ],
        &[tasks("WhatId"), events("WhatId"), emails(By::Field("RelatedToId"))],
        &[NOTES],
    ],
};
