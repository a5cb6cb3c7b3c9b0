"""Runs the quick starts of the simulator's README as they are printed there, with one line for each.

Only the port is replaced, by that of the org at `ORG_URL`.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(os.environ["HERE"])
TOOLS = Path(os.environ["TOOLS"])
TARGET = Path(os.environ["TARGET"])
PORT = os.environ["ORG_URL"].rsplit(":", 1)[1]
# An account of the org's data, which every quick start prints.
ACCOUNT = "Fjordglass Optics"
# The account as a row of the CLI's table, whose borders depend on the environment; curl's JSON, printed before it, has quotes.
ROW = rf"(?m)^[│\s]*{ACCOUNT}[│\s]*$"
PRINTED_PORT = "8590"


def quick_starts():
    """Returns the code of each client by the language of its block; the blocks of a language are joined."""
    text = (HERE / "../org-simulator/README.md").read_text()
    section = text.split("## First requests of common clients\n")[1].split("\n## ")[0]
    blocks = {}
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        blocks.setdefault(language, []).append(code.replace(PRINTED_PORT, PORT))
    return blocks


def commands(code):
    """Returns the commands of a console block, without the prompts."""
    return "".join(line.removeprefix("$ ") + "\n" for line in code.splitlines())


def run(program, *, check, **environment):
    with tempfile.TemporaryDirectory() as home:
        # The Salesforce CLI stores its logins in the home folder.
        settings = {"HOME": home, "SF_AUTOUPDATE_DISABLE": "true", "SF_DISABLE_TELEMETRY": "true",
                    "SF_SKIP_NEW_VERSION_CHECK": "true", "SF_USE_GENERIC_UNIX_KEYCHAIN": "true"}
        done = subprocess.run(program, cwd=home, env=os.environ | settings | environment, capture_output=True, text=True)
    if done.returncode or not re.search(check, done.stdout):
        raise AssertionError(f"exit code {done.returncode}, output {done.stdout[-600:]!r} {done.stderr[-600:]!r}")
    return done.stdout


def rust(code, token):
    """Runs a program with the dependencies of the checks of cirrus."""
    crate = TOOLS / "quick-start"
    (crate / "src").mkdir(parents=True, exist_ok=True)
    (crate / "src/main.rs").write_text(code)
    for name in ["Cargo.toml", "Cargo.lock"]:
        text = (HERE / "cirrus-checks" / name).read_text()
        (crate / name).write_text(text.replace('name = "cirrus-checks"', 'name = "quick-start"'))
    cargo = ["cargo", "build", "--quiet", "--locked", "--manifest-path", str(crate / "Cargo.toml")]
    built = subprocess.run(cargo, env=os.environ | {"CARGO_TARGET_DIR": str(TARGET)}, capture_output=True, text=True)
    if built.returncode:
        raise AssertionError(built.stderr[-900:])
    run([str(TARGET / "debug/quick-start")], check=ACCOUNT, TOKEN=token)


def main():
    blocks = quick_starts()
    curl, sf = map(commands, blocks["console"])
    token = run(["bash", "-ec", f"{curl}\nprintf '\\n%s\\n' \"$TOKEN\""], check=ACCOUNT).splitlines()[-1]
    modules = TOOLS / "node/quick-start.mjs"
    sf_path = f"{TOOLS}/node/node_modules/.bin:{os.environ['PATH']}"

    def javascript():
        modules.write_text(blocks["js"][0])
        run(["node", str(modules)], check=ACCOUNT, TOKEN=token)

    checks = {
        "curl": lambda: run(["bash", "-ec", curl], check=ACCOUNT),
        "the Salesforce CLI": lambda: run(["bash", "-ec", curl + sf], check=ROW, PATH=sf_path),
        "jsforce": javascript,
        "simple-salesforce": lambda: run(["python3", "-c", blocks["python"][0]], check=ACCOUNT, TOKEN=token),
        "cirrus": lambda: rust(blocks["rust"][0], token),
    }
    for name, check in checks.items():
        try:
            check()
            print(f"passed  quick start: {name}", flush=True)
        except Exception as error:
            print(f"FAILED  quick start: {name}: {str(error).replace(chr(10), ' ')[:900]}", flush=True)
    print("end of checks")


main()
