"""Writes the configuration of Schemathesis for a demo stack.

    python3 configure.py DEMO_OUTPUT OUTPUT

DEMO_OUTPUT has the lines of `cargo dev demo --json --stay`. Prints the URL of the stack. Most requests name records that are
there, so that they get further than a 404; the others name what Schemathesis makes up.
"""

import json
import pathlib
import sys
import urllib.parse
import urllib.request

REP = "rep-1"
# The share of the requests that name something that is there.
KNOWN = 0.9


def main(demo_output, output):
    steps = [json.loads(line) for line in pathlib.Path(demo_output).read_text().splitlines()]
    evidence = {step["step"]: step["evidence"] for step in steps}
    url, org = evidence["stack-started"]["http_api"], evidence["data-loaded"]["org_id"]
    scope = "ferry/read ferry/write ferry/admin"
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "tenant": "acme", "scope": scope})
    token = json.load(request(f"{url}/issuer/token", form.encode()))["access_token"]

    def read(path):
        return json.load(request(f"{url}/v1/orgs/{org}{path}", None, {"authorization": f"Bearer {token}"}))

    written = evidence["records-written"]
    account, contact, opportunity = (written[name]["id"] for name in ("account", "contact", "opportunity"))
    note, write = evidence["note-written"]["note_id"], evidence["note-written"]["write_id"]
    owner = read(f"/records/Account/{account}?as={REP}")["fields"]["OwnerId"]
    dictionaries = {
        "org": [org],
        "user": [REP],
        "account": [account],
        "contact": [contact],
        "opportunity": [opportunity],
        "note": [note],
        "write": [write],
        "owner": [owner],
        "connection": ["team", *(one["connection_id"] for one in read("/connections")["connections"])],
        "object": ["Account", "Contact", "Lead", "Opportunity", "Task", "Nowhere__c"],
        "objects": ["Account,Contact", "Opportunity", "Lead,Task"],
        "record": [account, contact, opportunity],
        "field": ["Ferry_External_Id__c", "Name"],
        "value": ["A-1001", "C-1001", "none"],
        "text": ["Kestrel", "Ada Okafor", "kestrel OR (pilot)"],
        "stage": ["Prospecting", "Closed Won"],
    }
    shared = {"path.org": "org", "query.as": "user", "path.object": "object", "query.account": "account", "query.owner": "owner",
              "query.stage": "stage", "path.field": "field", "query.value": "value", "query.q": "text",
              "query.objects": "objects", "query.platform_user": "user", "path.platform_user": "user"}
    own = {"accounts": "account", "contacts": "contact", "opportunities": "opportunity", "notes": "note", "writes": "write",
           "connections": "connection", "records": "record", "leads": "record"}
    lines = [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}\n" for name, values in dictionaries.items()]
    lines.append(bindings("[parameters]", shared))
    for segment, dictionary in own.items():
        path = rf"^/v1/orgs/\{{org\}}/{segment}/"
        lines.append(f"[[operations]]\ninclude-path-regex = {json.dumps(path)}")
        lines.append(bindings("[operations.parameters]", {"path.id": dictionary}))
    pathlib.Path(output).write_text("\n".join(lines))
    print(url, token)


def bindings(table, names):
    of = [f'{json.dumps(name)} = {{ dictionary = "{values}", probability = {KNOWN} }}' for name, values in names.items()]
    return "\n".join([table, *of, ""])


def request(url, data, headers={}):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(urllib.request.Request(url, data, headers), timeout=30)


if __name__ == "__main__":
    main(*sys.argv[1:])
