//! Rules about the texts of files of any kind.

use crate::check;
use crate::repository::{FILES, files};

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!(")];
    for kind in [".rs", ".toml", ".yaml", ".html", ".cls", ".xml", "/run"] {
        check("do it now, or open an issue", files("", kind), |file| file.places_of(&marks));
    }
}

#[test]
fn no_file_knows_a_developers_machine() {
    let before = [" ", "\"", "'", "`", "(", "=", "file://"];
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let marks: Vec<_> = before.iter().flat_map(|before| homes.map(|home| format!("{before}{home}"))).collect();
    check("use a path relative to the workspace", FILES.iter(), |file| file.places_of(&marks));
}
