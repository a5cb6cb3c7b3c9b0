//! The rights of a team connection's user: whether the user is an administrator of the org, and of which mirrored objects the
//! user may not see every record.
//!
//! `UserPermissionAccess` has the system permissions of the session's own user, also for users without View Setup and
//! Configuration. The permission View All Records is in `ObjectPermissions`, of each permission set that is assigned to the user;
//! the profile is one of them (`shared/salesforce/FACTS.md` 2.6). *Unverified* against a real org: that the permission sets of a
//! permission set group are covered by the group's own set, and that both objects are hidden from users without View Setup and
//! Configuration. A user whose permissions cannot be read counts as one without them.

use runtime::Chain;
use salesforce::{Classify as _, Client, Error, FieldName, ObjectName, Record, RecordId, Retry, Soql, soql};
use store::UserRights;

const USER_PERMISSION_ACCESS: ObjectName = ObjectName::from_static("UserPermissionAccess");
const CUSTOMIZE_APPLICATION: FieldName = FieldName::from_static("PermissionsCustomizeApplication");
const MODIFY_ALL_DATA: FieldName = FieldName::from_static("PermissionsModifyAllData");
const VIEW_ALL_DATA: FieldName = FieldName::from_static("PermissionsViewAllData");
const PERMISSION_SET_ASSIGNMENT: ObjectName = ObjectName::from_static("PermissionSetAssignment");
const PERMISSION_SET_ID: FieldName = FieldName::from_static("PermissionSetId");
const ASSIGNEE_ID: FieldName = FieldName::from_static("AssigneeId");
const OBJECT_PERMISSIONS: ObjectName = ObjectName::from_static("ObjectPermissions");
const PARENT_ID: FieldName = FieldName::from_static("ParentId");
const SOBJECT_TYPE: FieldName = FieldName::from_static("SobjectType");
const VIEW_ALL_RECORDS: FieldName = FieldName::from_static("PermissionsViewAllRecords");

/// Standard objects without a permission View All Records of their own: their records are visible with those of another object,
/// or to every user. *Unverified* against a real org.
const WITHOUT_VIEW_ALL: [&str; 23] = [
    "AccountContactRelation",
    "AccountContactRole",
    "AccountTeamMember",
    "Attachment",
    "BusinessProcess",
    "CampaignMember",
    "CaseComment",
    "ContentDocument",
    "ContentDocumentLink",
    "ContentNote",
    "ContentVersion",
    "Event",
    "LeadStatus",
    "Note",
    "OpportunityContactRole",
    "OpportunityLineItem",
    "OpportunityStage",
    "OpportunityTeamMember",
    "PricebookEntry",
    "Profile",
    "RecordType",
    "Task",
    "User",
];
/// The endings of the names of history, feed and sharing objects, which follow the object that they belong to.
const DEPENDENT: [&str; 4] = ["History", "Feed", "Share", "ChangeEvent"];

/// Fetches the rights of the session's user with one to three calls.
///
/// # Errors
/// Salesforce did not respond, or is unavailable. A refusal is not an error: the user counts as one without the rights.
pub(crate) async fn fetch(client: &Client, user: RecordId, mirrored: &[ObjectName]) -> Result<UserRights, Error> {
    let permissions = [CUSTOMIZE_APPLICATION, MODIFY_ALL_DATA, VIEW_ALL_DATA];
    let own = rows(client, &Soql::select(&permissions).from(&USER_PERMISSION_ACCESS)).await?;
    let has = |permission: &FieldName| {
        own.iter().any(|row| row.fields.get(permission.as_str()).is_some_and(|value| value.as_bool() == Some(true)))
    };
    let administrator = has(&CUSTOMIZE_APPLICATION) || has(&MODIFY_ALL_DATA);
    if has(&VIEW_ALL_DATA) || has(&MODIFY_ALL_DATA) {
        return Ok(UserRights { administrator, limited_objects: Vec::new() });
    }
    let needed: Vec<ObjectName> = mirrored.iter().filter(|object| has_view_all(object)).cloned().collect();
    let visible = if needed.is_empty() { Vec::new() } else { view_all(client, user, &needed).await? };
    let is_limited = |object: &ObjectName| !visible.iter().any(|visible| visible.eq_ignore_ascii_case(object.as_str()));
    Ok(UserRights { administrator, limited_objects: needed.into_iter().filter(is_limited).collect() })
}

/// Returns whether Salesforce has the permission View All Records for the object.
fn has_view_all(object: &ObjectName) -> bool {
    let name = object.as_str();
    !WITHOUT_VIEW_ALL.iter().any(|known| known.eq_ignore_ascii_case(name))
        && !DEPENDENT.iter().any(|ending| name.ends_with(ending))
}

/// Returns the names of the objects of which the user may view all records.
async fn view_all(client: &Client, user: RecordId, objects: &[ObjectName]) -> Result<Vec<String>, Error> {
    let text = |row: &Record, field: &FieldName| row.fields.get(field.as_str())?.as_str().map(str::to_owned);
    let assigned = Soql::select(&[PERMISSION_SET_ID]).from(&PERMISSION_SET_ASSIGNMENT);
    let assigned = rows(client, &assigned.where_(soql::eq(&ASSIGNEE_ID, user))).await?;
    let sets: Vec<String> = assigned.iter().filter_map(|row| text(row, &PERMISSION_SET_ID)).collect();
    if sets.is_empty() {
        return Ok(Vec::new());
    }
    let granted = Soql::select(&[SOBJECT_TYPE])
        .from(&OBJECT_PERMISSIONS)
        .where_(soql::in_(&PARENT_ID, sets))
        .where_(soql::in_(&SOBJECT_TYPE, objects.iter().map(ObjectName::as_str)))
        .where_(soql::eq(&VIEW_ALL_RECORDS, true));
    Ok(rows(client, &granted).await?.iter().filter_map(|row| text(row, &SOBJECT_TYPE)).collect())
}

/// Returns the first page of a query, which holds 2,000 rows; no rows if Salesforce refuses the query.
async fn rows(client: &Client, soql: &Soql) -> Result<Vec<Record>, Error> {
    match client.query(soql).await {
        Ok(page) => Ok(page.records),
        Err(error) if matches!(error.retry(), Retry::Never | Retry::NeedsHuman) => {
            tracing::info!(error = %Chain(&error), "could not read the rights of a user");
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_that_follow_another_have_no_view_all() {
        for (name, has) in [
            ("Account", true),
            ("Order_Line__c", true),
            ("Case", true),
            ("user", false),
            ("RecordType", false),
            ("OpportunityContactRole", false),
            ("OpportunityHistory", false),
            ("Order_Line__History", false),
        ] {
            assert_eq!(has_view_all(&name.parse().unwrap()), has, "{name}");
        }
    }
}
