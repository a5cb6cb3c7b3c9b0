"""Writes the configuration of Schemathesis for a demo stack.

    python3 configure.py CONTRACT DEMO_OUTPUT OUTPUT

DEMO_OUTPUT has the lines of `cargo dev demo --json --stay`. Prints the URL of the stack and a
token. Ids are those of records that are there, so that requests get further than a 404; most other values are found as well.
Writes `known.json` beside OUTPUT, for the bodies that `hooks.py` makes. Makes Salesforce unavailable to some of the writes, so
that they are accepted with 202.
"""

import json
import pathlib
import sys
import urllib.parse
import urllib.request

import yaml

TENANT, REP = "acme", "rep-1"
# A rep who never connected.
STRANGER = "rep-2"
FAULT = {"path": "/services/data/*/composite/**", "probability": 0.3, "seed": 7,
         "effect": {"kind": "unavailable"}}
# The share of the valid requests whose parameters name something that is there. Ids always do: a schema cannot say which ones
# have a right checksum.
KNOWN = 0.8
ACCEPTED = ["2xx", 403, 404, 409, 410, 412, 422, 503]
# The operations whose valid requests can be refused for a reason that no schema says: a search has two letters of any script, an
# id of the path or the query a checksum, a write a key unless it is a dry run, a record the prefix of its object, a size or a
# number of the settings is not written as 1.0, and audits and backfills are of mirrored objects.
OPEN = ("searchRecords", "readNote", "linkNote", "unlinkNote", "upsertRecords", "writeRecordGraph", "undeleteRecord",
        "createFileUpload", "replaceSettings", "requestAudit", "requestBackfills")
IDS = ("header.Ferry-Tenant", "path.id", "path.org", "query.account", "query.owner", "query.after")


def main(contract, demo_output, output):
    steps = [json.loads(line) for line in pathlib.Path(demo_output).read_text().splitlines()]
    evidence = {step["step"]: step["evidence"] for step in steps}
    url, org = evidence["stack-started"]["http_api"], evidence["data-loaded"]["org_id"]
    scope = "ferry/read ferry/write ferry/admin"
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "tenant": TENANT, "scope": scope})
    token = json.load(request(f"{url}/issuer/token", form.encode()))["access_token"]

    def read(path):
        return json.load(request(f"{url}/v1/orgs/{org}{path}", None, {"authorization": f"Bearer {token}"}))

    written = evidence["records-written"]
    account, contact, opportunity = (written[name]["id"] for name in ("account", "contact", "opportunity"))
    note, write = evidence["note-written"]["note"], evidence["note-written"]["write"]
    owner = read(f"/records/Account/{account}?as={REP}")["fields"]["OwnerId"]
    dictionaries = {
        "org": [org],
        "tenant": [TENANT],
        "user": [REP, REP, REP, STRANGER],
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
    shared = {"path.org": "org", "header.Ferry-Tenant": "tenant", "query.as": "user", "path.object": "object", "query.account": "account", "query.owner": "owner",
              "query.stage": "stage", "path.field": "field", "query.value": "value", "query.q": "text",
              "query.objects": "objects", "query.platform_user": "user", "path.platform_user": "user"}
    own = {"accounts": "account", "contacts": "contact", "opportunities": "opportunity", "notes": "note", "writes": "write",
           "connections": "connection", "records": "record", "leads": "record", "erasures": "write"}
    lines = [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}\n" for name, values in dictionaries.items()]
    lines.append(bindings("[parameters]", shared))
    # API Gateway answers an unknown method with 404, and the contract has no operation for it.
    lines.append("[checks]\nunsupported_method.enabled = false\nallow_header_conformance.enabled = false\n")
    # A valid request can name what is not there, is hidden or is deleted.
    lines.append(f"[checks.positive_data_acceptance]\nexpected-statuses = {json.dumps(ACCEPTED)}\n")
    starts = {"listOrgs": "org", "listConnections": "connection"}
    for operation, path, names, has_ids in operations(contract):
        segment = path.split("/")[4] if path.count("/") > 3 else ""
        known = {"path.id": own.get(segment), "query.after": starts.get(operation)}
        known = {name: dictionary for name, dictionary in known.items() if dictionary and name.split(".")[1] in names}
        # Which texts are cursors, no pattern says.
        is_open = operation not in starts and any(name.endswith("after") or name == "cursor" for name in names)
        is_open = is_open or has_ids or operation in OPEN
        if known or is_open:
            # Schemathesis takes the first table of an operation.
            lines.append(f'[[operations]]\ninclude-operation-id = "{operation}"')
            lines.append("checks.positive_data_acceptance.enabled = false\n" if is_open else "")
            lines.append(bindings("[operations.parameters]", known))
    pathlib.Path(output).write_text("\n".join(lines))
    known = {"account": account, "contact": contact, "opportunity": opportunity, "note": note, "user": owner, "org": org}
    (pathlib.Path(output).parent / "known.json").write_text(json.dumps(known))
    faults = f"{evidence['stack-started']['salesforce_org']}/_simulator/faults"
    request(faults, json.dumps(FAULT).encode(), {"content-type": "application/json"}).read()
    print(url, token)


def operations(contract):
    """Returns the ids of the operations, their paths, the names of their parameters, and whether their bodies have ids."""
    contract = yaml.safe_load(pathlib.Path(contract).read_text())
    shared = contract["components"]["parameters"]
    for path, item in contract["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                parameters = item[method].get("parameters", []) + item.get("parameters", [])
                names = [(shared[one["$ref"].split("/")[-1]] if "$ref" in one else one)["name"] for one in parameters]
                has_ids = names_id(item[method].get("requestBody", {}), contract["components"]["schemas"])
                yield item[method]["operationId"], path, names, has_ids


def names_id(schema, schemas, seen=()):
    """Returns whether a schema has a Salesforce id somewhere, whose checksum it cannot describe."""
    if isinstance(schema, list):
        return any(names_id(one, schemas, seen) for one in schema)
    if not isinstance(schema, dict):
        return isinstance(schema, str) and "[a-zA-Z0-9]{12}" in schema
    name = schema.get("$ref", "").split("/")[-1]
    if name in ("RecordId", "OrgId"):
        return True
    if name in schemas and name not in seen:
        return names_id(schemas[name], schemas, (*seen, name))
    return any(names_id(one, schemas, seen) for one in schema.values())


def bindings(table, names):
    def binding(name, values):
        probability = 1.0 if name in IDS else KNOWN
        return f'{json.dumps(name)} = {{ dictionary = "{values}", probability = {probability} }}'

    return "\n".join([table, *(binding(name, values) for name, values in names.items()), ""])


def request(url, data, headers={}):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(urllib.request.Request(url, data, headers), timeout=30)


if __name__ == "__main__":
    main(*sys.argv[1:])
