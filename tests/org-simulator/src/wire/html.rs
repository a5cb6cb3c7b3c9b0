//! HTML pages.

/// The path of the style sheet.
pub(crate) const STYLE_PATH: &str = "/_simulator/pages/style.css";

/// Escapes text for HTML, including attributes.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Returns a page. It has one style sheet and no script.
pub(crate) fn page(title: &str, navigation: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><link rel=\"stylesheet\" href=\"{STYLE_PATH}\"></head>\
         <body><a class=\"skip\" href=\"#main\">Skip to the content</a>{navigation}<main id=\"main\"><h1>{title}</h1>{body}</main>\
         <footer>Org simulator: not Salesforce, only its manners.</footer></body></html>"
    )
}

/// Returns a page with a single message.
pub(crate) fn message(text: &str) -> String {
    page("Org simulator", "", &format!("<p>{}</p>", escaped(text)))
}
