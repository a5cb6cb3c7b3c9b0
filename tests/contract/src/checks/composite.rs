//! Composite requests, graphs, batches and trees.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::check::{Check, holds, same};
use crate::org::Org;

const COMPOSITE: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite_post.htm";
const GRAPH: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_graph.htm";
const BATCH: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_batch.htm";
const TREE: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobject_tree.htm";

pub(super) const CHECKS: &[Check] =
    &[
        Check {
            name: "a subrequest refers to the response of an earlier one",
            source: "recording notes/content-document-link-created-in-composite.json",
            relied_on: "a note and its link are created by one request",
            run: |org| {
                let requests = json!([
                    create("a", "Account", json!({"Name": org.name("ref")})),
                    create("c", "Contact", json!({"LastName": org.name("ref"), "AccountId": "@{a.id}"}))
                ]);
                let done = composite(org, false, requests)?;
                let entry = |id: &str, prefix: &str| {
                    json!({
                        "referenceId": id, "httpStatusCode": 201,
                        "body": {"id": format!("<id {prefix}>"), "success": true, "errors": []},
                        "httpHeaders": {"Location": "<contains /sobjects/>"},
                    })
                };
                let done = done.is(200, &json!({"compositeResponse": [entry("a", "001"), entry("c", "003")]}))?;
                let contact =
                    org.get(&format!("sobjects/Contact/{}", done.text("/compositeResponse/1/body/id")?)).send()?;
                same("AccountId", done.at("/compositeResponse/0/body/id"), contact.at("/AccountId"))
            },
        },
        Check {
            name: "a subrequest uses a field of a record that an earlier one read",
            source: COMPOSITE,
            relied_on: "the version of a new note is found in the same request",
            run: |org| {
                let account =
                    org.create("Account", json!({"Name": org.name("read in composite"), "Site": org.key("site")}))?;
                let read = json!({
                    "method": "GET", "url": format!("/services/data/v66.0/sobjects/Account/{account}"),
                    "referenceId": "r",
                });
                let requests = json!([
                    read,
                    create("c", "Contact", json!({"LastName": org.name("of read"), "Title": "@{r.Site}"}))
                ]);
                let done = composite(org, false, requests)?
                    .is(200, &json!({"compositeResponse": [{"httpStatusCode": 200}, {"httpStatusCode": 201}]}))?;
                let contact =
                    org.get(&format!("sobjects/Contact/{}", done.text("/compositeResponse/1/body/id")?)).send()?;
                same("Title", &json!(org.key("site")), contact.at("/Title"))
            },
        },
        Check {
            name: "with allOrNone the other subrequests are PROCESSING_HALTED",
            source: COMPOSITE,
            relied_on: "the subrequest that failed is found by its other code",
            run: |org| {
                let requests = json!([
                    create("a", "Account", json!({"Name": org.name("halted")})),
                    create("c", "Contact", json!({"FirstName": "no last name"}))
                ]);
                let entry =
                    |code: &str| json!({"httpStatusCode": 400, "body": [{"errorCode": code, "message": "<text>"}]});
                composite(org, true, requests)?.is(
                    200,
                    &json!({"compositeResponse": [entry("PROCESSING_HALTED"), entry("REQUIRED_FIELD_MISSING")]}),
                )?;
                let found = org.query(&format!("SELECT Id FROM Account WHERE Name = '{}'", org.name("halted")))?;
                same("saved accounts", &json!(0), found.at("/totalSize"))
            },
        },
        Check {
            name: "without allOrNone the other subrequests are saved",
            source: COMPOSITE,
            relied_on: "independent writes share a request",
            run: |org| {
                let requests = json!([
                    create("c", "Contact", json!({"FirstName": "no last name"})),
                    create("a", "Account", json!({"Name": org.name("saved")}))
                ]);
                composite(org, false, requests)?
                    .is(200, &json!({"compositeResponse": [{"httpStatusCode": 400}, {"httpStatusCode": 201}]}))?;
                Ok(())
            },
        },
        Check {
            name: "a subrequest that depends on a failed one fails too",
            source: COMPOSITE,
            relied_on: "no link is written to a note that does not exist",
            run: |org| {
                let requests = json!([
                    create("a", "Account", json!({"Site": "no name"})),
                    create("c", "Contact", json!({"LastName": org.name("of failed"), "AccountId": "@{a.id}"}))
                ]);
                composite(org, false, requests)?.is(200, &json!({
                "compositeResponse": [
                    {"httpStatusCode": 400}, {"httpStatusCode": 400, "body": [{"errorCode": "PROCESSING_HALTED"}]},
                ],
            }))?;
                Ok(())
            },
        },
        Check {
            name: "a subrequest that is not found is 404 inside of 200",
            source: "recording rest/composite/sub-request-404-in-200.json",
            relied_on: "the status of each subrequest is read",
            run: |org| {
                let requests = json!([
                    {"method": "GET", "url": "/services/data/v66.0/sobjects/Foo", "referenceId": "CCI__RefId__0__"},
                ]);
                let body = json!([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]);
                let entry =
                    json!({"body": body, "httpHeaders": {}, "httpStatusCode": 404, "referenceId": "CCI__RefId__0__"});
                composite(org, false, requests)?.is(200, &json!({"compositeResponse": [entry]}))?;
                Ok(())
            },
        },
        Check {
            name: "a composite request runs queries",
            source: "recording rest/composite/four-queries.json",
            relied_on: "several queries count as one call",
            run: |org| {
                let query = |id: &str| {
                    json!({
                        "method": "GET", "url": "/services/data/v66.0/query?q=SELECT+Id+FROM+Account+LIMIT+1",
                        "referenceId": id,
                    })
                };
                let entry = json!({"httpStatusCode": 200, "body": {"done": true, "records": "<list>"}});
                composite(org, false, json!([query("one"), query("two")]))?
                    .is(200, &json!({"compositeResponse": [entry, entry]}))?;
                Ok(())
            },
        },
        Check {
            name: "a composite request has at most 25 subrequests",
            source: COMPOSITE,
            relied_on: "notes and links are divided among requests",
            run: |org| {
                let read = |n: u32| {
                    json!({
                        "method": "GET", "url": "/services/data/v66.0/sobjects/Account/001000000000001AAA",
                        "referenceId": format!("r{n}"),
                    })
                };
                let refused = composite(org, false, (0..26).map(read).collect())?;
                holds(refused.status == 400, "400", refused.shown())
            },
        },
        Check {
            name: "a collection can be a subrequest",
            source: COMPOSITE,
            relied_on: "many links of a note are created with it",
            run: |org| {
                let records = [crate::org::typed("Account", &json!({"Name": org.name("in composite")}))];
                let request = json!({
                    "method": "POST", "url": "/services/data/v66.0/composite/sobjects", "referenceId": "all",
                    "body": {"allOrNone": true, "records": records},
                });
                let done = composite(org, true, json!([request]))?.is(
                200,
                &json!({"compositeResponse": [{"httpStatusCode": 200, "body": [{"id": "<id 001>", "success": true}]}]}),
            )?;
                org.own("Account", &done.text("/compositeResponse/0/body/0/id")?);
                Ok(())
            },
        },
        Check {
            name: "a graph that succeeds says so",
            source: "recording rest/composite/graph-ok.json",
            relied_on: "records that belong together are saved or refused together",
            run: |org| {
                let done = graphs(
                    org,
                    json!([
                        {
                            "graphId": "g1",
                            "compositeRequest": [create("a", "Account", json!({"Name": org.name("graph")}))],
                        },
                    ]),
                )?;
                let entry =
                    json!({"body": {"id": "<id 001>", "success": true}, "httpStatusCode": 201, "referenceId": "a"});
                done.is(200, &json!({
                "graphs": [{"graphId": "g1", "graphResponse": {"compositeResponse": [entry]}, "isSuccessful": true}],
            }))?;
                Ok(())
            },
        },
        Check {
            name: "a graph that fails is rolled back, and the others are saved",
            source: GRAPH,
            relied_on: "records that belong together are saved or refused together",
            run: |org| {
                let account = |name: &str| create("a", "Account", json!({"Name": org.name(name)}));
                let wrong = create("c", "Contact", json!({"FirstName": "no last name"}));
                let done = graphs(
                    org,
                    json!([
                        {"graphId": "bad", "compositeRequest": [account("bad graph"), wrong]},
                        {"graphId": "good", "compositeRequest": [account("good graph")]},
                    ]),
                )?;
                done.is(200, &json!({
                "graphs": [{"graphId": "bad", "isSuccessful": false}, {"graphId": "good", "isSuccessful": true}],
            }))?;
                let found = org.query(&format!("SELECT Id FROM Account WHERE Name = '{}'", org.name("bad graph")))?;
                same("saved accounts of the failed graph", &json!(0), found.at("/totalSize"))
            },
        },
        Check {
            name: "a batch has the status and result of each request",
            source: BATCH,
            relied_on: "reads are collected into one round trip",
            run: |org| {
                let request = |url: &str| json!({"method": "GET", "url": url});
                let body = json!({
                    "batchRequests": [request("v66.0/sobjects/Account/001000000000001AAA"), request("v66.0/limits")],
                });
                let done = org.post("composite/batch", body).send()?;
                done.is(
                    200,
                    &json!({
                        "hasErrors": true,
                        "results": [
                            {"statusCode": 404, "result": [{"errorCode": "NOT_FOUND"}]},
                            {"statusCode": 200, "result": "<object>"},
                        ],
                    }),
                )?;
                Ok(())
            },
        },
        Check {
            name: "a tree creates parents with their children",
            source: TREE,
            relied_on: "sample data are loaded as trees",
            run: |org| {
                let done = tree(org, json!({"LastName": org.name("tree child")}))?.has_status(201)?;
                for (result, object) in done.list("/results").iter().zip(["Account", "Contact"]) {
                    org.own(object, result["id"].as_str().unwrap_or_default());
                }
                done.is(
                    201,
                    &json!({
                        "hasErrors": false,
                        "results": [{"referenceId": "a1", "id": "<id 001>"}, {"referenceId": "c1", "id": "<id 003>"}],
                    }),
                )?;
                Ok(())
            },
        },
        Check {
            name: "a tree with an error saves nothing",
            source: TREE,
            relied_on: "sample data are loaded completely or not at all",
            run: |org| {
                let error = json!({"statusCode": "INVALID_EMAIL_ADDRESS", "message": "<text>", "fields": ["Email"]});
                tree(org, json!({"LastName": org.name("tree child"), "Email": "nobody"}))?
                    .is(400, &json!({"hasErrors": true, "results": [{"referenceId": "c1", "errors": [error]}]}))?;
                let found = org.query(&format!("SELECT Id FROM Account WHERE Name = '{}'", org.name("tree")))?;
                same("saved accounts", &json!(0), found.at("/totalSize"))
            },
        },
    ];

/// Returns a subrequest that creates a record.
fn create(id: &str, object: &str, body: Value) -> Value {
    json!({"method": "POST", "url": format!("/services/data/v66.0/sobjects/{object}"), "referenceId": id, "body": body})
}

/// Sends a composite request, and notes the records that it created.
fn composite(org: &Org, all_or_none: bool, requests: Value) -> Result<Answer, crate::check::Finding> {
    let done = org.post("composite", json!({"allOrNone": all_or_none, "compositeRequest": requests})).send()?;
    own_created(org, done.list("/compositeResponse"));
    Ok(done)
}

/// Sends graphs, and notes the records that they created.
fn graphs(org: &Org, graphs: Value) -> Result<Answer, crate::check::Finding> {
    let done = org.post("composite/graph", json!({"graphs": graphs})).send()?;
    for graph in done.list("/graphs") {
        own_created(org, graph["graphResponse"]["compositeResponse"].as_array().map_or(&[], Vec::as_slice));
    }
    Ok(done)
}

fn own_created(org: &Org, entries: &[Value]) {
    for id in
        entries.iter().filter(|entry| entry["httpStatusCode"] == 201).filter_map(|entry| entry["body"]["id"].as_str())
    {
        org.own(if id.starts_with("001") { "Account" } else { "Contact" }, id);
    }
}

fn tree(org: &Org, child: Value) -> Result<Answer, crate::check::Finding> {
    let mut contact = child;
    contact["attributes"] = json!({"type": "Contact", "referenceId": "c1"});
    let account = json!({
        "attributes": {"type": "Account", "referenceId": "a1"}, "Name": org.name("tree"),
        "Contacts": {"records": [contact]},
    });
    org.post("composite/tree/Account", json!({"records": [account]})).send()
}
