//! The objects whose records the platform may write (`WRITABLE_OBJECTS`).

use salesforce::ObjectName;
use writes::Error;

/// Objects that decide who may do what in an org, and what its automation does. They are never written, because the team's
/// connection is often an administrator's. Objects whose names begin or end with one of [`NEVER_PREFIXES`] or
/// [`NEVER_SUFFIXES`] are not written either.
const NEVER: [&str; 21] = [
    "Group",
    "GroupMember",
    "User",
    "UserLogin",
    "UserRole",
    "UserPackageLicense",
    "Profile",
    "QueueSobject",
    "Organization",
    "SetupEntityAccess",
    "ObjectPermissions",
    "FieldPermissions",
    "TabDefinition",
    "CustomPermission",
    "CustomPermissionDependency",
    "ConnectedApplication",
    "CronTrigger",
    "SamlSsoConfig",
    "StaticResource",
    "Territory2",
    "UserTerritory2Association",
];
/// Beginnings of the names of such objects, in lower case.
const NEVER_PREFIXES: [&str; 12] = [
    "apex",
    "auth",
    "externalcredential",
    "externaldatasource",
    "flow",
    "mutingpermissionset",
    "namedcredential",
    "oauth",
    "permissionset",
    "remoteproxy",
    "sessionpermset",
    "tenantsecurity",
];
/// Ends of the names of such objects, in lower case: sharing rows, and metadata types.
const NEVER_SUFFIXES: [&str; 3] = ["share", "__mdt", "sharingrule"];

/// The objects whose records the platform may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritableObjects(Listed);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Listed {
    All,
    Only(Vec<ObjectName>),
}

/// The permission to write an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// The object may be written.
    Allowed,
    /// The object is not listed.
    NotListed,
    /// The object is never written.
    Never,
}

impl Default for WritableObjects {
    fn default() -> Self {
        Self(Listed::Only(["Account", "Contact", "Lead", "Opportunity"].map(ObjectName::from_static).to_vec()))
    }
}

impl std::str::FromStr for WritableObjects {
    type Err = salesforce::Error;

    /// Parses `*`, or names separated by commas.
    fn from_str(text: &str) -> Result<Self, salesforce::Error> {
        if text.trim() == "*" {
            return Ok(Self(Listed::All));
        }
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::parse).collect::<Result<_, _>>().map(|names| Self(Listed::Only(names)))
    }
}

impl WritableObjects {
    pub(crate) fn permission(&self, object: &ObjectName) -> Permission {
        match &self.0 {
            _ if is_never_written(object) => Permission::Never,
            Listed::All => Permission::Allowed,
            Listed::Only(names) if names.contains(object) => Permission::Allowed,
            Listed::Only(_) => Permission::NotListed,
        }
    }
}

/// Checks that the platform may write records of an object.
///
/// # Errors
/// [`Error::NotWritable`].
pub(crate) fn require(writable: &WritableObjects, object: &ObjectName) -> Result<(), Error> {
    let never = match writable.permission(object) {
        Permission::Allowed => return Ok(()),
        Permission::NotListed => false,
        Permission::Never => true,
    };
    Err(Error::NotWritable { object: object.clone(), never })
}

fn is_never_written(object: &ObjectName) -> bool {
    let name = object.as_str().to_ascii_lowercase();
    let is_standard = !name.ends_with("__c");
    is_standard
        && (NEVER.iter().any(|never| never.eq_ignore_ascii_case(&name))
            || NEVER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || NEVER_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(list: &str, object: &str) -> Permission {
        list.parse::<WritableObjects>().unwrap().permission(&object.parse().unwrap())
    }

    #[test]
    fn only_listed_objects_are_written_in_any_case() {
        assert_eq!(permission("Account, Invoice__c", "account"), Permission::Allowed);
        assert_eq!(permission("Account, Invoice__c", "INVOICE__C"), Permission::Allowed);
        assert_eq!(permission("Account, Invoice__c", "Contact"), Permission::NotListed);
        assert_eq!(permission("*", "Anything__c"), Permission::Allowed);
        assert_eq!(WritableObjects::default(), "Account,Contact,Lead,Opportunity".parse().unwrap());
    }

    #[test]
    fn objects_that_give_rights_are_never_written() {
        for object in [
            "User",
            "user",
            "Profile",
            "PermissionSet",
            "PermissionSetAssignment",
            "PermissionSetGroup",
            "Group",
            "GroupMember",
            "UserRole",
            "AccountShare",
            "Invoice__Share",
            "Setting__mdt",
            "ApexClass",
            "OauthToken",
            "AuthProvider",
            "SetupEntityAccess",
        ] {
            assert_eq!(permission("*", object), Permission::Never, "{object}");
            assert_eq!(permission(object, object), Permission::Never, "{object}");
        }
    }

    #[test]
    fn a_custom_object_is_not_taken_for_a_setup_object() {
        for object in ["User__c", "FlowOfGoods__c", "Share__c", "Authorization__c", "Task", "Case", "CampaignMember"] {
            assert_eq!(permission("*", object), Permission::Allowed, "{object}");
        }
    }

    #[test]
    fn a_name_that_is_not_an_api_name_is_refused() {
        assert!("Account,My Object".parse::<WritableObjects>().is_err());
        assert!("*,Account".parse::<WritableObjects>().is_err());
    }
}
