//! Packages and the Tooling API.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::check::{Check, Finding, applies, holds, not_applicable};
use crate::org::{Org, VERSION, query_path};

const HANDLER: &str = "https://developer.salesforce.com/docs/atlas.en-us.apexref.meta/apexref/apex_install_handler.htm";
const VERSIONS: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_package2versioncreaterequest.htm";
const POLICIES: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_extlclntappoauthconfigurablepolicies.htm";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "installed packages are listed with namespace and version",
        source: "recording rest/package-install/installed-subscriber-packages.json",
        relied_on: "the version of the package in an org is known",
        run: |org| {
            let soql = "SELECT Id, SubscriberPackage.NamespacePrefix, SubscriberPackage.Name, \
                SubscriberPackageVersion.MajorVersion, SubscriberPackageVersion.MinorVersion, \
                SubscriberPackageVersion.PatchVersion, SubscriberPackageVersion.BuildNumber FROM \
                InstalledSubscriberPackage";
            let found = org.tooling_query(soql)?;
            let shape = json!({
                "SubscriberPackage": {"Name": "<text>"},
                "SubscriberPackageVersion": {
                    "MajorVersion": "<number>", "MinorVersion": "<number>", "PatchVersion": "<number>",
                },
            });
            let wrong = found.list("/records").iter().find_map(|row| crate::pattern::mismatch(&shape, Some(row)));
            holds(wrong.is_none(), &shape.to_string(), wrong.unwrap_or_default())
        },
    },
    Check {
        name: "an unknown package version ends its request in ERROR",
        source: "recording rest/package-install/install-request-in-progress.json",
        relied_on: "an upgrade that fails is shown with its errors",
        run: |org| {
            let body = json!({
                "SubscriberPackageVersionKey": "04t000000000001AAA", "NameConflictResolution": "Block",
                "SecurityType": "None", "PackageInstallSource": "U", "EnableRss": false,
            });
            let created = org.post("tooling/sobjects/PackageInstallRequest", body).send()?;
            // An org may verify the id when the request is made.
            if created.status == 400 {
                return Ok(());
            }
            let path = format!(
                "tooling/sobjects/PackageInstallRequest/{}",
                created.is(201, &json!({"id": "<id 0Hf>", "success": true}))?.text("/id")?
            );
            for _ in 0..30 {
                let request = org.get(&path).send()?.is(200, &json!({"Status": "<text>"}))?;
                match request.at("/Status").as_str() {
                    Some("ERROR") => return Ok(()),
                    Some("SUCCESS") => return Err(request.unlike("Status ERROR")),
                    _ => org.pass_time(2)?,
                }
            }
            Err(Finding::NotRun("the request did not end within a minute".to_owned()))
        },
    },
    Check {
        name: "an unknown object of the Tooling API is INVALID_TYPE",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/intro_rest_resources.htm",
        relied_on: "what an edition does not have is told from a failure",
        run: |org| {
            org.get(&format!("tooling/{}", query_path("SELECT Id FROM No_Such_Object")))
                .send()?
                .fails(400, "INVALID_TYPE")?;
            Ok(())
        },
    },
    Check {
        name: "the post-install script has enqueued its queueable job",
        source: HANDLER,
        relied_on: "the install notice is sent after the commit of the installation",
        run: |org| {
            installed(org)?;
            let soql = "SELECT Id, JobType, Status FROM AsyncApexJob WHERE ApexClass.Name = 'InstallNotice'";
            let found = org.get(&query_path(soql)).send()?.has_status(200)?;
            // Salesforce deletes finished jobs after some days.
            applies(!found.list("/records").is_empty(), "no job of InstallNotice is kept; install the package again")?;
            holds(
                found.list("/records").iter().any(|job| job["JobType"] == "Queueable"),
                "a job of the type Queueable",
                found.shown(),
            )
        },
    },
    Check {
        name: "an uninstall script makes no callout",
        source: "https://developer.salesforce.com/docs/atlas.en-us.apexref.meta/apexref/apex_uninstall_handler.htm",
        relied_on: "only the license shows an uninstallation",
        run: |org| {
            // The script of another package shows it too, if it tried and the org kept the job that failed.
            let soql =
                "SELECT ExtendedStatus FROM AsyncApexJob WHERE Status = 'Failed' AND ExtendedStatus LIKE '%uninstall%'";
            let found = org.get(&query_path(soql)).send()?;
            let failed = found
                .list("/records")
                .iter()
                .filter_map(|job| job["ExtendedStatus"].as_str())
                .find(|text| text.contains("allout"));
            failed
                .map(|_| ())
                .ok_or_else(|| not_applicable("no failed job of an uninstall script with a callout is kept"))
        },
    },
    Check {
        name: "a package version was built with a username of the Dev Hub as integrationUser",
        source: VERSIONS,
        relied_on: "the package can be built as infra/salesforce/README.md says",
        run: |org| {
            let built = version_requests(org)?;
            let done = built.list("/records").iter().any(|request| request["Status"] == "Success");
            holds(done, "a request with the status Success", built.shown())
        },
    },
    Check {
        name: "ancestorVersion HIGHEST is accepted for the first version",
        source: "https://developer.salesforce.com/docs/atlas.en-us.sfdx_dev.meta/sfdx_dev/sfdx_dev2gp_config_file.htm",
        relied_on: "sfdx-project.json needs no change after the first version",
        run: |org| {
            version_requests(org)?;
            let found = org.tooling_query(
                "SELECT Id, AncestorId FROM Package2Version WHERE Package2.Name = 'Ferry' ORDER BY CreatedDate LIMIT 1",
            )?;
            applies(!found.list("/records").is_empty(), "no version of the package was built")?;
            holds(found.at("/records/0/AncestorId").is_null(), "a first version without an ancestor", found.shown())
        },
    },
    Check {
        name: "the metadata of an app's policies has no member for rotation or allowed addresses",
        source: POLICIES,
        relied_on: "rotation, the idle timeout and the list of addresses are turned on by hand",
        run: |org| {
            let found = metadata_type(org, "ExtlClntAppOauthConfigurablePolicies")?;
            let body = found.body();
            let names: Vec<&str> = body.split("<name>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
            let known = |name: &&&str| {
                ["rotat", "idle", "iprange", "allowlist"].iter().any(|part| name.to_lowercase().contains(part))
            };
            let found: Vec<_> = names.iter().filter(known).collect();
            holds(
                found.is_empty() && !names.is_empty(),
                "no member for rotation, idle time or addresses",
                format!("{names:?}"),
            )
        },
    },
];

/// Ends the check as not applicable unless the package is installed.
fn installed(org: &Org) -> Result<(), Finding> {
    let found = org.tooling_query("SELECT Id, SubscriberPackage.Name FROM InstalledSubscriberPackage")?;
    let is_ferry = |row: &Value| row["SubscriberPackage"]["Name"] == "Ferry";
    applies(found.list("/records").iter().any(is_ferry), "the package Ferry is not installed")
}

/// Returns the requests to build versions; not applicable if the org is no Dev Hub of the package.
fn version_requests(org: &Org) -> Result<Answer, Finding> {
    let soql = "SELECT Id, Status FROM Package2VersionCreateRequest WHERE Package2.Name = 'Ferry'";
    let found = org.get(&format!("tooling/{}", query_path(soql))).send()?;
    applies(found.status == 200, "the org is no Dev Hub")?;
    applies(!found.list("/records").is_empty(), "no version of the package Ferry was built in this Dev Hub")?;
    Ok(found)
}

/// Returns the description of a type of the Metadata API.
fn metadata_type(org: &Org, name: &str) -> Result<Answer, Finding> {
    let session = &org.target.access_token;
    let envelope = format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:met=\"http://soap.sforce.com/2006/04/metadata\">\
         <soapenv:Header><met:SessionHeader><met:sessionId>{session}</met:sessionId></met:SessionHeader>\
         </soapenv:Header><soapenv:Body><met:describeValueType>\
         <met:type>{{http://soap.sforce.com/2006/04/metadata}}{name}</met:type></met:describeValueType>\
         </soapenv:Body></soapenv:Envelope>"
    );
    let request = org.request("POST", &format!("/services/Soap/m/{VERSION}")).without_session();
    let found = request.header("SOAPAction", "\"\"").body("text/xml; charset=UTF-8", &envelope).send()?;
    applies(found.status == 200, &format!("the Metadata API does not describe {name} here ({})", found.status))?;
    Ok(found)
}
