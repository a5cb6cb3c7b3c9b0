//! A minimal browser for the consent pages: redirects, cookies and HTML forms.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use html_escape::decode_html_entities;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder};
use url::Url;

const MAX_REDIRECTS: usize = 10;

/// A browser with cookies by origin. Reqwest's cookie store rejects `Secure` cookies over HTTP, which browsers accept on localhost.
pub(super) struct Browser {
    http: Client,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// The values of all `Set-Cookie` headers that were received.
    pub(super) set_cookies: Vec<String>,
    /// All URLs that were requested, in order.
    pub(super) visited: Vec<Url>,
}

/// A page, after all redirects.
pub(super) struct Page {
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) html: String,
}

impl Browser {
    pub(super) fn new() -> Result<Self> {
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { http, cookies: BTreeMap::new(), set_cookies: Vec::new(), visited: Vec::new() })
    }

    pub(super) async fn open(&mut self, url: Url) -> Result<Page> {
        let request = self.http.get(url.clone());
        self.follow(url, request).await
    }

    /// Submits the page's first form with its hidden fields and those in `filled_in`.
    pub(super) async fn submit(&mut self, page: &Page, filled_in: &[(&str, &str)]) -> Result<Page> {
        let form =
            page.form().with_context(|| format!("could not submit the page at {}: it has no form", page.url.path()))?;
        let target = page.url.join(&form.action)?;
        let filled_in = filled_in.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fields: Vec<_> = form.hidden.into_iter().chain(filled_in).collect();
        let origin = page.url.origin().ascii_serialization();
        let request = self.http.post(target.clone()).header("origin", origin).form(&fields);
        self.follow(target, request).await
    }

    async fn follow(&mut self, mut url: Url, mut request: RequestBuilder) -> Result<Page> {
        for _ in 0..MAX_REDIRECTS {
            let origin = url.origin().ascii_serialization();
            if let Some(cookies) = self.cookies.get(&origin) {
                let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
                request = request.header(COOKIE, pairs.join("; "));
            }
            let response = request.send().await.with_context(|| format!("could not open {}", url.path()))?;
            self.visited.push(url.clone());
            for cookie in response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
                self.store_cookie(&origin, cookie);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            match location {
                Some(location) if response.status().is_redirection() => url = url.join(location)?,
                _ => return Ok(Page { url, status: response.status().as_u16(), html: response.text().await? }),
            }
            request = self.http.get(url.clone());
        }
        bail!("could not open {}: more than {MAX_REDIRECTS} redirects", url.path())
    }

    fn store_cookie(&mut self, origin: &str, set_cookie: &str) {
        self.set_cookies.push(set_cookie.to_owned());
        let pair = set_cookie.split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            let cookies = self.cookies.entry(origin.to_owned()).or_default();
            cookies.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Page {
    /// Returns the first form of the page.
    fn form(&self) -> Option<Form> {
        let (_, after) = self.html.split_once("<form")?;
        let (form, _) = after.split_once("</form>")?;
        let (tag, content) = form.split_once('>')?;
        let inputs = content.split("<input").skip(1).filter_map(|input| input.split_once('>')).map(|(tag, _)| tag);
        let hidden = inputs.filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"));
        let hidden =
            hidden.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())));
        Some(Form { action: attribute(tag, "action").unwrap_or_default(), hidden: hidden.collect() })
    }

    /// Returns the first URL on the page that starts with `prefix`.
    pub(super) fn find_url(&self, prefix: &str) -> Option<String> {
        let text = decode_html_entities(&self.html);
        let at = text.find(prefix)?;
        let rest = text.get(at..)?;
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(rest.len());
        rest.get(..end).map(str::to_owned)
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = after.split_once('"')?;
    Some(decode_html_entities(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Page {
        Page { url: Url::parse("http://localhost:1/a").unwrap(), status: 200, html: html.to_owned() }
    }

    #[test]
    fn a_form_is_read_with_its_hidden_fields() {
        let page = page(
            r#"<p><form method="post" action="/b?c=1&amp;d=2"><input type="hidden" name="state" value="a&#34;b"><input type="text" name="t"></form>"#,
        );

        let form = page.form().unwrap();

        assert_eq!(form.action, "/b?c=1&d=2");
        assert_eq!(form.hidden, [("state".to_owned(), "a\"b".to_owned())]);
    }

    #[test]
    fn a_url_ends_at_markup() {
        let page = page("<code>http://localhost:1/webhooks/x&#x2F;y</code>");

        assert_eq!(page.find_url("http://localhost:1/webhooks/").as_deref(), Some("http://localhost:1/webhooks/x/y"));
        assert_eq!(page.find_url("https://"), None);
    }
}
