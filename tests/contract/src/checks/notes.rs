//! Enhanced notes and their links to records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::check::{Check, Finding, applies, holds, same};
use crate::org::{Org, query_path};

const NOTE: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contentnote.htm";
const LINK: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contentdocumentlink.htm";
const VERSION: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contentversion.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a note is created from a title and base64 of HTML, and has a document's id",
        source: "recording notes/content-note-fields-and-rules.txt",
        relied_on: "a note of the platform becomes an enhanced note",
        run: |org| {
            let id = note(org, "created", "<p>one</p>")?;
            holds(id.starts_with("069"), "an id that begins with 069", id)
        },
    },
    Check {
        name: "the content of a note is an address in JSON, whose bytes are the HTML",
        source: NOTE,
        relied_on: "a note is read by two calls",
        run: |org| {
            let id = note(org, "content", "<p>a &amp; b</p>")?;
            let read = org.get(&format!("sobjects/ContentNote/{id}")).send()?;
            let shape = json!({
                "Title": org.name("content"), "FileType": "SNOTE",
                "Content": "<contains /services/data/v66.0/sobjects/ContentNote/>", "TextPreview": "<contains a & b>",
            });
            let read = read.is(200, &shape)?;
            let content = org.get(&read.text("/Content")?).send()?.has_status(200)?;
            holds(content.body().contains("a &amp; b"), "the HTML that was written", content.shown())
        },
    },
    Check {
        name: "a note needs a title",
        source: NOTE,
        relied_on: "a note without a title is refused before it is sent",
        run: |org| {
            enabled(org)?;
            let refused = org.post("sobjects/ContentNote", json!({"Content": STANDARD.encode("<p>x</p>")})).send()?;
            refused.fails(400, "REQUIRED_FIELD_MISSING")?;
            Ok(())
        },
    },
    Check {
        name: "a title of more than 255 characters is STRING_TOO_LONG",
        source: NOTE,
        relied_on: "titles are cut before they are sent",
        run: |org| {
            enabled(org)?;
            let body = json!({"Title": "x".repeat(256), "Content": STANDARD.encode("<p>x</p>")});
            org.post("sobjects/ContentNote", body).send()?.fails(400, "STRING_TOO_LONG")?;
            Ok(())
        },
    },
    Check {
        name: "a content that is no base64 is refused",
        source: NOTE,
        relied_on: "content is always encoded",
        run: |org| {
            enabled(org)?;
            let refused = org
                .post("sobjects/ContentNote", json!({"Title": org.name("not base64"), "Content": "<p>%%%</p>"}))
                .send()?;
            holds(refused.status == 400, "400", refused.shown())
        },
    },
    Check {
        name: "an update of a note makes a new version",
        source: NOTE,
        relied_on: "a note is corrected in place",
        run: |org| {
            let id = note(org, "update", "<p>one</p>")?;
            let path = format!("sobjects/ContentNote/{id}");
            let before = org.get(&path).send()?.text("/LatestPublishedVersionId")?;
            let body = json!({"Title": org.name("update 2"), "Content": STANDARD.encode("<p>two</p>")});
            org.patch(&path, body).send()?.has_status(204)?;
            let after = org
                .get(&path)
                .send()?
                .is(200, &json!({"Title": org.name("update 2"), "LatestPublishedVersionId": "<id 068>"}))?;
            holds(after.text("/LatestPublishedVersionId")? != before, "another version", after.shown())
        },
    },
    Check {
        name: "a note and its link are created by one composite request",
        source: "recording notes/content-document-link-created-in-composite.json",
        relied_on: "no note is left without its record",
        run: |org| {
            enabled(org)?;
            let account = org.create("Account", json!({"Name": org.name("of note")}))?;
            let create = |id: &str, object: &str, body: Value| {
                json!({
                    "method": "POST", "url": format!("/services/data/v66.0/sobjects/{object}"), "referenceId": id,
                    "body": body,
                })
            };
            let requests = json!([
                create(
                    "note",
                    "ContentNote",
                    json!({"Title": org.name("linked"), "Content": STANDARD.encode("<p>x</p>")})
                ),
                create(
                    "link",
                    "ContentDocumentLink",
                    json!({"ContentDocumentId": "@{note.id}", "LinkedEntityId": account, "ShareType": "V"})
                )
            ]);
            let done = org
                .post("composite", json!({"allOrNone": true, "compositeRequest": requests}))
                .send()?
                .has_status(200)?;
            if let Some(id) = done.at("/compositeResponse/0/body/id").as_str() {
                org.own("ContentDocument", id);
            }
            done.is(
                200,
                &json!({
                    "compositeResponse": [
                        {"httpStatusCode": 201, "body": {"id": "<id 069>"}},
                        {"httpStatusCode": 201, "body": {"id": "<id 06A>"}},
                    ],
                }),
            )?;
            Ok(())
        },
    },
    Check {
        name: "a link row has document, record, share type and visibility",
        source: "recording notes/content-document-link-row.json",
        relied_on: "the notes of a record are found",
        run: |org| {
            let (note, account) = linked(org, "row")?;
            let soql = format!(
                "SELECT Id, ContentDocumentId, LinkedEntityId, ShareType, Visibility, ContentDocument.Title FROM \
                    ContentDocumentLink WHERE LinkedEntityId = '{account}'"
            );
            let row = json!({
                "ContentDocumentId": note, "LinkedEntityId": account, "ShareType": "V", "Visibility": "<text>",
                "ContentDocument": {"Title": org.name("row")},
            });
            org.query(&soql)?.is(200, &json!({"totalSize": 1, "records": [row]}))?;
            Ok(())
        },
    },
    Check {
        name: "a second link of a note to the same record is refused",
        source: LINK,
        relied_on: "a repeated link makes no second row",
        run: |org| {
            let (note, account) = linked(org, "twice")?;
            let refused = org.post("sobjects/ContentDocumentLink", link(&note, &account)).send()?;
            refused.fails(400, "DUPLICATE_VALUE")?;
            Ok(())
        },
    },
    Check {
        name: "links cannot be queried without a document or a record",
        source: LINK,
        relied_on: "links are read in groups of records",
        run: |org| {
            let refused = org.get(&query_path("SELECT Id FROM ContentDocumentLink")).send()?;
            applies(refused.status != 200, "the user has Query All Files")?;
            refused.is(
                400,
                &json!([
                    {
                        "errorCode": "MALFORMED_QUERY",
                        "message": "<contains Implementation restriction: ContentDocumentLink requires a filter>",
                    },
                ]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "the deletion of a note deletes its links",
        source: NOTE,
        relied_on: "a deleted note leaves nothing on its records",
        run: |org| {
            let (note, account) = linked(org, "deleted")?;
            org.delete(&format!("sobjects/ContentNote/{note}")).send()?.has_status(204)?;
            let found = org.query(&format!("SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{account}'"))?;
            same("links", &json!(0), found.at("/totalSize"))
        },
    },
    Check {
        name: "the Description of a note's version can be updated",
        source: VERSION,
        relied_on: "a note carries a mark by which a repeated create finds it",
        run: |org| {
            let (id, version) = versioned(org, "description")?;
            org.patch(&format!("sobjects/ContentVersion/{version}"), json!({"Description": org.key("mark")}))
                .send()?
                .has_status(204)?;
            let found =
                org.query(&format!("SELECT Description FROM ContentVersion WHERE ContentDocumentId = '{id}'"))?;
            found.is(200, &json!({"totalSize": 1, "records": [{"Description": org.key("mark")}]}))?;
            Ok(())
        },
    },
    Check {
        name: "a later version of a note begins without a Description",
        source: VERSION,
        relied_on: "the mark of a note is searched for in all of its versions",
        run: |org| {
            let (id, version) = versioned(org, "later")?;
            org.patch(&format!("sobjects/ContentVersion/{version}"), json!({"Description": org.key("later")}))
                .send()?
                .has_status(204)?;
            org.patch(&format!("sobjects/ContentNote/{id}"), json!({"Content": STANDARD.encode("<p>later</p>")}))
                .send()?
                .has_status(204)?;
            let latest = org.query(&format!(
                "SELECT Description FROM ContentVersion WHERE ContentDocumentId = '{id}' AND IsLatest = TRUE"
            ))?;
            latest.is(200, &json!({"totalSize": 1, "records": [{"Description": null}]}))?;
            Ok(())
        },
    },
    Check {
        name: "a version with a path that ends in .snote is a note",
        source: VERSION,
        relied_on: "a note and its mark could be created by one call",
        run: |org| {
            super::files::creatable(org)?;
            enabled(org)?;
            let body = json!({
                "Title": org.name("snote"), "PathOnClient": "note.snote", "VersionData": STANDARD.encode("<p>x</p>"),
            });
            let created = org.post("sobjects/ContentVersion", body).send()?.has_status(201)?;
            let version = org.get(&format!("sobjects/ContentVersion/{}", created.text("/id")?)).send()?;
            let version = version.is(200, &json!({"ContentDocumentId": "<id 069>"}))?;
            org.own("ContentDocument", &version.text("/ContentDocumentId")?);
            same("FileType", &json!("SNOTE"), version.at("/FileType"))
        },
    },
    Check {
        name: "links of a note are made by one collection, each with its outcome",
        source: LINK,
        relied_on: "the links of a note that do not fit into the request that creates it are made by one more",
        run: |org| {
            let id = note(org, "collection", "<p>x</p>")?;
            let account = org.create("Account", json!({"Name": org.name("collection")}))?;
            let link = json!({"attributes": {"type": "ContentDocumentLink"}, "ContentDocumentId": id,
                "LinkedEntityId": account, "ShareType": "V", "Visibility": "InternalUsers"});
            let body = json!({"allOrNone": false, "records": [link, link]});
            let linked = org.post("composite/sobjects", body).send()?;
            linked.is(
                200,
                &json!([{"success": true}, {"success": false, "errors": [{"statusCode": "DUPLICATE_VALUE"}]}]),
            )?;
            Ok(())
        },
    },
    Check {
        name: "the share type of a link to a record can be updated",
        source: LINK,
        relied_on: "a link that is requested with another share type gets it",
        run: |org| {
            let id = note(org, "share type", "<p>x</p>")?;
            let account = org.create("Account", json!({"Name": org.name("share type")}))?;
            let link = json!({"ContentDocumentId": id, "LinkedEntityId": account, "ShareType": "V"});
            let link = org.post("sobjects/ContentDocumentLink", link).send()?.has_status(201)?.text("/id")?;
            let changed =
                org.patch(&format!("sobjects/ContentDocumentLink/{link}"), json!({"ShareType": "I"})).send()?;
            changed.has_status(204)?;
            Ok(())
        },
    },
];

/// Ends the check as not applicable unless the org has enhanced notes.
fn enabled(org: &Org) -> Result<(), Finding> {
    let found = org.get("sobjects/ContentNote").send()?;
    applies(found.status == 200, "enhanced notes are off (Setup > Notes Settings)")
}

fn note(org: &Org, title: &str, html: &str) -> Result<String, Finding> {
    enabled(org)?;
    org.create("ContentNote", json!({"Title": org.name(title), "Content": STANDARD.encode(html)}))
}

/// Creates a note and returns its id and that of its version.
fn versioned(org: &Org, title: &str) -> Result<(String, String), Finding> {
    let id = note(org, title, "<p>x</p>")?;
    let version = org.get(&format!("sobjects/ContentNote/{id}")).send()?.text("/LatestPublishedVersionId")?;
    Ok((id, version))
}

fn link(note: &str, record: &str) -> Value {
    json!({"ContentDocumentId": note, "LinkedEntityId": record, "ShareType": "V"})
}

/// Creates a note that is linked to an account, and returns both ids.
fn linked(org: &Org, title: &str) -> Result<(String, String), Finding> {
    let account = org.create("Account", json!({"Name": org.name(title)}))?;
    let note = note(org, title, "<p>x</p>")?;
    org.post("sobjects/ContentDocumentLink", link(&note, &account)).send()?.has_status(201)?;
    Ok((note, account))
}
