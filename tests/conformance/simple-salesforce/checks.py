"""Checks of simple-salesforce against the org at ORG_URL, with one line for each."""

import csv
import io
import json
import os
import sys
import tempfile
import traceback
import urllib.request

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

URL = os.environ["ORG_URL"]
HOST = URL.removeprefix("http://")
ADMIN = "admin@larkspur.example"
ROWS = 20_000
checks = []


class Plain(HTTPAdapter):
    """Replaces https, which the library always uses, with http: loopback has no certificate."""

    def send(self, request, **options):
        request.url = request.url.replace(f"https://{HOST}", URL)
        return super().send(request, **options)


def admin(path, body):
    request = urllib.request.Request(f"{URL}/_simulator/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def client(token):
    session = requests.Session()
    session.mount("https://", Plain())
    return Salesforce(instance=HOST, session_id=token, session=session, version="66.0")


def check(function):
    checks.append(function)
    return function


def equal(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def refused(kind, status, code, call):
    try:
        call()
    except kind as error:
        equal(error.status, status)
        equal(error.content[0]["errorCode"], code)
        return error.content[0]
    raise AssertionError(f"nothing was refused where {code} was expected")


@check
def a_record_is_created_read_changed_and_deleted(sf):
    made = sf.Account.create({"Name": "Conformance", "NumberOfEmployees": 7, "AnnualRevenue": 12.5})
    equal((made["success"], made["errors"], len(made["id"])), (True, [], 18))
    record = sf.Account.get(made["id"])
    equal((record["Name"], record["NumberOfEmployees"], record["AnnualRevenue"]), ("Conformance", 7, 12.5))
    equal(record["attributes"], {"type": "Account", "url": f"/services/data/v66.0/sobjects/Account/{made['id']}"})
    equal(sf.Account.update(made["id"], {"Phone": "1", "AnnualRevenue": None}), 204)
    record = sf.Account.get(made["id"])
    equal((record["Phone"], record["AnnualRevenue"]), ("1", None))
    equal(sf.Account.delete(made["id"]), 204)
    refused(SalesforceResourceNotFound, 404, "ENTITY_IS_DELETED", lambda: sf.Account.get(made["id"]))


@check
def an_upsert_creates_then_updates(sf):
    equal(sf.Account.upsert("Key__c/S-1", {"Name": "First"}), 201)
    equal(sf.Account.upsert("Key__c/S-1", {"Name": "Second"}), 200)
    record = sf.Account.get_by_custom_id("Key__c", "s-1")
    equal((record["Name"], record["Key__c"]), ("Second", "S-1"))


@check
def a_key_of_several_records_is_refused_with_their_addresses(sf):
    ids = [sf.Contact.create({"LastName": f"Twin {n}", "Shared__c": "T"})["id"] for n in range(2)]
    try:
        sf.Contact.upsert("Shared__c/T", {"LastName": "Which"})
    except SalesforceMoreThanOneRecord as error:
        equal(error.status, 300)
        equal(sorted(error.content), sorted(f"/services/data/v66.0/sobjects/Contact/{id}" for id in ids))
        return
    raise AssertionError("an ambiguous upsert was accepted")


@check
def collections_have_an_outcome_for_each_record(sf):
    records = [{"attributes": {"type": "Lead"}, "LastName": f"L{n}", "Company": "Collection"} for n in range(3)]
    del records[1]["LastName"]
    body = json.dumps({"allOrNone": False, "records": records})
    response = sf.restful("composite/sobjects", method="POST", data=body)
    equal([outcome["success"] for outcome in response], [True, False, True])
    equal(response[1]["errors"], [{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": ["LastName"]}])
    body = json.dumps({"allOrNone": True, "records": records})
    response = sf.restful("composite/sobjects", method="POST", data=body)
    equal([outcome["errors"][0]["statusCode"] for outcome in response], ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING", "ALL_OR_NONE_OPERATION_ROLLED_BACK"])
    equal(sf.query("SELECT COUNT() FROM Lead WHERE Company = 'Collection'")["totalSize"], 2)


@check
def a_composite_request_refers_to_created_records(sf):
    base = "/services/data/v66.0/sobjects"
    body = {
        "allOrNone": True,
        "compositeRequest": [
            {"method": "POST", "url": f"{base}/Account", "referenceId": "account", "body": {"Name": "Composite"}},
            {"method": "POST", "url": f"{base}/Contact", "referenceId": "contact", "body": {"LastName": "Of it", "AccountId": "@{account.id}"}},
            {"method": "GET", "url": f"{base}/Contact/@{{contact.id}}?fields=LastName,AccountId", "referenceId": "read"},
        ],
    }
    response = sf.restful("composite", method="POST", data=json.dumps(body))["compositeResponse"]
    equal([(part["referenceId"], part["httpStatusCode"]) for part in response], [("account", 201), ("contact", 201), ("read", 200)])
    equal(response[2]["body"]["AccountId"], response[0]["body"]["id"])


@check
def five_thousand_rows_are_read_page_by_page(sf):
    first = sf.query("SELECT Id, Name FROM Account WHERE Name LIKE 'Bulk %' ORDER BY Name LIMIT 5001")
    equal((first["totalSize"], first["done"], len(first["records"])), (5001, False, 2000))
    all_rows = sf.query_all("SELECT Id, Name FROM Account WHERE Name LIKE 'Bulk %' ORDER BY Name LIMIT 5001")
    equal((all_rows["done"], len(all_rows["records"]), len({row["Id"] for row in all_rows["records"]})), (True, 5001, 5001))
    names = [row["Name"] for row in all_rows["records"]]
    equal(names, sorted(names))
    equal(sum(1 for _ in sf.query_all_iter("SELECT Id FROM Account WHERE Name LIKE 'Bulk %' LIMIT 4500")), 4500)


@check
def describe_and_limits_return_the_orgs_data(sf):
    described = sf.Account.describe()
    fields = {field["name"]: field for field in described["fields"]}
    equal((described["keyPrefix"], fields["Key__c"]["externalId"], fields["Name"]["nillable"]), ("001", True, False))
    names = {found["name"] for found in sf.describe()["sobjects"]}
    assert {"Account", "Contact", "Lead", "Opportunity", "User"} <= names, names
    limit = sf.limits()["DailyApiRequests"]
    assert 0 < limit["Remaining"] < limit["Max"], limit
    used = sf.api_usage["api-usage"]
    equal(used.total, limit["Max"])
    assert used.used >= limit["Max"] - limit["Remaining"], (used, limit)


@check
def changes_are_found_by_their_time(sf):
    import datetime

    now = datetime.datetime.now(datetime.timezone.utc)
    made = sf.Account.create({"Name": "Replicated"})["id"]
    gone = sf.Account.create({"Name": "Gone"})["id"]
    sf.Account.delete(gone)
    start, end = now - datetime.timedelta(minutes=10), now + datetime.timedelta(minutes=10)
    assert made in sf.Account.updated(start, end)["ids"]
    assert gone in [record["id"] for record in sf.Account.deleted(start, end)["deletedRecords"]]


@check
def refusals_have_salesforces_codes(sf):
    unknown = refused(SalesforceMalformedRequest, 400, "INVALID_FIELD", lambda: sf.Account.create({"Name": "x", "Nope": 1}))
    equal(unknown["message"], "No such column 'Nope' on sobject of type Account")
    refused(SalesforceMalformedRequest, 400, "REQUIRED_FIELD_MISSING", lambda: sf.Account.create({"Phone": "1"}))
    refused(SalesforceMalformedRequest, 400, "MALFORMED_QUERY", lambda: sf.query("SELECT FROM Account"))
    refused(SalesforceMalformedRequest, 400, "INVALID_TYPE", lambda: sf.query("SELECT Id FROM Nope"))
    refused(SalesforceResourceNotFound, 404, "NOT_FOUND", lambda: sf.Nope.get("001000000000000AAA"))
    refused(SalesforceExpiredSession, 401, "INVALID_SESSION_ID", lambda: client("not a session").query("SELECT Id FROM Account"))


@check
def bulk_rows_fail_one_by_one(sf):
    outcome = sf.bulk2.Account.insert(records=[{"Name": "One by one", "Key__c": "S-9"}, {"Name": "", "Key__c": "S-8"}])
    equal([(job["numberRecordsProcessed"], job["numberRecordsFailed"]) for job in outcome], [(2, 1)])
    job = outcome[0]["job_id"]
    done = list(csv.DictReader(io.StringIO(sf.bulk2.Account.get_successful_records(job))))
    equal([(row["sf__Created"], row["Name"], row["Key__c"]) for row in done], [("true", "One by one", "S-9")])
    failed = list(csv.DictReader(io.StringIO(sf.bulk2.Account.get_failed_records(job))))
    equal([(row["sf__Id"], row["sf__Error"], row["Key__c"]) for row in failed], [("", "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", "S-8")])
    equal(list(csv.DictReader(io.StringIO(sf.bulk2.Account.get_unprocessed_records(job)))), [])


@check
def bulk_update_and_delete_go_by_id(sf):
    ids = [row["Id"] for row in sf.query("SELECT Id FROM Account WHERE Name LIKE 'Bulk %' ORDER BY Name LIMIT 300")["records"]]
    outcome = sf.bulk2.Account.update(records=[{"Id": id, "Phone": "42"} for id in ids])
    equal(outcome[0]["numberRecordsFailed"], 0)
    equal(sf.query("SELECT COUNT() FROM Account WHERE Phone = '42'")["totalSize"], 300)
    sf.bulk2.Account.delete(records=[{"Id": id} for id in ids])
    equal(sf.query("SELECT COUNT() FROM Account WHERE Name LIKE 'Bulk %'")["totalSize"], ROWS - 300)
    equal(sf.query("SELECT COUNT() FROM Account WHERE Phone = '42'", include_deleted=True)["totalSize"], 300)


@check
def twenty_thousand_rows_are_queried_in_bulk(sf):
    admin("settings", {"bulk": {"page_records": 6000}})
    wanted = sf.query("SELECT COUNT() FROM Account WHERE Key__c LIKE 'B-%'")["totalSize"]
    rows = []
    sizes = []
    for page in sf.bulk2.Account.query("SELECT Id, Name, Key__c, AnnualRevenue FROM Account WHERE Key__c LIKE 'B-%'", max_records=6000):
        found = list(csv.DictReader(io.StringIO(page)))
        sizes.append(len(found))
        rows += found
    equal(sizes, [6000, 6000, 6000, wanted - 18_000])
    equal(len({row["Id"] for row in rows}), wanted)
    sample = next(row for row in rows if row["Key__c"] == "B-19999")
    equal((sample["Name"], sample["AnnualRevenue"]), ("Bulk 19999", "19999.0"))
    with tempfile.TemporaryDirectory() as folder:
        files = sf.bulk2.Account.download("SELECT Id FROM Account WHERE Key__c LIKE 'B-%'", path=folder)
        equal(sum(part["number_of_records"] for part in files), wanted)


def load_rows(sf):
    outcome = sf.bulk2.Account.upsert(
        records=[{"Key__c": f"B-{n}", "Name": f"Bulk {n}", "AnnualRevenue": str(n)} for n in range(ROWS)],
        external_id_field="Key__c",
    )
    equal([(job["numberRecordsProcessed"], job["numberRecordsFailed"]) for job in outcome], [(ROWS, 0)])


load_rows.__name__ = "twenty_thousand_rows_are_upserted_in_bulk"


def main():
    fields = [{"name": "Key__c", "type": "string", "length": 40, "external_id": True, "unique": True}]
    admin("objects", {"name": "Account", "fields": fields})
    admin("objects", {"name": "Contact", "fields": [{"name": "Shared__c", "type": "string", "length": 40, "external_id": True}]})
    sf = client(admin("sessions", {"username": ADMIN})["access_token"])
    # load_rows is first, since other checks page through its rows. The bulk query is last, since it changes the page size.
    for function in [load_rows, *checks]:
        name = function.__name__.replace("_", " ")
        try:
            function(sf)
            print(f"passed  simple-salesforce: {name}", flush=True)
        except Exception as error:  # Every error is a difference.
            print(f"FAILED  simple-salesforce: {name}: {type(error).__name__}: {str(error)[:600]}", flush=True)
            traceback.print_exc(file=sys.stderr)
    print("end of checks", flush=True)


if __name__ == "__main__":
    main()
