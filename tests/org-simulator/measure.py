"""Measures a build of the simulator on Linux: start-up, rows a second of writes and queries, memory a record.

    python3 tests/org-simulator/measure.py target/release/org-simulator

CPU time is user and system time of the simulator's process; it is nearly the same on a busy machine.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from urllib.parse import quote_plus

RECORDS = 100_000
STARTS = 15
QUERIES = 5


class Simulator:
    def __init__(self, seed):
        started = time.perf_counter()
        program = [sys.argv[1], "--port", "0", "--seed", seed]
        self.process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        url = self.process.stdout.readline().strip().rsplit(" at ", 1)[1]
        self.start_ms, self.start_cpu_ms = (time.perf_counter() - started) * 1000, self.cpu_s() * 1000
        self.connection = http.client.HTTPConnection(url.removeprefix("http://"))
        self.headers = {"content-type": "application/json"}

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def send(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        response = self.connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{response.status} {text[:300]!r}")
        return text

    def log_in(self):
        username = json.loads(self.send("GET", "/_simulator/users"))[0]["username"]
        session = json.loads(self.send("POST", "/_simulator/sessions", {"username": username}))
        self.headers["authorization"] = f"Bearer {session['access_token']}"

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def timed(self, work):
        """Returns the wall time and the CPU time of some work, in seconds."""
        wall, cpu = time.perf_counter(), self.cpu_s()
        work()
        return time.perf_counter() - wall, self.cpu_s() - cpu


def account(number):
    attributes = {"type": "Account"}
    return {"attributes": attributes, "Name": f"Account {number}", "Phone": "+49 30 123456", "BillingCity": "Berlin",
            "Industry": "Energy"}


def insert(simulator):
    for first in range(0, RECORDS, 200):
        records = [account(number) for number in range(first, first + 200)]
        simulator.send("POST", "/services/data/v66.0/composite/sobjects", {"allOrNone": True, "records": records})


def query(simulator, fields):
    path = f"/services/data/v66.0/query?q={quote_plus(f'SELECT {fields} FROM Account')}"
    while path:
        page = simulator.send("GET", path)
        # The end of a page, so that this program does not spend the time on parsing it.
        head = page[:200].decode()
        path = head.split('"nextRecordsUrl":"')[1].split('"')[0] if '"nextRecordsUrl"' in head else None


def main():
    for seed in ["default", "developer-edition"]:
        wall, cpu = [], []
        for _ in range(STARTS):
            simulator = Simulator(seed)
            wall.append(simulator.start_ms)
            cpu.append(simulator.start_cpu_ms)
            simulator.stop()
        print(f"start-up, {seed}: median {statistics.median(wall):.0f} ms, shortest {min(wall):.0f} ms, "
              f"{statistics.mean(cpu):.0f} ms of CPU time")
    simulator = Simulator("none")
    simulator.log_in()
    before = simulator.memory_bytes()
    wall, cpu = simulator.timed(lambda: insert(simulator))
    each = (simulator.memory_bytes() - before) / RECORDS
    print(f"insert: {RECORDS / wall:,.0f} rows/s, {RECORDS / cpu:,.0f} rows/s of CPU time, {each:.0f} bytes a record")
    for fields in ["Id, Name", "Id, Name, Phone, BillingCity, Industry, OwnerId, CreatedDate, SystemModstamp"]:
        wall, cpu = simulator.timed(lambda: [query(simulator, fields) for _ in range(QUERIES)])
        rows = RECORDS * QUERIES
        print(f"query of {fields}: {rows / wall:,.0f} rows/s, {rows / cpu:,.0f} rows/s of CPU time")
    simulator.stop()


main()
