"""Runs the tests of django-salesforce, which its package contains, against the org at ORG_URL.

The tests are unchanged. An adapter of requests replaces `https`, which is the only protocol that the client accepts.
"""

import json
import os
import sys
import unittest
import urllib.request

import requests.adapters

URL_OF_ORG = os.environ["ORG_URL"]
USER, PASSWORD, TOKEN = "admin@larkspur.example", "not-a-password", "NotAToken"
APP = {"name": "Conformance", "client_id": "conformance.django", "client_secret": "not-a-secret", "redirect_uri": "http://localhost/"}

# Tests that cannot pass here, with the reason.
NOT_APPLICABLE = {
    "test_content_version": "ContentVersion has no ContentLocation and Origin here",
    "test_datetime_miliseconds": "there is no CronTrigger here",
    "test_one_to_one_field": "there is no ApexEmailNotification here",
    "test_time_field": "there is no BusinessHours here",
}


def admin(path, body):
    """Sends a request to the simulator's admin API."""
    url = f"{URL_OF_ORG}/_simulator/{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request).close()


def use_loopback():
    """Sends requests for `https` on loopback over `http`, and shows the client an instance URL with `https`."""
    send = requests.adapters.HTTPAdapter.send

    def over_http(adapter, request, **options):
        request.url = request.url.replace("https://127.0.0.1:", "http://127.0.0.1:", 1)
        response = send(adapter, request, **options)
        if request.url.endswith("/services/oauth2/token"):
            text = response.content.replace(b'"instance_url":"http:', b'"instance_url":"https:')
            response._content = text
        return response

    requests.adapters.HTTPAdapter.send = over_http


class Lines(unittest.TestResult):
    """Prints a line for each test."""

    def name(self, test):
        return test.id().removeprefix("salesforce.")

    def addSuccess(self, test):
        print(f"passed  django-salesforce: {self.name(test)}")

    def addExpectedFailure(self, test, error):
        self.addSuccess(test)

    def addSkip(self, test, reason):
        print(f"skipped django-salesforce: {self.name(test)}: {reason}")

    def addError(self, test, error):
        method = test.id().rsplit(".", 1)[-1]
        if method in NOT_APPLICABLE:
            print(f"n/a     django-salesforce: {self.name(test)}: {NOT_APPLICABLE[method]}")
            return
        text = " ".join(str(error[1]).split())
        print(f"FAILED  django-salesforce: {self.name(test)}: {text[:900]}")

    addFailure = addError

    def addUnexpectedSuccess(self, test):
        print(f"FAILED  django-salesforce: {self.name(test)}: it was expected to fail")

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addError(test, error)


def main():
    admin("settings", {"password_flow": True})
    admin("apps", APP)
    admin(f"users/{USER}/password", {"password": PASSWORD, "token": TOKEN})
    os.environ.update(
        SF_CONSUMER_KEY=APP["client_id"],
        SF_CONSUMER_SECRET=APP["client_secret"],
        SF_USER=USER,
        SF_PASSWORD=PASSWORD + TOKEN,
        SF_HOST=URL_OF_ORG.replace("http://", "https://", 1),
        DJANGO_SETTINGS_MODULE="salesforce.testrunner.settings",
    )
    use_loopback()

    import django
    from django.test.runner import DiscoverRunner

    django.setup()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment()
    suite = runner.build_suite(["salesforce"])
    databases = runner.setup_databases(aliases=runner.get_databases(suite))
    suite.run(Lines())
    runner.teardown_databases(databases)
    print("end of checks")


if __name__ == "__main__":
    sys.exit(main())
