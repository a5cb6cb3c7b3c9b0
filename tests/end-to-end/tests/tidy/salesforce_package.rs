//! Rules about `infra/salesforce`, the package that is installed in customers' orgs.

use roxmltree::{Document, Node};
use serde_json::Value;

use crate::check;
use crate::repository::{File, file, files};

const FOLDER: &str = "infra/salesforce/";

#[test]
fn the_salesforce_package_is_well_formed() {
    let broken = |file: &'static File| {
        let error = Document::parse(&file.text).err();
        error.map(|error| format!("{}: {error}", file.place(error.pos().row as usize))).into_iter().collect()
    };
    check("correct the XML", files(FOLDER, ".xml"), broken);
}

#[test]
fn the_salesforce_package_knows_its_version() {
    let project: Value =
        serde_json::from_str(&file("infra/salesforce/sfdx-project.json").text).expect("sfdx-project.json is JSON");
    let folders = project["packageDirectories"].as_array().expect("sfdx-project.json has packageDirectories");
    let versions: Vec<_> = folders.iter().filter_map(|folder| folder["versionNumber"].as_str()).collect();
    let [version] = versions[..] else { panic!("sfdx-project.json has not one versionNumber: {versions:?}") };
    let version = version.strip_suffix(".NEXT").expect("the build number is NEXT");

    let path = "infra/salesforce/force-app/main/default/customMetadata/Ferry_Setting.Default.md-meta.xml";
    let settings = Document::parse(&file(path).text).expect("Ferry_Setting.Default is XML");
    let of_version = |values: &Node<'_, '_>| child(*values, "field") == Some("Package_Version__c");
    let values = settings.root_element().children().find(of_version).expect("Ferry_Setting has Package_Version__c");
    let known = child(values, "value");
    assert_eq!(known, Some(version), "put the version of sfdx-project.json into Package_Version__c in {path}");
}

/// Returns the text of the child element with the name.
fn child<'a>(parent: Node<'a, '_>, name: &str) -> Option<&'a str> {
    parent.children().find(|child| child.tag_name().name() == name)?.text().map(str::trim)
}
