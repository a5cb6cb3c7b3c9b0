//! Files, and the other resources for bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::check::{Check, Finding, applies, holds, same};
use crate::org::Org;

const BLOB: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_sobject_insert_update_blob.htm";
const VERSION: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contentversion.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a file is a version whose document exists at once",
        source: "recording notes/content-document-link-created-in-composite.json",
        relied_on: "notes and files share documents, versions and links",
        run: |org| {
            let (version, document) = file(org, "file")?;
            holds(
                version.starts_with("068") && document.starts_with("069"),
                "a version 068 of a document 069",
                format!("{version} {document}"),
            )
        },
    },
    Check {
        name: "the bytes of a version are at VersionData",
        source: BLOB,
        relied_on: "the bytes of a note's version are read in the same way",
        run: |org| {
            let (version, _) = file(org, "bytes")?;
            let bytes = org.get(&format!("sobjects/ContentVersion/{version}/VersionData")).send()?.has_status(200)?;
            same("the bytes", &"hello".to_owned(), &bytes.body())
        },
    },
    Check {
        name: "a file can be sent as a multipart message",
        source: BLOB,
        relied_on: "large contents need no base64",
        run: |org| {
            creatable(org)?;
            let parts = format!(
                "--b\r\nContent-Disposition: form-data; name=\"entity_content\"\r\n\
                 Content-Type: application/json\r\n\r\n\
                 {}\r\n--b\r\nContent-Disposition: form-data; name=\"VersionData\"; filename=\"a.txt\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\nhello\r\n--b--\r\n",
                json!({"Title": org.name("multipart"), "PathOnClient": "a.txt"})
            );
            let created = org
                .request("POST", "sobjects/ContentVersion")
                .body("multipart/form-data; boundary=\"b\"", &parts)
                .send()?
                .has_status(201)?;
            let version = created.text("/id")?;
            own(org, &version)?;
            let bytes = org.get(&format!("sobjects/ContentVersion/{version}/VersionData")).send()?.has_status(200)?;
            same("the bytes", &"hello".to_owned(), &bytes.body())
        },
    },
    Check {
        name: "a file is linked to a record as a note is",
        source: "recording notes/content-document-link-row.json",
        relied_on: "one kind of row links everything to records",
        run: |org| {
            let account = org.create("Account", json!({"Name": org.name("of file")}))?;
            let (_, document) = file(org, "linked file")?;
            let body = json!({"ContentDocumentId": document, "LinkedEntityId": account, "ShareType": "V"});
            org.post("sobjects/ContentDocumentLink", body).send()?.is(201, &json!({"id": "<id 06A>"}))?;
            Ok(())
        },
    },
    Check {
        name: "the path of a file keeps its folders",
        source: VERSION,
        relied_on: "a folder of the path marks the file of a write, so that it is found after a lost response",
        run: |org| {
            creatable(org)?;
            let path = "Ferry write 1/a.txt";
            let body =
                json!({"Title": org.name("path"), "PathOnClient": path, "VersionData": STANDARD.encode("hello")});
            let version = org.post("sobjects/ContentVersion", body).send()?.has_status(201)?.text("/id")?;
            own(org, &version)?;
            let kept = org.get(&format!("sobjects/ContentVersion/{version}")).send()?.text("/PathOnClient")?;
            same("the path", &path.to_owned(), &kept)
        },
    },
    Check {
        name: "the type of a file comes from its path",
        source: VERSION,
        relied_on: "notes are told from files by the type SNOTE",
        run: |org| {
            let (version, _) = file(org, "type")?;
            let shape = json!({
                "FileExtension": "txt", "FileType": "TEXT", "IsLatest": true, "VersionNumber": "1", "ContentSize": 5,
            });
            org.get(&format!("sobjects/ContentVersion/{version}")).send()?.is(200, &shape)?;
            Ok(())
        },
    },
];

/// Ends the check as not applicable unless the user may create versions of files.
pub(super) fn creatable(org: &Org) -> Result<(), Finding> {
    let found = org.get("sobjects/ContentVersion/describe").send()?;
    applies(found.status == 200 && found.at("/createable") == true, "the user cannot create files here")
}

/// Creates a file and returns the ids of its version and its document.
fn file(org: &Org, title: &str) -> Result<(String, String), Finding> {
    creatable(org)?;
    let body = json!({"Title": org.name(title), "PathOnClient": "a.txt", "VersionData": STANDARD.encode("hello")});
    let version = org.post("sobjects/ContentVersion", body).send()?.has_status(201)?.text("/id")?;
    let document = own(org, &version)?;
    Ok((version, document))
}

/// Notes the document of a version, so that it is deleted after the check.
fn own(org: &Org, version: &str) -> Result<String, Finding> {
    let document = org.get(&format!("sobjects/ContentVersion/{version}")).send()?.text("/ContentDocumentId")?;
    org.own("ContentDocument", &document);
    Ok(document)
}
