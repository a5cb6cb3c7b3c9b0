"""Runs docs/platform-guide.md over a stack that is running, as its reader does.

    python3 guide.py GUIDE FOLDER API_PORT ORG_PORT AWS_PORT

Runs each `console` block in one shell, in the order of the page, and writes each other block below a line with a file's name into
that file. A comment `<!-- browser: $LINK USERNAME -->` stands for what the reader does in the browser. A `json` block has to have
the members of the response before it, and a `text` block the words of the output. Only the ports and the folder are replaced.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import browser

PRINTED = {"folder": "../ferry-guide", "api": "8580", "org": "8590", "aws": "8570"}
# The reader has started the stack, and installs nothing by `cargo dev`.
SKIPPED = {"cargo dev"}
# The programs that run until they are stopped; each prints this line once it has begun.
ENDLESS = ("consumer.py", "receiver.py")
BEGUN = "waiting for events"
# The end of a command that shows a refusal.
REFUSED = "# refused"
TIMEOUT = 180
PART = re.compile(r"^<!-- browser: \$(\w+) (\S+) -->$|^(?:`([\w.-]+)`:\n\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Shell:
    """A shell that keeps its variables from block to block."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            ["bash"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.run("set -o pipefail")

    def run(self, code):
        """Returns the output. Fails with it if a command fails."""
        self.process.stdin.write(f"{{ set -e\n{code}\nset +e\n}} </dev/null\nprintf '\\n--end--\\n'\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == "--end--\n":
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"a command failed:\n{code}\n{''.join(lines)}")


def commands(code):
    return "".join(f"{line.removeprefix('$ ')}\n" for line in code.splitlines())


def last_json(output):
    """Returns the last JSON value that a line of the output begins with."""
    values = []
    for line in output.splitlines():
        if line.startswith("{"):
            values.append(json.JSONDecoder().raw_decode(line)[0])
    return values[-1]


def compare(printed, actual, place="response"):
    """Checks that the response has the members that the page prints, with values of the same types."""
    if isinstance(printed, dict):
        assert set(printed) == set(actual), f"{place}: the page has {sorted(printed)}, the response {sorted(actual)}"
        for name, value in printed.items():
            compare(value, actual[name], f"{place}.{name}")
    elif isinstance(printed, list):
        assert bool(printed) == bool(actual), f"{place}: the page has {printed}, the response {actual}"
        for value, other in zip(printed, actual):
            compare(value, other, f"{place}[]")
    else:
        assert type(printed) is type(actual), f"{place}: the page has {printed!r}, the response {actual!r}"


def shape(text):
    """Returns the words of a line without ids."""
    return re.sub(r"\b[0-9a-zA-Z]{18}\b", "ID", text).strip()


class Program:
    """An endless program and what it has printed."""

    def __init__(self, command, folder, environment, log):
        self.log = Path(log)
        with self.log.open("w") as output:
            self.process = subprocess.Popen(command, shell=True, cwd=folder, env=os.environ | environment, stdout=output,
                                            stderr=subprocess.STDOUT, start_new_session=True)

    def stop(self):
        """Stops the shell of the program and the program."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()

    def wait_for(self, line):
        deadline = time.monotonic() + TIMEOUT
        while line not in map(shape, self.log.read_text().splitlines()):
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.2)


def main(guide, folder, *ports):
    text = Path(guide).read_text()
    for name, port in zip(("api", "org", "aws"), ports):
        text = text.replace(PRINTED[name], port)
    text = text.replace(PRINTED["folder"], folder)
    text = text.replace("cargo dev token --tenant acme", f"cargo dev token --tenant acme --port {ports[0]}")
    shell, programs, output = Shell(Path(guide).parent.parent), [], ""
    try:
        for link, username, file, language, code in PART.findall(text):
            section = text[: text.find(code or username)].rsplit("\n## ", 1)[-1].split("\n")[0]
            if link:
                browser.consent(shell.run(f"printf '%s' \"${link}\"").strip(), username)
            elif file:
                (Path(folder) / file).write_text(code)
            elif language == "json":
                compare(json.loads(code), last_json(output))
            elif language == "text":
                programs[-1].wait_for(shape(code))
            elif language == "console" and commands(code).strip() not in SKIPPED:
                print(f"{section}: {commands(code).splitlines()[0]}", flush=True)
                if code.strip().endswith(ENDLESS):
                    exported = shell.run("env | grep -E '^(AWS_|SECRET=)'").split()
                    environment = dict(line.split("=", 1) for line in exported)
                    log = Path(folder) / f"program-{len(programs)}.log"
                    programs.append(Program(commands(code), folder, environment, log))
                    programs[-1].wait_for(BEGUN)
                else:
                    output = shell.run(commands(code))
                    is_problem = '"type":"urn:ferry:problem:' in output or '"success":false' in output
                    assert is_problem == (REFUSED in code), output
    finally:
        for program in programs:
            program.stop()
    print("the guide works")


if __name__ == "__main__":
    main(*sys.argv[1:])
