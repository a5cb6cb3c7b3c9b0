//! The identity of the user: userinfo, identity URL, OpenID configuration and keys; the versions of the API; the user's rights.

use serde_json::{Value, json};

use crate::check::{Check, applies, differs, holds, not_applicable, same};

const USERINFO: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_using_userinfo_endpoint.htm";
const IDENTITY: &str = "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_using_openid.htm";
const VERSIONS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_versions.htm";
const RIGHTS: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_objectpermissions.htm";
const GROUPS: &str = "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_permissionsetgroup.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "userinfo names the org, the user and the username",
        source: "recording oauth/userinfo-2026.json",
        relied_on: "a consent is bound to the org and the user who gave it",
        run: |org| {
            let user = org.get("/services/oauth2/userinfo").send()?;
            let shape = json!({
                "sub": "<text>", "user_id": "<id 005>", "organization_id": "<id 00D>", "preferred_username": "<text>",
                "active": true,
            });
            user.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "the subject of userinfo is the identity URL of org and user",
        source: "recording oauth/userinfo-2026.json",
        relied_on: "the subject of an id_token is compared with the identity URL",
        run: |org| {
            let user = org.get("/services/oauth2/userinfo").send()?;
            let expected = format!("/id/{}/{}", user.text("/organization_id")?, user.text("/user_id")?);
            holds(user.text("/sub")?.ends_with(&expected), &format!("a subject that ends in {expected}"), user.shown())
        },
    },
    Check {
        name: "the identity URL names org, user and the addresses of the APIs",
        source: IDENTITY,
        relied_on: "the org of a token is known before any other call",
        run: |org| {
            let url = org.get("/services/oauth2/userinfo").send()?.text("/sub")?;
            let path = url.find("/id/").map(|at| url[at..].to_owned());
            let path = path.ok_or_else(|| differs("an identity URL with /id/", url.as_str()))?;
            let urls = json!({
                "enterprise": "<contains /services/Soap/c/{version}/>",
                "partner": "<contains /services/Soap/u/{version}/>", "rest": "<contains /services/data/v{version}/>",
            });
            let shape = json!({
                "id": "<contains /id/00D>", "user_id": "<id 005>", "organization_id": "<id 00D>",
                "username": "<text>", "urls": urls,
            });
            org.get(&path).send()?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "userinfo is refused without a session",
        source: USERINFO,
        relied_on: "a failure of userinfo is an error and not an anonymous user",
        run: |org| {
            let refused = org.get("/services/oauth2/userinfo").without_session().send()?;
            holds(matches!(refused.status, 401 | 403), "401 or 403", refused.shown())
        },
    },
    Check {
        name: "the OpenID configuration is at the org's My Domain",
        source: "recording oauth/openid-configuration.json",
        relied_on: "tokens can be refreshed and verified at the My Domain",
        run: |org| {
            let found = org.get("/.well-known/openid-configuration").without_session().send()?;
            let shape = json!({
                "issuer": "<starts http>", "authorization_endpoint": "<contains /services/oauth2/authorize>",
                "token_endpoint": "<contains /services/oauth2/token>",
                "revocation_endpoint": "<contains /services/oauth2/revoke>",
                "userinfo_endpoint": "<contains /services/oauth2/userinfo>", "jwks_uri": "<contains /id/keys>",
            });
            found.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "the keys for id_tokens are RSA keys for RS256 with an id each",
        source: "recording oauth/openid-configuration.json",
        relied_on: "id_tokens are verified by the key that they name",
        run: |org| {
            let keys = org.get("/id/keys").without_session().send()?.has_status(200)?;
            holds(!keys.list("/keys").is_empty(), "at least one key", keys.shown())?;
            let right = |key: &Value| key["kty"] == "RSA" && key["alg"] == "RS256" && key["kid"].is_string();
            holds(keys.list("/keys").iter().all(right), "only RSA keys for RS256 with a kid", keys.shown())
        },
    },
    Check {
        name: "the versions of the API are listed without a session, ascending",
        source: "recording rest/versions.json",
        relied_on: "the version that Ferry uses is looked up before an org is connected",
        run: |org| {
            let found = org.get("/services/data").without_session().send()?.has_status(200)?;
            let versions: Vec<f64> =
                found.list("").iter().filter_map(|entry| entry["version"].as_str()?.parse().ok()).collect();
            holds(versions.len() > 1 && versions.is_sorted(), "ascending versions", found.shown())?;
            let right = |entry: &Value| {
                let version = entry["version"].as_str().unwrap_or_default();
                entry["label"].is_string() && entry["url"] == format!("/services/data/v{version}")
            };
            holds(found.list("").iter().all(right), "label, url and version in each entry", found.shown())
        },
    },
    Check {
        name: "version 66.0 is offered",
        source: VERSIONS,
        relied_on: "all of Ferry's requests use this version",
        run: |org| {
            let found = org.get("/services/data").without_session().send()?.has_status(200)?;
            holds(found.list("").iter().any(|entry| entry["version"] == "66.0"), "version 66.0", found.shown())
        },
    },
    Check {
        name: "a version that does not exist is NOT_FOUND",
        source: "recording rest/errors/not-found-404.json",
        relied_on: "a wrong version is an error that no repetition mends",
        run: |org| {
            org.get("/services/data/v999.0/limits").send()?.fails(404, "NOT_FOUND")?;
            Ok(())
        },
    },
    Check {
        name: "the root of a version lists the resources",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_discoveryresource.htm",
        relied_on: "the paths of the resources are constants",
        run: |org| {
            let shape = json!({
                "sobjects": "<contains /sobjects>", "query": "<contains /query>", "queryAll": "<contains /queryAll>",
                "composite": "<contains /composite>", "limits": "<contains /limits>",
                "tooling": "<contains /tooling>",
            });
            org.get("").send()?.is(200, &shape)?;
            Ok(())
        },
    },
    Check {
        name: "UserPermissionAccess has one row with the user's system permissions",
        source: "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_userpermissionaccess.htm",
        relied_on: "the health of an org says which permissions the user of the connection lacks",
        run: |org| {
            let found = org.query(
                "SELECT PermissionsViewAllData, PermissionsModifyAllData, PermissionsViewSetup \
                FROM UserPermissionAccess",
            )?;
            let row = json!({
                "PermissionsViewAllData": "<boolean>", "PermissionsModifyAllData": "<boolean>",
                "PermissionsViewSetup": "<boolean>",
            });
            found.is(200, &json!({"totalSize": 1, "records": [row]}))?;
            Ok(())
        },
    },
    Check {
        name: "Modify All Data includes View All Data",
        source: "https://help.salesforce.com/s/articleView?id=platform.users_profiles_view_all_mod_all.htm&type=5",
        relied_on: "either of the two permissions is enough to see every record",
        run: |org| {
            let found =
                org.query("SELECT PermissionsViewAllData, PermissionsModifyAllData FROM UserPermissionAccess")?;
            applies(found.at("/records/0/PermissionsModifyAllData") == true, "the user lacks Modify All Data")?;
            same("PermissionsViewAllData", &json!(true), found.at("/records/0/PermissionsViewAllData"))
        },
    },
    Check {
        name: "only users with View Setup can query permission sets and their assignments",
        source: RIGHTS,
        relied_on: "a refused query of permission sets is no sign that the user sees too little",
        run: |org| {
            let limited = org.limited_session()?;
            let rights = org.get(&crate::org::query_path("SELECT PermissionsViewSetup FROM UserPermissionAccess"));
            let rights = rights.header("authorization", &format!("Bearer {limited}")).send()?;
            applies(rights.at("/records/0/PermissionsViewSetup") == false, "the user of the session has View Setup")?;
            for soql in ["SELECT Id FROM PermissionSetAssignment LIMIT 1", "SELECT Id FROM ObjectPermissions LIMIT 1"] {
                let request = org.get(&crate::org::query_path(soql));
                let answer = request.header("authorization", &format!("Bearer {limited}")).send()?;
                let seen = answer.status == 200 && !answer.list("/records").is_empty();
                holds(!seen, &format!("no rows of {soql} without View Setup"), answer.shown())?;
            }
            Ok(())
        },
    },
    Check {
        name: "the set of a permission set group covers the sets in it",
        source: GROUPS,
        relied_on: "View All Records that a group grants is found through the group's own set",
        run: |org| {
            let soql = "SELECT Id, PermissionSetGroupId FROM PermissionSet WHERE Type = 'Group' AND \
                PermissionSetGroupId != NULL LIMIT 1";
            let group = org.get(&crate::org::query_path(soql)).send()?;
            let row = group.at("/records/0");
            let (Some(set), Some(id)) = (row["Id"].as_str(), row["PermissionSetGroupId"].as_str()) else {
                return Err(not_applicable("the org has no permission set group"));
            };
            let members = format!(
                "SELECT SobjectType FROM ObjectPermissions WHERE PermissionsViewAllRecords = TRUE AND ParentId IN \
                    (SELECT PermissionSetId FROM PermissionSetGroupComponent WHERE PermissionSetGroupId = '{id}')"
            );
            let covered = format!(
                "SELECT SobjectType FROM ObjectPermissions WHERE PermissionsViewAllRecords = TRUE AND ParentId = \
                    '{set}'"
            );
            let (members, covered) = (org.query(&members)?, org.query(&covered)?);
            applies(!members.list("/records").is_empty(), "no set of the group grants View All Records")?;
            let has =
                |row: &Value| covered.list("/records").iter().any(|other| other["SobjectType"] == row["SobjectType"]);
            holds(
                members.list("/records").iter().all(has),
                &format!("the objects of {}", members.body()),
                covered.shown(),
            )
        },
    },
    Check {
        name: "contact roles, tasks and events have no View All Records of their own",
        source: "not looked up: Salesforce Knowledge, article 000240369",
        relied_on: "these objects are not asked of a user who has View All Records on the others",
        run: |org| {
            let soql = "SELECT SobjectType FROM ObjectPermissions WHERE PermissionsViewAllRecords = TRUE AND \
                SobjectType IN ('OpportunityContactRole', 'OpportunityLineItem', 'Task', 'Event')";
            org.query(soql)?.is(200, &json!({"totalSize": 0}))?;
            Ok(())
        },
    },
    Check {
        name: "the Organization record has the edition and says if it is a sandbox",
        source: "recording rest/organization.json",
        relied_on: "sandboxes are kept apart from production, and editions without outbound messages are told",
        run: |org| {
            let found = org.query(
                "SELECT Id, Name, IsSandbox, OrganizationType, InstanceName, NamespacePrefix, \
                TrialExpirationDate FROM Organization",
            )?;
            let row = json!({
                "Id": "<id 00D>", "Name": "<text>", "IsSandbox": "<boolean>", "OrganizationType": "<text>",
                "InstanceName": "<text>",
            });
            found.is(200, &json!({"totalSize": 1, "done": true, "records": [row]}))?;
            Ok(())
        },
    },
    Check {
        name: "the edition is one of the known values of OrganizationType",
        source: "https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_organization.htm",
        relied_on: "the health of an org explains an edition that sends no outbound messages",
        run: |org| {
            let known = [
                "Team Edition",
                "Professional Edition",
                "Enterprise Edition",
                "Developer Edition",
                "Personal Edition",
                "Unlimited Edition",
                "Performance Edition",
                "Contact Manager Edition",
                "Base Edition",
            ];
            holds(known.contains(&org.edition.as_str()), &format!("one of {known:?}"), &org.edition)
        },
    },
];
