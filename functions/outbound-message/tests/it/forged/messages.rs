//! Well-formed XML at the right address that is another org's message, several messages, or a part of one.

use axum::body::Body;

use super::{ForgeryTest, MALFORMED, OTHER_ORG};
use crate::harness::{TestContext, run};
use crate::messages::{envelope, message, notification};

/// Posts bodies derived from the org's.
async fn are_refused(expected: (u16, &str), bodies: impl Fn(&TestContext, &TestContext) -> Vec<String>) {
    let test = ForgeryTest::new().await;
    for body in bodies(&test.context, &test.other) {
        test.refuses(body.clone(), expected, &body).await;
    }
    test.ends().await;
}

fn one() -> String {
    notification("04l5e00000Gx7Qz", "0065e00000AbCdE")
}

#[test]
fn of_another_org() {
    run(are_refused(OTHER_ORG, |context, other| {
        let of = |org: &str| envelope(org, &one());
        let foreign = format!(r#"<x:OrganizationId xmlns:x="urn:x">{}</x:OrganizationId>"#, context.org);
        vec![
            of(other.org.as_str()),
            of(other.org.short()),
            of(other.org.as_str()).replacen("<ActionId>", &format!("{foreign}<ActionId>"), 1),
            of(other.org.as_str()).replacen("<ActionId>", &format!("<!--{}--><ActionId>", context.org), 1),
        ]
    }));
}

#[test]
fn of_an_invalid_org_id() {
    run(are_refused(MALFORMED, |context, _| {
        let (long, short) = (context.org.as_str(), context.org.short());
        let checksum = if long.ends_with("AAA") { "AAB" } else { "AAA" };
        let ids = [
            String::new(),
            format!("{short}{checksum}"),
            format!("{short}{}", long[15..].to_lowercase()),
            long[..17].to_owned(),
            long[..14].to_owned(),
            format!("{long} {long}"),
            format!("{long}\u{a0}"),
            format!("\u{2003}{long}"),
            format!("{long}\u{200b}"),
            short.replacen('0', "\u{41e}", 1),
            short.replacen('0', "\u{ff10}", 1),
            format!("<id>{long}</id>"),
        ];
        let named = ids.iter().map(|id| envelope(id, &one()));
        let right = envelope(long, &one());
        let element = format!("<OrganizationId>{long}</OrganizationId>");
        let elsewhere = [
            right.replacen(&element, "", 1),
            right.replacen("<OrganizationId>", r#"<OrganizationId xsi:nil="true">"#, 1),
            right.replacen(&element, &format!(r#"<x:OrganizationId xmlns:x="urn:x">{long}</x:OrganizationId>"#), 1),
            right.replacen(&element, &format!(r#"<OrganizationId xmlns="">{long}</OrganizationId>"#), 1),
            right.replacen(&element, "", 1).replacen("<sf:Name>", &format!("{element}<sf:Name>"), 1),
        ];
        named.chain(elsewhere).collect()
    }));
}

#[test]
fn of_two_orgs_or_more_than_one_message() {
    run(are_refused(MALFORMED, |context, other| {
        let right = envelope(context.org.as_str(), &one());
        let element = |context: &TestContext| format!("<OrganizationId>{}</OrganizationId>", context.org);
        let both = |first, second| right.replacen(&element(context), &(element(first) + &element(second)), 1);
        let start = right.find("<notifications").unwrap();
        let end = right.find("</soapenv:Body>").unwrap();
        let notifications = &right[start..end];
        let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
        vec![
            both(context, other),
            both(other, context),
            both(context, context),
            right.replacen("</notifications>", &format!("</notifications>{notifications}"), 1),
            right.replacen(
                "</soapenv:Body>",
                &format!("</soapenv:Body><soapenv:Body>{notifications}</soapenv:Body>"),
                1,
            ),
            right.replacen("</soapenv:Body>", "</soapenv:Body><soapenv:Body/>", 1),
            format!("{right}{right}"),
            format!("{right}{}", right.replacen(declaration, "", 1)),
            right.replacen(notifications, &right.replacen(declaration, "", 1), 1),
            right.replacen("</sObject>", "</sObject><sObject/>", 1),
            right.replacen("</Id>", "</Id><Id>04l5e00000Gx7Qy</Id>", 1),
        ]
    }));
}

#[test]
fn of_no_too_many_or_unnamed_notifications() {
    run(are_refused(MALFORMED, |context, _| {
        let of = |notifications: &str| envelope(context.org.as_str(), notifications);
        vec![
            of(""),
            of(&one().repeat(101)),
            of(&one().repeat(2_000)),
            of(&(one() + &notification("", "0065e00000AbCdE"))),
            of(&(one() + &notification("04l5e00000Gx7QzAAZ", "0065e00000AbCdE"))),
            of(&(one() + &notification("04l5e00000Gx7Qz", "006xxxxxxxxxxxxxxx"))),
            of(&(one() + &notification("04l5e00000Gx7Qz", "0065e00000AbCdE' OR Id != '"))),
            of(&one().replacen("sf:Opportunity", "sf:Opportunity WHERE", 1)),
            of(&one().replacen("sf:Opportunity", "", 1)),
        ]
    }));
}

#[test]
fn of_another_kind() {
    run(are_refused(MALFORMED, |context, _| {
        let right = envelope(context.org.as_str(), &one());
        vec![
            String::new(),
            " \n".to_owned(),
            "not XML".to_owned(),
            "{\"json\": true}".to_owned(),
            "<html><body/></html>".to_owned(),
            salesforce::soap::outbound_message::ACK.to_owned(),
            right.replace("http://soap.sforce.com/2005/09/outbound", "http://soap.sforce.com/2006/08/outbound"),
            right.replace("http://schemas.xmlsoap.org/soap/envelope/", "http://schemas.xmlsoap.org/soap/envelope"),
            right.replace("soapenv:Body", "soapenv:Header"),
        ]
    }));
}

#[test]
fn cut_at_any_byte() {
    run(async {
        let test = ForgeryTest::new().await;
        let whole = message(test.context.org, 1).into_bytes();
        for end in 0..whole.len() {
            test.refuses(Body::from(whole[..end].to_vec()), MALFORMED, &format!("cut at byte {end}")).await;
        }
        test.ends().await;
    });
}
