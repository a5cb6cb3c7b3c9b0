//! Unknown members of a request.

use runtime::Defect;
use serde_json::Value;

/// The maximum length of an unknown name in a text.
const MAX_NAME_CHARS: usize = 64;

/// Returns a defect for each member of the body that is not one of `known`. `detail` lists the known ones.
#[must_use]
pub fn unknown_members(body: &Value, known: &[&str], detail: &'static str) -> Vec<Defect> {
    let names = body.as_object().into_iter().flat_map(|members| members.keys());
    let unknown = names.filter(|name| !known.contains(&name.as_str()));
    let printable =
        |name: &String| -> String { name.chars().filter(|char| !char.is_control()).take(MAX_NAME_CHARS).collect() };
    unknown.map(|name| Defect::field(printable(name), detail)).collect()
}
