//! The deletion of records of earlier runs, which are found by the mark in their names.

use serde_json::Value;

use crate::Org;
use crate::check::Finding;
use crate::journal::MARK;

/// The objects of which checks create records, children first, and the field that contains the mark.
const MARKED: [(&str, &str); 8] = [
    ("Task", "Subject"),
    ("Event", "Subject"),
    ("ContentDocument", "Title"),
    ("Case", "Subject"),
    ("Opportunity", "Name"),
    ("Contact", "LastName"),
    ("Lead", "LastName"),
    ("Account", "Name"),
];

/// Deletes the records of all runs, and returns how many were deleted of each object.
pub(crate) fn clean(org: &Org) -> Result<Vec<(&'static str, usize)>, Finding> {
    let mut deleted = Vec::new();
    for (object, field) in MARKED {
        let found = org.get(&query(object, field)).send()?;
        // An object that this user or edition does not have contains no records of ours.
        if found.status != 200 {
            continue;
        }
        let ids: Vec<&str> = found.list("/records").iter().filter_map(|row| row["Id"].as_str()).collect();
        let mut count = 0;
        for ids in ids.chunks(200) {
            let path = format!("composite/sobjects?ids={}&allOrNone=false", ids.join(","));
            let results = org.delete(&path).send()?.has_status(200)?;
            count += results.list("").iter().filter(|result| result["success"] == Value::Bool(true)).count();
        }
        deleted.push((object, count));
    }
    Ok(deleted)
}

fn query(object: &str, field: &str) -> String {
    crate::org::query_path(&format!("SELECT Id FROM {object} WHERE {field} LIKE '{MARK} %' LIMIT 2000"))
}
