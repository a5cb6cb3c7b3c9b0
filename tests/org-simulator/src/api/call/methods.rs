//! The methods of the resources, for the response to a wrong method.

use crate::model::ids::RecordId;

/// Returns the methods of a resource, as Salesforce lists them (seen in clients' bug reports); `None` for an unknown
/// path.
pub(super) fn allowed(path: &[String]) -> Option<&'static str> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        []
        | ["sobjects" | "query" | "queryAll" | "limits" | "search" | "recent" | "tabs"]
        | ["query" | "queryAll", _]
        | ["limits", "recordCount"]
        | ["sobjects", _, "describe" | "updated" | "deleted", ..] => Some("HEAD,GET"),
        ["sobjects", _] => Some("HEAD,GET,POST"),
        ["sobjects", _, id] if RecordId::parse(id).is_some() => Some("HEAD,GET,PATCH,DELETE"),
        ["sobjects", _, _, _] => Some("HEAD,GET,POST,PATCH,DELETE"),
        ["composite" | "parameterizedSearch"] => Some("HEAD,GET,POST"),
        ["composite", "batch" | "graph"] | ["composite", "tree", _] => Some("POST"),
        ["composite", "sobjects"] => Some("DELETE,PATCH,POST"),
        ["composite", "sobjects", _] => Some("HEAD,GET,POST"),
        ["composite", "sobjects", _, _] => Some("PATCH"),
        _ => None,
    }
}
