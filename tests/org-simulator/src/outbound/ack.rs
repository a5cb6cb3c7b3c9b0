//! Whether an endpoint's answer acknowledges a message. Anything but the exact reply does not.

use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";

/// Status 200 and `Envelope/Body/notificationsResponse/Ack` with the text `true`, in the right namespaces.
pub(super) fn acknowledges(status: u16, body: &str) -> bool {
    status == 200 && ack_text(body).is_some_and(|text| text.trim() == "true")
}

fn ack_text(body: &str) -> Option<String> {
    let wanted: [(&str, &str); 4] =
        [(SOAP, "Envelope"), (SOAP, "Body"), (OUTBOUND, "notificationsResponse"), (OUTBOUND, "Ack")];
    let mut reader = NsReader::from_str(body);
    let (mut depth, mut matched) = (0_usize, 0_usize);
    let mut text = None;
    loop {
        let (namespace, event) = reader.read_resolved_event().ok()?;
        match event {
            Event::Start(start) => {
                let right = wanted.get(depth).is_some_and(|(ns, name)| {
                    matches!(&namespace, ResolveResult::Bound(bound) if bound.0 == *ns)
                        && start.local_name().as_ref() == *name
                });
                matched += usize::from(right && matched == depth);
                depth += 1;
            }
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                matched = matched.min(depth);
            }
            Event::Text(part) if matched == wanted.len() && depth == wanted.len() => text = Some((*part).to_owned()),
            Event::DocType(_) => return None,
            Event::Eof => return text.filter(|_| depth == 0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK: &str = "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack></notificationsResponse></s:Body></s:Envelope>";

    #[test]
    fn only_the_exact_reply_acknowledges() {
        assert!(acknowledges(200, ACK));
        assert!(!acknowledges(202, ACK));
        for wrong in [
            String::new(),
            "{\"ok\":true}".to_owned(),
            ACK.replace(">true<", ">false<"),
            ACK.replace("2005/09/outbound", "2006/outbound"),
            ACK.replace("notificationsResponse", "response"),
            ACK.replace("</s:Envelope>", ""),
            ACK.replace("s:Body", "Body"),
        ] {
            assert!(!acknowledges(200, &wrong), "{wrong}");
        }
    }
}
