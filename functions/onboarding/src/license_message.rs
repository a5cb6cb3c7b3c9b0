//! Parses the licenses in an outbound message of the License Management Org. Pure.
//!
//! The fields have two names each, of older and newer versions of the License Management App; both are read
//! (`shared/salesforce/FACTS.md` 3.3).

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use salesforce::RecordId;
use salesforce::soap::outbound_message::{Notification, OutboundMessage};
use store::{LicenseNotice, LicenseState, LicenseStatus};

const LICENSE: &str = "sfLma__License__c";
const SUBSCRIBER: &[&str] = &["sfLma__Subscriber_Org_ID__c"];
const STATUS: &[&str] = &["sfLma__License_Status__c", "sfLma__Status__c"];
const VERSION: &[&str] = &["sfLma__Package_Version_Number__c"];
const EXPIRES: &[&str] = &["sfLma__Expiration_Date__c", "sfLma__Expiration__c"];
const SANDBOX: &[&str] = &["sfLma__Is_Sandbox__c", "sfLma__Subscriber_Org_Is_Sandbox__c"];
const PACKAGE: &[&str] = &["sfLma__Package__c"];
/// The newest of these is the time at which the license changed.
const MODIFIED: [&str; 3] = ["sfLma__Last_Modified__c", "LastModifiedDate", "SystemModstamp"];
/// The longest text that is stored.
const MAX_TEXT: usize = 80;

/// The licenses in a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Licenses {
    /// One for each license of the vendor's package.
    pub(crate) notices: Vec<LicenseNotice>,
    /// The number of other notifications: of another object or package, or of a deleted record.
    pub(crate) ignored: usize,
    /// The ids of licenses that name no org.
    pub(crate) without_org: Vec<RecordId>,
}

/// Reads the licenses of `package`, or of any package where it is `None`.
pub(crate) fn read(message: &OutboundMessage<'_>, package: Option<RecordId>) -> Licenses {
    let mut licenses = Licenses { notices: Vec::new(), ignored: 0, without_org: Vec::new() };
    for notification in &message.notifications {
        let license_id = notification.record_id.as_deref().and_then(|id| id.parse::<RecordId>().ok());
        let Some(license_id) = license_id.filter(|_| is_ours(notification, package)) else {
            licenses.ignored += 1;
            continue;
        };
        match text(notification, SUBSCRIBER).and_then(|org| org.parse().ok()) {
            Some(org_id) => {
                licenses.notices.push(LicenseNotice { org_id, license: license_state(notification, license_id) })
            }
            None => licenses.without_org.push(license_id),
        }
    }
    licenses
}

fn is_ours(notification: &Notification<'_>, ours: Option<RecordId>) -> bool {
    let package = || text(notification, PACKAGE).and_then(|id| id.parse::<RecordId>().ok());
    notification.object_type.as_deref() == Some(LICENSE) && ours.is_none_or(|ours| package() == Some(ours))
}

fn license_state(notification: &Notification<'_>, license_id: RecordId) -> LicenseState {
    let modified = MODIFIED.iter().filter_map(|name| time(text(notification, &[name])?)).max();
    let status = short(notification, STATUS).unwrap_or_else(|| "unknown".to_owned());
    LicenseState {
        // A license without a time counts as older than every other, so it closes no org.
        modified_at: store::time::to_millis(modified.unwrap_or(Timestamp::UNIX_EPOCH)),
        status: LicenseStatus::from(status),
        license_id,
        package_version: short(notification, VERSION),
        expires_on: short(notification, EXPIRES),
        is_sandbox: text(notification, SANDBOX).is_some_and(|flag| flag == "true"),
    }
}

/// Returns the first of these fields that has a value.
fn text<'a>(notification: &'a Notification<'_>, names: &[&str]) -> Option<&'a str> {
    let value = |name: &&str| notification.fields.iter().find(|(field, _)| field == name)?.1.as_deref();
    names.iter().filter_map(value).find(|value| !value.is_empty())
}

fn short(notification: &Notification<'_>, names: &[&str]) -> Option<String> {
    let value = text(notification, names)?;
    let fits = value.chars().count() <= MAX_TEXT && !value.chars().any(char::is_control);
    fits.then(|| value.to_owned())
}

/// Parses an instant, or a day, of which the beginning counts.
fn time(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(day)
}

#[cfg(test)]
mod tests {
    use salesforce::soap::outbound_message;

    use super::*;

    const CUSTOMER: &str = "00D79000000exLE";

    fn read(object: &str, fields: &[(&str, &str)], package: Option<&str>) -> Licenses {
        let fields: String = fields.iter().map(|(name, value)| format!("<sf:{name}>{value}</sf:{name}>")).collect();
        let body = format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
                 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body>
               <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
               <OrganizationId>00D5e000000KQ2eEAG</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId>
               <Notification><Id>04l5e00000Gx7Qz</Id><sObject xsi:type="sf:{object}"
               xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>a0a5e00000AbCdE</sf:Id>{fields}</sObject>
               </Notification></notifications></s:Body></s:Envelope>"#
        );
        let message = outbound_message::parse(body.as_bytes()).unwrap();
        super::read(&message, package.map(|id| id.parse().unwrap()))
    }

    fn one(fields: &[(&str, &str)]) -> LicenseNotice {
        let mut read = read(LICENSE, fields, None);
        assert_eq!((read.notices.len(), read.ignored, read.without_org.len()), (1, 0, 0));
        read.notices.remove(0)
    }

    #[test]
    fn the_subscriber_org_is_the_customer() {
        let notice = one(&[
            ("sfLma__Subscriber_Org_ID__c", CUSTOMER),
            ("sfLma__License_Status__c", "Active"),
            ("sfLma__Package_Version_Number__c", "2.1.0"),
            ("sfLma__Is_Sandbox__c", "true"),
            ("LastModifiedDate", "2026-11-22T10:15:30.000Z"),
        ]);
        assert_eq!(notice.org_id.to_string(), "00D79000000exLEEAY");
        assert_eq!((notice.license.status.as_str(), notice.license.is_sandbox), ("Active", true));
        assert_eq!(notice.license.package_version.as_deref(), Some("2.1.0"));
        assert_eq!(notice.license.modified_at.to_string(), "2026-11-22T10:15:30Z");
    }

    #[test]
    fn the_older_names_of_the_fields_are_read_too() {
        let notice = one(&[
            ("sfLma__Subscriber_Org_ID__c", CUSTOMER),
            ("sfLma__Status__c", "Uninstalled"),
            ("sfLma__Expiration__c", "2026-12-31"),
            ("sfLma__Subscriber_Org_Is_Sandbox__c", "true"),
            ("sfLma__Last_Modified__c", "2026-11-22"),
        ]);
        assert_eq!((notice.license.status, notice.license.is_sandbox), (LicenseStatus::Uninstalled, true));
        assert_eq!(notice.license.expires_on.as_deref(), Some("2026-12-31"));
        assert_eq!(notice.license.modified_at.to_string(), "2026-11-22T00:00:00Z");
    }

    #[test]
    fn the_newest_time_counts_and_a_missing_one_is_the_oldest() {
        let notice = one(&[
            ("sfLma__Subscriber_Org_ID__c", CUSTOMER),
            ("sfLma__Last_Modified__c", "2026-11-22"),
            ("LastModifiedDate", "2026-11-22T10:15:30.000Z"),
        ]);
        assert_eq!(notice.license.modified_at.to_string(), "2026-11-22T10:15:30Z");
        let without = one(&[("sfLma__Subscriber_Org_ID__c", CUSTOMER)]);
        assert_eq!(without.license.modified_at, Timestamp::UNIX_EPOCH);
        assert_eq!(without.license.status.as_str(), "unknown");
    }

    #[test]
    fn other_objects_and_other_packages_are_ignored() {
        let customer = ("sfLma__Subscriber_Org_ID__c", CUSTOMER);
        assert_eq!(read("Lead", &[customer], None).ignored, 1);
        let ours = "a0b5e00000AbCdEAAV";
        let about = |package| read(LICENSE, &[customer, ("sfLma__Package__c", package)], Some(ours));
        assert_eq!(about(ours).notices.len(), 1);
        assert_eq!(about("a0b5e00000AbCdFAAV").ignored, 1);
        assert_eq!(read(LICENSE, &[customer], Some(ours)).ignored, 1);
    }

    #[test]
    fn a_license_without_an_org_is_reported_by_its_id() {
        assert_eq!(read(LICENSE, &[("sfLma__Subscriber_Org_ID__c", "?")], None).without_org.len(), 1);
    }
}
