//! Records of one customer, of every kind that a view shows.

use org_simulator::{ObjectPermissions, User};
use serde_json::{Value, json};

use crate::harness::{REP, TestContext};

/// The ids of the customer's records.
pub(crate) struct World {
    pub(crate) account: String,
    pub(crate) contact: String,
    pub(crate) lead: String,
    pub(crate) opportunity: String,
}

/// The profiles with which every view, list and form is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// The org's administrator.
    Admin,
    /// A rep who sees every field.
    Rep,
    /// A rep who does not see the phone of accounts and the e-mail of contacts.
    WithoutTwoFields,
    /// A rep who may change nothing.
    ReadOnly,
}

pub(crate) const PROFILES: [Profile; 4] = [Profile::Admin, Profile::Rep, Profile::WithoutTwoFields, Profile::ReadOnly];

impl TestContext {
    /// Gives the rep this profile.
    pub(crate) fn limit_rep(&self, profile: Profile) {
        let hidden = |object: &str, field: &str| {
            let hidden_fields = vec![field.to_owned()];
            self.limit(object, &ObjectPermissions { hidden_fields, ..ObjectPermissions::default() });
        };
        match profile {
            Profile::Admin => self.connect_rep_as(&self.admin),
            Profile::Rep => {}
            Profile::WithoutTwoFields => {
                hidden("Account", "Phone");
                hidden("Contact", "Email");
            }
            Profile::ReadOnly => {
                for object in ["Account", "Contact", "Lead", "Opportunity", "Task", "Event"] {
                    let read_only =
                        ObjectPermissions { no_create: true, no_edit: true, no_delete: true, ..Default::default() };
                    self.limit(object, &read_only);
                }
            }
        }
    }

    /// Restricts the rep's access to an object.
    pub(crate) fn limit(&self, object: &str, permissions: &ObjectPermissions) {
        self.simulator.limit_profile("Standard User", object, permissions).unwrap();
    }

    /// Hides an object from the rep.
    pub(crate) fn hide(&self, object: &str) {
        self.limit(object, &ObjectPermissions { hidden: true, ..ObjectPermissions::default() });
    }

    /// Requests a path as the rep, and checks that it succeeds.
    pub(crate) async fn view(&self, path: &str) -> Value {
        let (status, view) = self.get_as(REP, path).await;
        assert_eq!(status, 200, "{path}: {view}");
        view
    }

    /// Creates a customer. The rep owns the records.
    pub(crate) fn customer(&self) -> World {
        let create = |object: &str, fields: Value| self.create(&self.rep, object, &fields);
        let parent = create("Account", json!({"Name": "Fjord Group"}));
        let account = create("Account", json!({"Name": "Fjordglass", "Phone": "+47 555 0100", "ParentId": parent}));
        let person = json!({"FirstName": "Ingrid", "LastName": "Moe", "Email": "ingrid@fjordglass.example", "AccountId": account});
        let contact = create("Contact", person);
        let deal = |name: &str, stage: &str, day: &str| {
            create(
                "Opportunity",
                json!({"Name": name, "StageName": stage, "CloseDate": day, "AccountId": account, "Amount": 1000.5}),
            )
        };
        let opportunity = deal("Lenses", "Prospecting", "2026-12-31");
        deal("Prisms", "Closed Won", "2026-10-31");
        deal("Mirrors", "Closed Lost", "2026-09-30");
        let role =
            json!({"OpportunityId": opportunity, "ContactId": contact, "Role": "Decision Maker", "IsPrimary": true});
        create("OpportunityContactRole", role);
        self.simulator.track_fields("Lead", &["Status"]).unwrap();
        let lead = create("Lead", json!({"FirstName": "Ola", "LastName": "Dahl", "Company": "Nordlys"}));
        for record in [&account, &contact, &lead, &opportunity] {
            self.note(&self.rep, "Minutes", record);
        }
        for (who, what) in [(&contact, Some(&account)), (&contact, Some(&opportunity)), (&lead, None)] {
            self.interactions(who, what);
        }
        World { account, contact, lead, opportunity }
    }

    fn note(&self, user: &User, title: &str, record: &str) {
        let note = self.create(user, "ContentNote", &json!({"Title": title, "Content": "PHA+eDwvcD4="}));
        let link = json!({"ContentDocumentId": note, "LinkedEntityId": record, "ShareType": "V"});
        self.create(user, "ContentDocumentLink", &link);
    }

    /// Creates a meeting today, and a call and an e-mail yesterday.
    fn interactions(&self, who: &str, what: Option<&String>) {
        let create = |object: &str, fields: Value| self.create(&self.rep, object, &fields);
        create("Task", json!({"Subject": "Call", "ActivityDate": "2026-11-21", "WhoId": who, "WhatId": what}));
        let meeting = json!({"Subject": "Meeting", "StartDateTime": "2026-11-22T09:00:00Z", "DurationInMinutes": 30,
            "WhoId": who, "WhatId": what});
        create("Event", meeting);
        let email = json!({"Subject": "Offer", "MessageDate": "2026-11-21T08:00:00Z", "Incoming": true, "Status": "1",
            "FromAddress": "ingrid@fjordglass.example", "RelatedToId": what});
        let email = create("EmailMessage", email);
        create(
            "EmailMessageRelation",
            json!({"EmailMessageId": email, "RelationId": who, "RelationType": "FromAddress"}),
        );
    }
}
