//! Outbound messages as an org sends them.

use salesforce::OrgId;

/// Returns a message with `count` notifications, each of another Opportunity.
pub(crate) fn message(org: OrgId, count: usize) -> String {
    let notifications: String = (0..count).map(|n| notification(&notification_id(n), &record_id(n))).collect();
    envelope(org.as_str(), &notifications)
}

/// A notification's id.
pub(crate) fn notification_id(n: usize) -> String {
    format!("04l5e000000{n:04}")
}

/// A record's id.
pub(crate) fn record_id(n: usize) -> String {
    format!("0065e000000{n:04}")
}

/// Returns a notification of an Opportunity.
pub(crate) fn notification(id: &str, record: &str) -> String {
    format!(
        r#"<Notification><Id>{id}</Id><sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
        <sf:Id>{record}</sf:Id><sf:Name>Secret Deal</sf:Name></sObject></Notification>"#
    )
}

/// Returns the envelope around notifications.
pub(crate) fn envelope(org: &str, notifications: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
            xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">
        <OrganizationId>{org}</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId><SessionId xsi:nil="true"/>
        <EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/66.0/00D5e000000KQ2e</EnterpriseUrl>
        <PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/66.0/00D5e000000KQ2e</PartnerUrl>
        {notifications}</notifications></soapenv:Body></soapenv:Envelope>"#
    )
}
