"""Makes most request bodies of writes name what is there, and counts the statuses of the responses.

Schemathesis loads it by `SCHEMATHESIS_HOOKS`. A schema cannot say which fields an org has, so a body that is only valid for the
schema is refused by Salesforce.
"""

import collections
import json
import os
import pathlib
import zlib

import schemathesis

FOLDER = pathlib.Path(os.environ["OPENAPI_TOOLS"])
KNOWN = json.loads((FOLDER / "known.json").read_text())
# The external ids that the demo has written.
WRITTEN = ["A-1001", "C-1001", "O-1001"]
# Their objects.
OBJECTS = ["Account", "Contact", "Opportunity"]
# A rep who is connected, and one who never was.
REP, STRANGER = "rep-1", "rep-2"
# Of so many bodies one stays as it was generated.
GENERATED = 4

statuses = collections.Counter()


def records(number):
    record = {"Ferry_External_Id__c": WRITTEN[number % 3], "Description": f"Change {number % 97}"}
    return {"external_id_field": "Ferry_External_Id__c", "records": [record], "all_or_none": number % 2 == 0}


def note(number):
    return {"title": f"Note {number % 97}", "text": "One line\nand another", "links": [KNOWN["account"], KNOWN["contact"]]}


def graph(number):
    account = {"Ferry_External_Id__c": "A-1001", "Description": f"Change {number % 97}"}
    task = {"Subject": f"Call {number % 97}", "WhatId": KNOWN["account"]}
    return {"records": [{"object": "Account", "external_id_field": "Ferry_External_Id__c", "fields": account},
                        {"object": "Task", "client_key": f"task-{number}", "fields": task}]}


BODIES = {
    "upsertRecords": records,
    "createNote": note,
    "changeNote": lambda number: {"title": f"Note {number % 97}", "html": "<p>Changed</p>"},
    "writeRecordGraph": graph,
    "createFile": lambda number: {"title": f"File {number % 97}", "file_name": "call.txt", "content_base64": "aGVsbG8=",
                                  "links": [KNOWN["account"], KNOWN["contact"]]},
    "createConnectLink": lambda number: {"kind": "personal", "org_id": KNOWN["org"], "platform_user": f"rep-{number % 7}"},
    "mapUser": lambda _: {"user_id": KNOWN["user"]},
}


def parameters(case):
    """Returns the names of the parameters of the operation."""
    return {parameter.name for kind in (case.operation.query, case.operation.headers) for parameter in kind}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Replaces a valid body, and what belongs to it. The choice depends on the body alone, so that a failure can be found again."""
    make = BODIES.get(case.operation.definition.raw.get("operationId"))
    number = zlib.crc32(json.dumps(case.body, sort_keys=True, default=str).encode())
    if make and case.meta.generation.mode.is_positive and number % GENERATED:
        case.body = make(number)
        if "as" in parameters(case):
            case.query = {**(case.query or {}), "as": STRANGER if number % 5 == 1 else REP}
        if "Idempotency-Key" in parameters(case):
            case.headers = {**(case.headers or {}), "Idempotency-Key": f"generated-{number}"}
        if "object" in (case.path_parameters or {}):
            case.path_parameters = {**case.path_parameters, "object": OBJECTS[number % 3]}


@schemathesis.hook
def after_call(context, case, response):
    """Counts the status, and stores the counts."""
    operation = case.operation.definition.raw.get("operationId")
    statuses[f"{operation} {response.status_code}"] += 1
    (FOLDER / "statuses.json").write_text(json.dumps(statuses))
