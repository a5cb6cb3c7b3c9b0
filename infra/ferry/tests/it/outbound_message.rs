//! `ferry outbound-message parse` as an operator runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const BODY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId> 00Do0000000xxxxxxx </OrganizationId>
   <SessionId>00Do0000000xxxx!secret</SessionId>
   <Notification>
    <Id>04lo0000000xxxxxxx</Id>
    <sObject xsi:type="sf:Contact" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
     <sf:Id>003o000000xxxxxxxxx</sf:Id>
     <sf:LastName> D'Cruz &amp; Sons </sf:LastName>
     <sf:Email xsi:nil="true"/>
    </sObject>
   </Notification>
   <Notification><Id>04lo0000000yyyyyyy</Id></Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>"#;

fn parse(argument: &str, input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ferry"))
        .args(["outbound-message", "parse", argument])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that has already failed does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn only_line(output: &[u8]) -> &str {
    let text = std::str::from_utf8(output).unwrap();
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "more than one line: {text}");
    line
}

fn expected() -> Value {
    json!({
        "organization_id": "00Do0000000xxxxxxx",
        "action_id": null,
        "session_id_present": true,
        "object_type": "Contact",
        "notifications": [
            {"id": "04lo0000000xxxxxxx", "record_id": "003o000000xxxxxxxxx", "fields": {
                "Id": "003o000000xxxxxxxxx", "LastName": "D'Cruz & Sons", "Email": null,
            }},
            {"id": "04lo0000000yyyyyyy", "record_id": null, "fields": {}},
        ],
    })
}

#[test]
fn standard_input_is_printed_without_validation() {
    let output = parse("-", BODY.as_bytes());
    assert!(output.status.success());
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), expected());
    assert_eq!(output.stderr, b"");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("secret"));
}

#[test]
fn a_file_is_printed_like_standard_input() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(BODY.as_bytes()).unwrap();
    let output = parse(file.path().to_str().unwrap(), b"");
    assert!(output.status.success());
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), expected());
}

#[test]
fn another_body_is_refused_with_exit_code_2() {
    let envelope = r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>"#;
    let no_notification = BODY.replace("Notification>", "Other>");
    for (body, reason) in [
        ("", "there is no element"),
        (&BODY[..BODY.len() - 20], "not well-formed XML"),
        ("{}", "not well-formed XML"),
        ("<html/>", "not a SOAP envelope"),
        (envelope, "no notifications element"),
        (&no_notification, "no Notification"),
        ("<!DOCTYPE x><x/>", "document types"),
    ] {
        let output = parse("-", body.as_bytes());
        assert_eq!(output.status.code(), Some(2), "{reason}");
        let line = only_line(&output.stderr);
        assert!(
            line.starts_with("ferry: standard input is not an outbound message: ") && line.contains(reason),
            "{line}"
        );
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let output = parse("-", &vec![b' '; 7 * 1024 * 1024]);
    assert_eq!(output.status.code(), Some(2));
    assert!(only_line(&output.stderr).contains("larger than"));
}

#[test]
fn an_unreadable_file_is_refused_with_exit_code_1() {
    let output = parse("/nowhere/message.xml", b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(only_line(&output.stderr).starts_with("ferry: could not read /nowhere/message.xml: "));
}

#[test]
fn the_help_names_the_exit_codes() {
    let output = parse("--help", b"");
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("Exit codes"));
}
