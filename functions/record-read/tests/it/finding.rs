//! Search by text, matches of a person, and the look-up by external id: as a rep, and through the team.

use http::StatusCode;
use org_simulator::ObjectPermissions;
use runtime::Schemas;
use serde_json::{Value, json};

use crate::harness::{REP, TestContext, run};

const PROFILE: &str = "Standard User";
/// A profile's restriction on objects, with the name of the profile.
type Profile = (&'static str, Vec<(&'static str, ObjectPermissions)>);

/// A rep with all, one without two fields, and one who only reads.
fn profiles() -> [Profile; 3] {
    let fields = |object, names: &[&str]| {
        let hidden_fields = names.iter().map(|&name| name.to_owned()).collect();
        (object, ObjectPermissions { hidden_fields, ..ObjectPermissions::default() })
    };
    let read_only = |object| {
        let permissions =
            ObjectPermissions { no_create: true, no_edit: true, no_delete: true, ..ObjectPermissions::default() };
        (object, permissions)
    };
    [
        ("all", vec![]),
        ("without two fields", vec![fields("Contact", &["Email"]), fields("Account", &["Website"])]),
        ("read only", ["Account", "Contact", "Lead"].map(read_only).to_vec()),
    ]
}

impl TestContext {
    /// Restricts the rep's profile, and forgets what the function knows of it.
    fn restrict(&mut self, restrictions: &[(&str, ObjectPermissions)]) {
        for object in ["Account", "Contact", "Lead", "Opportunity"] {
            let restriction = restrictions.iter().find(|(name, _)| *name == object);
            let permissions = restriction.map(|(_, permissions)| permissions.clone()).unwrap_or_default();
            self.simulator.limit_profile(PROFILE, object, &permissions).unwrap();
        }
        self.deps.schemas = Schemas::default();
    }

    /// Returns the number of Salesforce calls of a request, and its response.
    async fn counted<T>(&self, request: impl Future<Output = T>) -> (u64, T) {
        let before = self.simulator.api_calls();
        let response = request.await;
        (self.simulator.api_calls() - before, response)
    }

    /// Creates Jane at Acme, a lead of the same name, and her namesake; returns Jane's id, the lead's and Acme's.
    fn jane(&self) -> [String; 3] {
        let acme =
            json!({"Name": "Acme Tools", "Website": "https://www.acmetools.example/en", "Phone": "+1 212 555 0199"});
        let acme = self.create(&self.admin, "Account", &acme);
        let jane = json!({
            "FirstName": "Jane", "LastName": "Quimby", "AccountId": acme, "Email": "jane.quimby@acmetools.example",
            "MobilePhone": "(415) 555-0134", "Ferry_External_Id__c": "C-77",
        });
        let jane = self.create(&self.rep, "Contact", &jane);
        let other = json!({"FirstName": "Jane", "LastName": "Quimby", "Email": "other@elsewhere.example"});
        self.create(&self.admin, "Contact", &other);
        let lead = json!({"FirstName": "Jane", "LastName": "Quimby", "Company": "ACME TOOLS"});
        [jane, self.create(&self.admin, "Lead", &lead), acme]
    }
}

/// Returns the ids and reasons of the candidates.
fn matched(body: &Value) -> Vec<(&str, String)> {
    let candidates = body["candidates"].as_array().unwrap_or_else(|| panic!("{body}"));
    let reasons = |candidate: &Value| {
        let reasons = candidate["matched_by"].as_array().unwrap().iter();
        reasons.map(|reason| reason.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    candidates.iter().map(|candidate| (candidate["id"].as_str().unwrap(), reasons(candidate))).collect()
}

fn person() -> Value {
    json!({
        "email": "Jane.Quimby@acmetools.example", "name": "jane quimby", "company": "Acme Tools", "phone": "+1 415-555-0134",
        "external_ids": {"Ferry_External_Id__c": "C-77"},
    })
}

#[test]
fn a_person_matches_what_each_profile_sees() {
    run(async {
        let mut context = TestContext::new().await;
        let [jane, lead, acme] = context.jane();

        let (status, team) = context.post("/matches", &person()).await;
        assert_eq!((status, &team["source"]), (StatusCode::OK, &json!("team")), "{team}");
        let best = (jane.as_str(), "external_id email phone name company".to_owned());
        assert_eq!(matched(&team)[0], best);

        for (profile, restrictions) in profiles() {
            context.restrict(&restrictions);
            let (_, body) = context.post(&format!("/matches?as={REP}"), &person()).await;
            let found = matched(&body);
            assert_eq!(body["source"], "salesforce", "{profile}");
            assert_eq!(found.len(), 4, "{profile}: {body:#}");
            match profile {
                "without two fields" => {
                    assert_eq!(found[0], (jane.as_str(), "external_id phone name company".to_owned()));
                    assert!(found.contains(&(acme.as_str(), "company".to_owned())), "{found:?}");
                    assert!(!body.to_string().contains("@acmetools.example"), "{body}");
                    let hidden = json!([
                        {"object": "Contact", "by": "email", "reason": "hidden"},
                        {"object": "Account", "by": "domain", "reason": "hidden"},
                    ]);
                    assert_eq!(body["not_compared"], hidden);
                }
                _ => {
                    assert_eq!(found[0], best, "{profile}");
                    assert_eq!(found[1], (lead.as_str(), "name company".to_owned()), "{profile}");
                    assert!(found.contains(&(acme.as_str(), "company domain".to_owned())), "{profile}: {found:?}");
                    assert_eq!(body["not_compared"], json!([]));
                }
            }
            let candidate = &body["candidates"][0];
            assert_eq!(candidate["owner"], json!({"id": context.rep.id, "name": context.rep.name}), "{profile}");
            assert!(candidate["url"].as_str().unwrap().ends_with(&format!("/lightning/r/Contact/{jane}/view")));
            assert_eq!((&candidate["label"], &candidate["name"]), (&json!("Contact"), &json!("Jane Quimby")));
        }
    });
}

#[test]
fn a_match_costs_one_call_and_one_for_a_phone() {
    run(async {
        let mut context = TestContext::new().await;
        context.jane();
        let path = format!("/matches?as={REP}");
        let without_phone =
            json!({"email": "jane.quimby@acmetools.example", "name": "Jane Quimby", "company": "Acme Tools"});
        let only_phone = json!({"phone": "4155550134"});
        for (body, unknown, known) in [(&without_phone, 2, 1), (&only_phone, 2, 1), (&person(), 3, 2)] {
            context.deps.schemas = Schemas::default();
            for expected in [unknown, known] {
                let (calls, (status, response)) = context.counted(context.post(&path, body)).await;
                assert_eq!((status, calls), (StatusCode::OK, expected), "{body}: {response}");
            }
        }
    });
}

#[test]
fn a_rep_matches_no_record_that_is_not_shared() {
    run(async {
        let context = TestContext::new().await;
        let [jane, _, acme] = context.jane();
        for object in ["Account", "Contact", "Lead"] {
            context.simulator.set_private(object, true).unwrap();
        }
        let (_, body) = context.post(&format!("/matches?as={REP}"), &person()).await;
        let ids: Vec<&str> = matched(&body).into_iter().map(|(id, _)| id).collect();
        // The owner of a contact sees its account.
        assert_eq!(ids, [jane, acme]);
    });
}

#[test]
fn a_hidden_object_is_named_and_not_compared() {
    run(async {
        let mut context = TestContext::new().await;
        let [jane, ..] = context.jane();
        context.restrict(&[("Lead", ObjectPermissions { hidden: true, ..ObjectPermissions::default() })]);
        let (status, body) = context.post(&format!("/matches?as={REP}"), &person()).await;
        assert_eq!((status, matched(&body)[0].0), (StatusCode::OK, jane.as_str()), "{body}");
        assert_eq!(body["not_compared"], json!([{"object": "Lead", "reason": "hidden"}]));

        let (status, body) = context.get_as(REP, "/search?q=Quimby").await;
        assert_eq!((status, &body["unavailable"]), (StatusCode::OK, &json!([{"object": "Lead", "reason": "hidden"}])));
        let (status, body) = context.get_as(REP, "/search?q=Quimby&objects=Contact,Lead").await;
        assert_eq!((status, &body["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:object_not_visible")));
    });
}

#[test]
fn a_common_name_does_not_crowd_out_an_address() {
    run(async {
        let context = TestContext::new().await;
        let [jane, ..] = context.jane();
        context.pass(jiff::SignedDuration::from_mins(1));
        for _ in 0..120 {
            context.create(&context.admin, "Contact", &json!({"FirstName": "Jane", "LastName": "Quimby"}));
        }
        let body = json!({"name": "Jane Quimby", "email": "jane.quimby@acmetools.example"});
        let (_, body) = context.post(&format!("/matches?as={REP}"), &body).await;
        assert_eq!(matched(&body)[0], (jane.as_str(), "email name".to_owned()));
        assert_eq!((matched(&body).len(), &body["more"]), (50, &json!(true)));
    });
}

#[test]
fn an_invalid_person_is_refused() {
    run(async {
        let context = TestContext::new().await;
        for (body, expected) in [
            (json!({}), "at least one"),
            (json!({"mail": "jane@acme.com"}), "there is no member `mail`; allowed: `email`"),
            (json!({"email": "jane"}), "email must be an e-mail address"),
            (json!({"phone": "555"}), "phone must be"),
            (json!({"domain": "gmail.com"}), "at least one"),
        ] {
            let (status, problem) = context.post("/matches", &body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
            assert!(problem["detail"].as_str().unwrap().contains(expected), "{problem}");
        }
        let body = json!({"external_ids": {"Name": "Acme"}});
        let (status, problem) = context.post("/matches", &body).await;
        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("urn:ferry:problem:field_not_visible"))
        );
        assert_eq!(context.get("/search?q=a").await.0, StatusCode::BAD_REQUEST);
        assert_eq!(context.get("/search").await.0, StatusCode::BAD_REQUEST);
    });
}

/// Returns the objects and names of the results.
fn found(body: &Value) -> Vec<(&str, &str)> {
    let results = body["results"].as_array().unwrap_or_else(|| panic!("{body}"));
    results.iter().map(|row| (row["object"].as_str().unwrap(), row["name"].as_str().unwrap())).collect()
}

#[test]
fn a_search_finds_what_each_profile_sees() {
    run(async {
        let mut context = TestContext::new().await;
        context.jane();
        let expected = [("Account", "Acme Tools"), ("Contact", "Jane Quimby")];

        let (status, team) = context.get("/search?q=acmetools&objects=Account,Contact").await;
        assert_eq!((status, &team["source"], found(&team)), (StatusCode::OK, &json!("team"), expected.to_vec()));

        for (profile, restrictions) in profiles() {
            context.restrict(&restrictions);
            let (status, body) = context.get_as(REP, "/search?q=acmetools&objects=Account,Contact").await;
            assert_eq!((status, &body["source"]), (StatusCode::OK, &json!("salesforce")), "{profile}");
            // Nobody finds a record by a field that is hidden.
            let visible = if profile == "without two fields" { vec![] } else { expected.to_vec() };
            assert_eq!(found(&body), visible, "{profile}");
            let (_, body) = context.get_as(REP, "/search?q=quim").await;
            assert_eq!(found(&body).len(), 3, "{profile}: {body}");
            assert_eq!(body.to_string().contains("@acmetools.example"), profile != "without two fields", "{profile}");
        }
    });
}

#[test]
fn a_search_costs_one_call_once_the_schema_is_known() {
    run(async {
        let context = TestContext::new().await;
        for expected in [2, 1] {
            let (calls, (status, _)) = context.counted(context.get_as(REP, "/search?q=acme")).await;
            assert_eq!((status, calls), (StatusCode::OK, expected));
        }
    });
}

#[test]
fn the_text_of_a_search_has_no_syntax() {
    run(async {
        let context = TestContext::new().await;
        context.create(&context.admin, "Account", &json!({"Name": "Gull & Sons (Holding)"}));
        for (text, count) in
            [("Gull%20%26%20Sons%20(Holding)", 1), ("Gull%20OR%20Nobody", 0), ("Gull%7D%20IN%20NAME", 0)]
        {
            let (status, body) = context.get_as(REP, &format!("/search?q={text}&objects=Account")).await;
            assert_eq!((status, found(&body).len()), (StatusCode::OK, count), "{text}");
        }
    });
}

#[test]
fn a_custom_object_is_searched_and_looked_up() {
    run(async {
        let context = TestContext::new().await;
        let fields = json!([
            {"name": "Number__c", "type": "double", "external_id": true},
            {"name": "Memo__c", "type": "string"},
        ]);
        context.simulator.define_object(json!({"name": "Invoice__c", "fields": fields})).unwrap();
        let invoice = json!({"Name": "Inv Zeppelin", "Number__c": 7.5, "Memo__c": "blue"});
        let id = context.create(&context.rep, "Invoice__c", &invoice);

        let (_, body) = context.get_as(REP, "/search?q=zeppelin&objects=invoice__c").await;
        assert_eq!(found(&body), [("Invoice__c", "Inv Zeppelin")]);
        for value in ["7.5", "7.50"] {
            let (status, record) =
                context.get_as(REP, &format!("/records/Invoice__c/by/Number__c?value={value}")).await;
            assert_eq!(
                (status, &record["id"], &record["fields"]["Memo__c"]),
                (StatusCode::OK, &json!(id), &json!("blue"))
            );
        }
    });
}

#[test]
fn a_record_is_found_by_external_id() {
    run(async {
        let mut context = TestContext::new().await;
        let [jane, ..] = context.jane();
        let path = "/records/Contact/by/Ferry_External_Id__c?value=c-77";
        let (status, record) = context.get(path).await;
        assert_eq!(
            (status, &record["source"], &record["id"]),
            (StatusCode::OK, &json!("team"), &json!(jane)),
            "{record}"
        );

        for (profile, restrictions) in profiles() {
            context.restrict(&restrictions);
            for expected in [3, 2] {
                let (calls, (status, record)) = context.counted(context.get_as(REP, path)).await;
                assert_eq!((status, calls, &record["id"]), (StatusCode::OK, expected, &json!(jane)), "{profile}");
                let is_hidden = profile == "without two fields";
                assert_eq!(record["fields"].get("Email").is_none(), is_hidden, "{profile}: {record}");
            }
        }

        let missing = context.get_as(REP, "/records/Contact/by/Ferry_External_Id__c?value=C-78").await;
        assert_eq!((missing.0, &missing.1["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:not_found")));
        let no_key = context.get_as(REP, "/records/Contact/by/LastName?value=Quimby").await;
        assert_eq!(no_key.0, StatusCode::UNPROCESSABLE_ENTITY, "{}", no_key.1);
        let unknown = context.get_as(REP, "/records/Contact/by/Nope__c?value=1").await;
        assert_eq!(unknown.1["type"], "urn:ferry:problem:field_not_visible");
        let hidden = context.get_as(REP, "/records/Nope__c/by/Nope__c?value=1").await;
        assert_eq!(hidden.1["type"], "urn:ferry:problem:object_not_visible");
        assert_eq!(
            context.get_as(REP, "/records/Contact/by/Ferry_External_Id__c?value=").await.0,
            StatusCode::BAD_REQUEST
        );
    });
}

#[test]
fn several_records_with_one_external_id_are_named() {
    run(async {
        let context = TestContext::new().await;
        let fields = json!([{"name": "Key__c", "type": "string", "external_id": true}]);
        context.simulator.define_object(json!({"name": "Visit__c", "fields": fields})).unwrap();
        let visit = || context.create(&context.rep, "Visit__c", &json!({"Name": "V", "Key__c": "K/1"}));
        let ids = [visit(), visit()];

        let (status, problem) = context.get_as(REP, "/records/Visit__c/by/Key__c?value=K/1").await;

        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:several_records")));
        assert!(ids.iter().all(|id| problem["detail"].as_str().unwrap().contains(id)), "{problem}");
    });
}

#[test]
fn a_search_or_match_of_a_rep_who_is_not_connected_is_refused() {
    run(async {
        let context = TestContext::new().await;
        for (status, problem) in [
            context.get_as("rep-9", "/search?q=acme").await,
            context.post("/matches?as=rep-9", &person()).await,
            context.get_as("rep-9", "/records/Contact/by/Ferry_External_Id__c?value=1").await,
        ] {
            assert_eq!(
                (status, &problem["type"]),
                (StatusCode::CONFLICT, &json!("urn:ferry:problem:connect_required"))
            );
        }
        assert_eq!(context.simulator.api_calls(), 0);
    });
}
