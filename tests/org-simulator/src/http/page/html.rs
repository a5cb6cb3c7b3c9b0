//! Parts of the pages.

use axum::response::{Html, IntoResponse as _, Response};
use http::StatusCode;

use crate::model::org::Org;
use crate::wire::html::{escaped, page};

/// Rows on a page of a long list.
pub(super) const ROWS: usize = 50;

/// The pages, in the order of the navigation.
const PAGES: [(&str, &str); 8] = [
    ("/", "Org"),
    ("/_simulator/pages/records", "Records"),
    ("/_simulator/pages/logins", "Logins"),
    ("/_simulator/pages/outbound", "Outbound messages"),
    ("/_simulator/pages/faults", "Faults"),
    ("/_simulator/pages/clock", "Clock"),
    ("/_simulator/pages/package", "Package"),
    ("/_simulator/pages/requests", "Requests"),
];

/// Returns a page with the navigation.
pub(super) fn within(org: &Org, title: &str, path: &str, body: &str) -> String {
    let link = |(to, name): &(&str, &str)| {
        let current = if *to == path { " aria-current=\"page\"" } else { "" };
        format!("<li><a href=\"{to}\"{current}>{name}</a></li>")
    };
    let links: String = PAGES.iter().map(link).collect();
    let navigation = format!("<nav aria-label=\"Pages of org {}\"><ul>{links}</ul></nav>", org.id);
    page(title, &navigation, body)
}

/// Returns the page, with status 404, that says what does not exist.
pub(super) fn not_found(org: &Org, path: &str, text: &str) -> Response {
    let page = within(org, "Not found", path, &format!("<p>{}</p>", escaped(text)));
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}

/// Returns a table, which scrolls by itself on narrow screens. The cells are HTML.
pub(super) fn table(caption: &str, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{}</th>", escaped(head))).collect();
    let rows: String = rows
        .into_iter()
        .map(|row| format!("<tr>{}</tr>", row.iter().map(|cell| format!("<td>{cell}</td>")).collect::<String>()))
        .collect();
    let caption = escaped(caption);
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table><caption>{caption}</caption>\
         <thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// Returns a list of names and values; the values are HTML.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let facts: String =
        facts.iter().map(|(name, value)| format!("<dt>{}</dt><dd>{value}</dd>", escaped(name))).collect();
    format!("<dl>{facts}</dl>")
}

/// Returns links to the previous and the next page; `query` is the rest of the query string, percent-encoded, with an
/// `&` after each parameter.
pub(super) fn pages(path: &str, query: &str, number: usize, total: usize) -> String {
    let last = total.div_ceil(ROWS).max(1);
    let link = |to: usize, name: &str| format!("<a href=\"{path}?{}page={to}\">{name}</a>", escaped(query));
    let before = if number > 1 { link(number - 1, "Previous") } else { String::new() };
    let after = if number < last { link(number + 1, "Next") } else { String::new() };
    format!("<p class=\"pages\"><span>Page {number} of {last}, {total} in all</span>{before}{after}</p>")
}

/// Percent-encodes a part of a URL.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Formats a time to the second, on one line.
pub(super) fn moment(moment: jiff::Timestamp) -> String {
    format!("<time>{}</time>", moment.strftime("%Y-%m-%d %H:%M:%S"))
}
