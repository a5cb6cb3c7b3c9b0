use proptest::prelude::*;

use super::*;

const HEAD: &str = concat!(
    r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" "#,
    r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>"#,
    r#"<notifications xmlns="http://soap.sforce.com/2005/09/outbound">"#,
    "<OrganizationId>00D5e000000KQ2eEAG</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId>",
    r#"<SessionId xsi:nil="true"/>"#,
);
const TAIL: &str = "</notifications></soapenv:Body></soapenv:Envelope>";

/// A message with one Opportunity, and `fields` after its id.
fn message(fields: &str) -> String {
    format!("{HEAD}{}{TAIL}", notification(fields))
}

fn notification(fields: &str) -> String {
    format!(
        r#"<Notification><Id>04l5e00000Gx7QzAAJ</Id><sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>0065e00000AbCdEAAV</sf:Id>{fields}</sObject></Notification>"#
    )
}

fn read(body: &str) -> OutboundMessage<'_> {
    parse(body.as_bytes()).unwrap()
}

fn refused(body: &str) -> ParseError {
    parse(body.as_bytes()).unwrap_err()
}

/// The value of the field `Name` in a message with these fields.
fn name(fields: &str) -> Option<String> {
    let body = message(fields);
    let message = read(&body);
    let fields = message.notifications[0].fields.iter();
    let mut named = fields.filter(|(name, _)| *name == "Name");
    named.next().expect("a Name").1.clone().map(Cow::into_owned)
}

#[test]
fn a_message_is_read() {
    let body = message("<sf:Amount>15000.0</sf:Amount>");
    let message = read(&body);
    assert_eq!(message.organization_id.as_deref(), Some("00D5e000000KQ2eEAG"));
    assert_eq!(message.action_id.as_deref(), Some("04k5e000000CaRkAAK"));
    assert!(!message.session_id_present);
    let [notification] = &message.notifications[..] else {
        panic!("one notification");
    };
    assert_eq!(notification.id.as_deref(), Some("04l5e00000Gx7QzAAJ"));
    assert_eq!(notification.object_type.as_deref(), Some("Opportunity"));
    assert_eq!(notification.record_id.as_deref(), Some("0065e00000AbCdEAAV"));
    let fields: Vec<_> = notification.fields.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    assert_eq!(fields, [("Id", Some("0065e00000AbCdEAAV")), ("Amount", Some("15000.0"))]);
}

#[test]
fn a_mark_a_declaration_and_white_space_in_front_do_no_harm() {
    let plain = message("");
    let declared = format!(r#"<?xml version="1.0" encoding="UTF-8" standalone="no"?>{plain}"#);
    for body in [
        format!("\u{feff}{declared}"),
        format!("\n {declared}"),
        format!("{declared}\r\n<!-- end -->\n"),
        format!(" \u{feff}\n{plain}"),
    ] {
        assert_eq!(read(&body), read(&plain));
    }
}

#[test]
fn prefixes_are_only_names() {
    let body = message("<sf:Name>A</sf:Name>");
    let other = body
        .replace("soapenv", "S")
        .replace("xsi", "i")
        .replace("sf:", "x:")
        .replace(":sf", ":x")
        .replace(r#"<notifications xmlns="#, r#"<o:notifications xmlns:o="#);
    let other = ["OrganizationId", "ActionId", "SessionId", "Notification", "sObject"]
        .iter()
        .fold(other, |body, name| {
            body.replace(&format!("<{name}"), &format!("<o:{name}"))
                .replace(&format!("</{name}"), &format!("</o:{name}"))
        })
        .replace("<Id>", "<o:Id>")
        .replace("</Id>", "</o:Id>")
        .replace("</notifications>", "</o:notifications>");
    assert_eq!(read(&other), read(&body));
}

#[test]
fn names_count_only_in_their_namespace() {
    let body = message("").replace("2005/09/outbound", "2005/09/inbound");
    assert_eq!(refused(&body), ParseError::NoNotifications);
    let body = message("").replace("xmlsoap.org/soap/envelope", "example.com/envelope");
    assert_eq!(refused(&body), ParseError::NoEnvelope);
}

#[test]
fn text_is_put_together_and_trimmed() {
    assert_eq!(name("<sf:Name> \n Acme &amp; Sons&#x20;&lt;b&gt;\t</sf:Name>").as_deref(), Some("Acme & Sons <b>"));
    assert_eq!(name("<sf:Name>a<![CDATA[ <b> & ]]>c<!-- no -->d</sf:Name>").as_deref(), Some("a <b> & cd"));
    assert_eq!(name("<sf:Name>a\r\nb&#13;c</sf:Name>").as_deref(), Some("a\nb\rc"));
    assert_eq!(name("<sf:Name>&#8364;&#xFC;&apos;&quot;</sf:Name>").as_deref(), Some("€ü'\""));
}

#[test]
fn nil_and_empty_and_blank_are_null() {
    for fields in [
        r#"<sf:Name xsi:nil="true"/>"#,
        r#"<sf:Name xsi:nil="1"></sf:Name>"#,
        r#"<sf:Name xsi:nil=" true ">x</sf:Name>"#,
        "<sf:Name/>",
        "<sf:Name></sf:Name>",
        "<sf:Name> \n </sf:Name>",
    ] {
        assert_eq!(name(fields), None, "{fields}");
    }
    assert_eq!(name(r#"<sf:Name xsi:nil="false">x</sf:Name>"#).as_deref(), Some("x"));
}

#[test]
fn what_stands_inside_a_field_is_not_its_text() {
    assert_eq!(name("<sf:Name>a<sf:Id>b</sf:Id>c</sf:Name>").as_deref(), Some("ac"));
}

#[test]
fn a_session_id_is_only_noticed() {
    let body = message("").replace(r#"<SessionId xsi:nil="true"/>"#, "<SessionId>00D!secret</SessionId>");
    let message = read(&body);
    assert!(message.session_id_present);
    assert!(!format!("{message:?}").contains("secret"));
}

#[test]
fn missing_header_elements_are_nothing() {
    let start = HEAD.find("<OrganizationId>").unwrap();
    let body = format!("{}{}{TAIL}", &HEAD[..start], notification(""));
    let message = read(&body);
    assert_eq!(message.organization_id, None);
    assert_eq!(message.action_id, None);
    assert!(!message.session_id_present);
}

#[test]
fn document_types_and_entities_are_refused() {
    let body = message("<sf:Name>&x;</sf:Name>");
    for declaration in [
        r#"<!DOCTYPE a [<!ENTITY x "y">]>"#,
        "<!DOCTYPE a>",
        "<!doctype a>",
        r#"<!DOCTYPE a SYSTEM "file:///etc/passwd">"#,
        "<!DOCTYPE a [",
    ] {
        assert_eq!(refused(&format!("{declaration}{body}")), ParseError::DocumentType, "{declaration}");
    }
    assert!(matches!(refused(&body), ParseError::NotWellFormed { .. }));
    let stray = message(r#"<!ENTITY x "y">"#);
    assert!(matches!(refused(&stray), ParseError::NotWellFormed { .. }));
}

#[test]
fn bounds_are_kept() {
    assert_eq!(parse(&vec![b' '; MAX_BYTES + 1]), Err(ParseError::TooLarge));
    let many = |n| format!("{HEAD}{}{TAIL}", notification("").repeat(n));
    assert_eq!(read(&many(MAX_NOTIFICATIONS)).notifications.len(), MAX_NOTIFICATIONS);
    assert_eq!(refused(&many(MAX_NOTIFICATIONS + 1)), ParseError::TooManyNotifications);
    assert!(parse(message(&"<a/>".repeat(MAX_FIELDS - 1)).as_bytes()).is_ok());
    assert_eq!(refused(&message(&"<a/>".repeat(MAX_FIELDS))), ParseError::TooManyFields);
    let nested = |n| message(&format!("{}{}", "<a>".repeat(n), "</a>".repeat(n)));
    assert!(parse(nested(MAX_DEPTH - 5).as_bytes()).is_ok());
    assert_eq!(refused(&nested(MAX_DEPTH - 4)), ParseError::TooDeep);
    assert_eq!(refused(&nested(100_000)), ParseError::TooDeep);
    let declared: String = (0..1_000).map(|n| format!(r#" xmlns:p{n}="u""#)).collect();
    assert!(matches!(refused(&format!("<a{declared}/>")), ParseError::NotWellFormed { .. }));
    let attributes: String = (0..1_000).map(|n| format!(r#" p{n}="u""#)).collect();
    assert!(matches!(refused(&format!("<a{attributes}/>")), ParseError::NotWellFormed { .. }));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let good = message("<sf:Name>A</sf:Name>");
    for body in [
        String::new(),
        "  ".to_owned(),
        "not xml".to_owned(),
        good.replace("</sf:Name>", "</sf:Nam>"),
        good.replace("</sf:Name>", ""),
        good.replace("<sf:Name>A", "<sf:Name>A & B"),
        good.replace("<sf:Name>A", "<sf:Name>A ]]> B"),
        good.replace("<sf:Name>A", "<sf:Name>A&#0;"),
        good.replace("<sf:Name>A", "<sf:Name>A&#x1;"),
        good.replace("<sf:Name>A", "<sf:Name>A\u{1}"),
        good.replace("<sf:Name>", "<sf:Name a='1' a='2'>"),
        good.replace("<sf:Name>", "<sf:Name a=1>"),
        good.replace("<sf:Name>A</sf:Name>", "<zz:Name>A</zz:Name>"),
        good.replace("<sf:Name>A</sf:Name>", "<sf:1ame>A</sf:1ame>"),
        format!("{good}{good}"),
        format!("{good}x"),
        format!("<!-- a -- b -->{good}"),
        format!(r#"<!-- a --><?xml version="1.0"?>{good}"#),
    ] {
        let error = refused(&body);
        assert!(matches!(error, ParseError::NotWellFormed { .. }), "{error}: {body}");
    }
    assert_eq!(parse(b"<a>\xff</a>"), Err(ParseError::NotUtf8));
    let latin = format!(r#"<?xml version="1.0" encoding="ISO-8859-1"?>{good}"#);
    assert_eq!(refused(&latin), ParseError::NotUtf8);
}

#[test]
fn every_truncation_is_refused() {
    let body = message("<sf:Name>Acme &amp; Sons</sf:Name>");
    for end in 0..body.len() {
        assert!(parse(&body.as_bytes()[..end]).is_err(), "{}", &body[..end]);
    }
}

#[test]
fn what_is_no_outbound_message_says_why() {
    assert_eq!(refused("<a/>"), ParseError::NoEnvelope);
    let envelope = |body: &str| {
        format!(
            r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{body}</e:Body></e:Envelope>"#
        )
    };
    assert_eq!(refused(&envelope("")), ParseError::NoNotifications);
    let empty = r#"<notifications xmlns="http://soap.sforce.com/2005/09/outbound"/>"#;
    assert_eq!(refused(&envelope(empty)), ParseError::NoNotification);
    assert_eq!(refused(ACK), ParseError::NoNotifications);
}

#[test]
fn a_second_organization_is_refused() {
    let id = "<OrganizationId>00D5e000000KQ2eEAG</OrganizationId>";
    let body = message("").replace(id, &format!("{id}{id}"));
    assert_eq!(refused(&body), ParseError::Repeated { element: "OrganizationId" });
    let body = format!("{HEAD}{TAIL}").replace(
        "</notifications>",
        r#"</notifications><notifications xmlns="http://soap.sforce.com/2005/09/outbound"/>"#,
    );
    assert_eq!(refused(&body), ParseError::Repeated { element: "notifications" });
    let body = message("").replace("</soapenv:Body>", "</soapenv:Body><soapenv:Body/>");
    assert_eq!(refused(&body), ParseError::Repeated { element: "Body" });
}

#[test]
fn only_the_white_space_of_xml_is_cut_off() {
    assert_eq!(name("<sf:Name>\u{a0}a\u{2003}</sf:Name>").as_deref(), Some("\u{a0}a\u{2003}"));
}

#[test]
fn attributes_stand_apart_and_are_quoted() {
    let with = |attributes: &str| message(&format!("<sf:Name{attributes}>A</sf:Name>"));
    for good in [" a='1'", " a = \"1\" ", "\n a='\"'\tb=\"'\"", " a='&lt;&#x20;'", " sf:a='>'", " xml:space='preserve'"]
    {
        assert!(parse(with(good).as_bytes()).is_ok(), "{good}");
    }
    for bad in
        [" a", " a=", " a='1", " a='1'b='2'", " a='&x;'", " a='<'", " ='1'", " zz:a='1'", " a:b:c='1'", " a='1' /"]
    {
        assert!(matches!(refused(&with(bad)), ParseError::NotWellFormed { .. }), "{bad}");
    }
    assert_eq!(name(r#"<sf:Name xsi:nil = 'true'>A</sf:Name>"#), None);
}

#[test]
fn most_of_what_is_read_is_borrowed() {
    let body = message("<sf:Name> Acme </sf:Name><sf:Type>a &amp; b</sf:Type>");
    let message = read(&body);
    let fields = &message.notifications[0].fields;
    assert!(matches!(&fields[1], ("Name", Some(Cow::Borrowed("Acme")))), "{fields:?}");
    assert!(matches!(&fields[2], ("Type", Some(Cow::Owned(text))) if text == "a & b"), "{fields:?}");
}

#[test]
fn validation_accepts_short_and_long_ids() {
    let validated = read(&message("")).validate().unwrap();
    assert_eq!(validated.org_id.as_str(), "00D5e000000KQ2eEAG");
    assert_eq!(validated.changes[0].object.as_str(), "Opportunity");
    let short = message("").replace("0065e00000AbCdEAAV", "0065e00000AbCdE").replace("KQ2eEAG", "KQ2e");
    assert_eq!(read(&short).validate().unwrap(), validated);
}

#[test]
fn validation_names_the_malformed_element() {
    let reject = |from: &str, to: &str| read(&message("").replace(from, to)).validate().unwrap_err().to_string();
    assert_eq!(reject("00D5e000000KQ2eEAG", ""), "OrganizationId is missing");
    assert_eq!(reject("00D5e000000KQ2eEAG", "0015e000000KQ2e"), "OrganizationId does not begin with 00D");
    assert_eq!(reject("04k5e000000CaRkAAK", "12364"), "ActionId is not 15 or 18 characters long");
    assert_eq!(reject("04l5e00000Gx7QzAAJ", "04l5e00000Gx7QzAAZ"), "the notification's Id has a wrong checksum");
    assert_eq!(reject("<sf:Id>0065e00000AbCdEAAV</sf:Id>", "<sf:Name>x</sf:Name>"), "the record's Id is missing");
    assert_eq!(reject(r#" xsi:type="sf:Opportunity""#, ""), "the sObject's type is missing");
}

#[test]
fn a_notification_without_record_is_reported_apart() {
    let empty = "<Notification><Id>04l5e00000Gx7QzAAJ</Id></Notification>";
    let validated = read(&format!("{HEAD}{empty}{TAIL}")).validate().unwrap();
    assert_eq!(validated.changes, []);
    assert_eq!(validated.without_record[0].as_str(), "04l5e00000Gx7QzAAJ");
}

#[test]
fn names_have_letters_digits_and_at_most_one_colon() {
    let with = |name: &str| message(&format!("<{name}>x</{name}>"));
    for good in ["a", "_a", "sf:Id2", "a.b-c1", "ns__Engagement__c", "größe", "名"] {
        assert!(parse(with(good).as_bytes()).is_ok(), "{good}");
    }
    for bad in ["", "1a", "-a", "a b", "sf:", ":a", "sf:b:c", "sf:1", "a/b", "a$"] {
        assert!(parse(with(bad).as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_namespace_declaration_counts_until_its_element_ends() {
    let inner = r#"<x xmlns="urn:other" xmlns:soapenv="urn:other"><OrganizationId>other</OrganizationId></x>"#;
    let body = message("").replace("<OrganizationId>", &format!("{inner}<OrganizationId>"));
    assert_eq!(read(&body), read(&message("")));

    let ended = message(r#"<sf:Name xmlns:b="urn:b">x</sf:Name><b:Name>x</b:Name>"#);
    assert!(matches!(refused(&ended), ParseError::NotWellFormed { .. }));
}

#[test]
fn an_empty_namespace_declaration_undeclares() {
    let inner = r#"<x xmlns=""><OrganizationId>other</OrganizationId></x>"#;
    let body = message("").replace("<OrganizationId>", &format!("{inner}<OrganizationId>"));
    assert_eq!(read(&body), read(&message("")));

    let undeclared = message(r#"<sf:Name xmlns:sf2="urn:a"><x xmlns:sf2=""><sf2:y/></x></sf:Name>"#);
    assert!(matches!(refused(&undeclared), ParseError::NotWellFormed { .. }));
}

#[test]
fn reserved_prefixes_and_namespaces_cannot_be_bound() {
    const XML: &str = "http://www.w3.org/XML/1998/namespace";
    const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
    for declaration in [
        r#"xmlns:xml="urn:a""#.to_owned(),
        r#"xmlns:xmlns="urn:a""#.to_owned(),
        format!(r#"xmlns:a="{XML}""#),
        format!(r#"xmlns:a="{XMLNS}""#),
        format!(r#"xmlns="{XML}""#),
        format!(r#"xmlns="{XMLNS}""#),
    ] {
        let body = message(&format!("<sf:Name {declaration}>x</sf:Name>"));
        assert!(matches!(refused(&body), ParseError::NotWellFormed { .. }), "{declaration}");
    }
    let allowed = format!(r#"<sf:Name xmlns:xml="{XML}" xml:space="preserve">x</sf:Name>"#);
    assert_eq!(name(&allowed).as_deref(), Some("x"));
}

#[test]
fn namespace_declarations_are_bounded() {
    // The message itself declares four.
    let with = |count: usize| {
        let declarations: String = (0..count).map(|n| format!(r#" xmlns:n{n}="urn:a""#)).collect();
        message(&format!("<sf:Name{declarations}>x</sf:Name>"))
    };
    assert!(parse(with(60).as_bytes()).is_ok());
    assert!(matches!(refused(&with(61)), ParseError::NotWellFormed { .. }));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_markup_makes_it_panic(text in r#"[<>/&;!\[\]\-?:="' a-zA-Z#x0-9\u{feff}\n]{0,200}"#) {
        let _ = parse(text.as_bytes());
        let _ = parse(message(&text).as_bytes());
    }

    #[test]
    fn any_text_comes_back(value in "[ -~\u{a0}-\u{d7ff}\u{10000}-\u{10ffff}\n\t]{0,60}") {
        let expected = Some(value.trim_ascii()).filter(|text| !text.is_empty());
        let name = name(&format!("<sf:Name>{}</sf:Name>", escaped(&value)));
        prop_assert_eq!(name.as_deref(), expected);
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = message("<sf:Name>Acme &amp; <![CDATA[Sons]]></sf:Name>").into_bytes();
        let position = position.index(body.len());
        body[position] = byte;
        if let Ok(message) = parse(&body) {
            let _ = message.validate();
        }
    }

    #[test]
    fn a_forbidden_character_is_found_at_its_position(before in "[a-zA-Z0-9 é\n]{0,30}", after in "[a-zA-Z0-9 é\n]{0,30}") {
        let body = |character: char| message(&format!("<sf:Name>{before}{character}{after}</sf:Name>"));
        for forbidden in ['\0', '\u{8}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            let body = body(forbidden);
            let expected = body.find(forbidden).unwrap() as u64;
            match refused(&body) {
                ParseError::NotWellFormed { position, .. } => prop_assert_eq!(position, expected),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        for allowed in ['\t', '\r', ']', '\\', '^', '\u{7f}', '\u{fffd}', '\u{10000}'] {
            prop_assert!(parse(body(allowed).as_bytes()).is_ok(), "{allowed:?}");
        }
    }
}
