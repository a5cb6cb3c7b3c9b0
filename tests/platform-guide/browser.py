"""Opens a connect link and gives consent, as a person does in a browser: follows redirects, and submits the first form of a page."""

import html.parser
import urllib.error
import urllib.parse
import urllib.request

MAX_REDIRECTS = 10


class Form(html.parser.HTMLParser):
    """The address and the hidden fields of the first form of a page."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields, self.depth = None, {}, "before"
        self.feed(page)
        assert self.action is not None, f"the page has no form: {page[:2000]}"

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag == "form" and self.depth == "before":
            self.action, self.depth = named.get("action") or "", "inside"
        elif tag == "input" and self.depth == "inside" and named.get("type") == "hidden":
            self.fields[named["name"]] = named.get("value") or ""

    def handle_endtag(self, tag):
        if tag == "form" and self.depth == "inside":
            self.depth = "after"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    def __init__(self):
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)
        # By origin. The library's cookie jar sends no `Secure` cookie over HTTP, which browsers do on localhost.
        self.cookies = {}
        self.url = self.page = ""

    def open(self, url, fields=None):
        for _ in range(MAX_REDIRECTS):
            parts = urllib.parse.urlsplit(url)
            origin = f"{parts.scheme}://{parts.netloc}"
            cookies = self.cookies.setdefault(origin, {})
            headers = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            data = urllib.parse.urlencode(fields).encode() if fields is not None else None
            if data is not None:
                headers["origin"] = origin
            try:
                response = self.opener.open(urllib.request.Request(url, data, headers), timeout=60)
            except urllib.error.HTTPError as error:
                response = error
            for cookie in response.headers.get_all("set-cookie") or []:
                name, value = cookie.split(";")[0].split("=", 1)
                cookies[name] = value
            location = response.headers.get("location")
            if not location:
                self.url, self.page = url, response.read().decode()
                assert response.status == 200, f"{url.split('?')[0]}: {response.status} {self.page[:2000]}"
                return
            url, fields = urllib.parse.urljoin(url, location), None
        raise AssertionError(f"more than {MAX_REDIRECTS} redirects")

    def submit(self, **chosen):
        form = Form(self.page)
        self.open(urllib.parse.urljoin(self.url, form.action), form.fields | chosen)


def consent(link, username):
    """Fails unless the page at the end says that the connection was made."""
    browser = Browser()
    browser.open(link)
    browser.submit()
    browser.submit(username=username, decision="allow")
    assert "<h1>Connected</h1>" in browser.page, browser.page
