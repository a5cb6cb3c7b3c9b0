//! Parts that pages are put together from.

use crate::model::org::Org;
use crate::wire::html::{escaped, page};

/// Rows on a page of a long list.
pub(super) const ROWS: usize = 50;

/// The pages, in the order of the navigation.
const PAGES: [(&str, &str); 6] = [
    ("/", "Org"),
    ("/_simulator/pages/records", "Records"),
    ("/_simulator/pages/logins", "Logins"),
    ("/_simulator/pages/outbound", "Outbound messages"),
    ("/_simulator/pages/faults", "Faults"),
    ("/_simulator/pages/requests", "Requests"),
];

/// A page with the navigation.
pub(super) fn within(org: &Org, title: &str, path: &str, body: &str) -> String {
    let link = |(to, name): &(&str, &str)| {
        let current = if *to == path { " aria-current=\"page\"" } else { "" };
        format!("<li><a href=\"{to}\"{current}>{name}</a></li>")
    };
    let links: String = PAGES.iter().map(link).collect();
    let navigation = format!("<nav aria-label=\"Pages of org {}\"><ul>{links}</ul></nav>", org.id);
    page(title, &navigation, body)
}

/// A table that scrolls by itself where the screen is narrow. Cells are HTML already.
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

/// Names and what they stand for; the values are HTML already.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let facts: String =
        facts.iter().map(|(name, value)| format!("<dt>{}</dt><dd>{value}</dd>", escaped(name))).collect();
    format!("<dl>{facts}</dl>")
}

/// Links to the pages before and after; `query` is what else the address holds, percent-encoded, with a `&` behind each part.
pub(super) fn pages(path: &str, query: &str, number: usize, total: usize) -> String {
    let last = total.div_ceil(ROWS).max(1);
    let link = |to: usize, name: &str| format!("<a href=\"{path}?{}page={to}\">{name}</a>", escaped(query));
    let before = if number > 1 { link(number - 1, "Previous") } else { String::new() };
    let after = if number < last { link(number + 1, "Next") } else { String::new() };
    format!("<p class=\"pages\"><span>Page {number} of {last}, {total} in all</span>{before}{after}</p>")
}

/// A part of an address, percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A moment to the second, on one line.
pub(super) fn moment(moment: jiff::Timestamp) -> String {
    format!("<time>{}</time>", moment.strftime("%Y-%m-%d %H:%M:%S"))
}
