//! Installed packages and install requests of the Tooling API, beside the recordings of `rest/package-install`.

use serde_json::json;

use crate::shapes::{
    Comparison::{self, ByTest},
    assert_rows, assert_shape, query_path, read,
};
use crate::support::Scene;

pub(in crate::shapes) const RECORDINGS: &[(&str, Comparison)] = &[
    ("rest/package-install/install-request-in-progress.json", ByTest("install_requests_come_as_recorded")),
    ("rest/package-install/install-request-success.json", ByTest("install_requests_come_as_recorded")),
    ("rest/package-install/installed-subscriber-packages.json", ByTest("installed_packages_are_listed_as_recorded")),
    ("rest/package-install/subscriber-package-version.json", ByTest("installed_packages_are_listed_as_recorded")),
];

#[tokio::test]
async fn installed_packages_are_listed_as_recorded() {
    let Some(installed) = read("rest/package-install/installed-subscriber-packages.json") else { return };
    let scene = Scene::new().await;
    let install = json!({"callout_url": "http://127.0.0.1:1/", "package_version": "2.1.0"});
    // The callout has no receiver; the package is installed all the same.
    scene.admin(reqwest::Method::POST, "package/install", Some(install)).await;
    for (soql, theirs) in [
        (
            "SELECT SubscriberPackage.Id, SubscriberPackage.NamespacePrefix, SubscriberPackageVersionId FROM InstalledSubscriberPackage",
            installed,
        ),
        (
            "SELECT Id, MajorVersion, MinorVersion, PatchVersion, BuildNumber, IsBeta FROM SubscriberPackageVersion",
            read("rest/package-install/subscriber-package-version.json").unwrap(),
        ),
    ] {
        let ours = scene.get(&format!("tooling/{}", query_path(soql))).await;
        assert_eq!(ours.status, 200, "{}", ours.body);
        assert_shape(&ours.body, &theirs, soql, &[]);
        assert_rows(&json!([ours.body]), &json!([theirs]), soql);
        assert_rows(&ours.body["records"], &theirs["records"], soql);
        let url = ours.body["records"][0]["attributes"]["url"].as_str().unwrap();
        assert!(url.starts_with("/services/data/v66.0/tooling/sobjects/"), "{url}");
    }
}

#[tokio::test]
async fn install_requests_come_as_recorded() {
    let Some(in_progress) = read("rest/package-install/install-request-in-progress.json") else { return };
    let scene = Scene::new().await;
    scene.admin(reqwest::Method::POST, "settings", Some(json!({"package_install_ms": 60_000}))).await;
    // The callout has no receiver; the package is installed all the same, and has the id of its version.
    let install = json!({"callout_url": "http://127.0.0.1:1/", "package_version": "2.1.0"});
    scene.admin(reqwest::Method::POST, "package/install", Some(install)).await;
    let key = json!({"SubscriberPackageVersionKey": scene.org.installed_package().unwrap().version_id});
    let path = "tooling/sobjects/PackageInstallRequest";
    let made = scene.post(path, key).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("{path}/{}", made.body["id"].as_str().unwrap());
    for (theirs, status) in
        [(in_progress, "IN_PROGRESS"), (read("rest/package-install/install-request-success.json").unwrap(), "SUCCESS")]
    {
        let ours = scene.get(&path).await.body;
        assert_shape(&ours, &theirs, status, &[]);
        assert_rows(&json!([ours]), &json!([theirs]), status);
        for same in ["Status", "SecurityType", "NameConflictResolution", "UpgradeType", "ApexCompileType", "EnableRss"]
        {
            assert_eq!(ours[same], theirs[same], "{same}");
        }
        scene.org.advance_clock(jiff::SignedDuration::from_secs(60));
    }
}
