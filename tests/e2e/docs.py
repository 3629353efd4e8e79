#!/usr/bin/env python3
"""Runs the code blocks of the README and the pages as a reader would, in their order, in an empty
folder with the release binary. `sh` blocks are run line by line (a server in the background, one
for each data directory, stopped where a command or a comment wants it stopped), `graphql` blocks are sent to the server. `csv` and `toml` blocks of
docs/importing.md become the files its commands name; tools/src/import/tests/page.rs tests them all.
A
`toml` block that begins with a comment of a file's name becomes that file. `text` is drawn, not run. A block that is not run says why in a comment before it.

What a reader fills in is filled in here: `customer-…` is the customer of the demo's examples, 1200 a
position at which that customer had a history, 5f0c the id of the first row in quarantine.

    python3 tests/e2e/docs.py target/release/cxledger [PAGE ...]
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

PROGRAM = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.environ.get("CX_DATA", os.path.join(ROOT, "..", "shared", "data"))
NOT_RUN = re.compile(r"<!-- not run: \S.* -->")
STOPPED = re.compile(r"<!-- the server of (\S+) was stopped -->")
WANTS_NO_SERVER = re.compile(r"cxledger (import|erase|quarantine (mend|retake|drop))\b")


class Reader:
    """Someone who follows the pages in one folder."""

    def __init__(self, folder):
        self.folder, self.servers, self.addresses, self.said = folder, {}, {}, ""
        self.customer, self.position, self.data = None, "1200", "./cxledger-data"
        self.ran = 0
        os.mkdir(os.path.join(folder, "bin"))
        os.symlink(PROGRAM, os.path.join(folder, "bin", "cxledger"))
        os.symlink(os.path.join(ROOT, "tools"), os.path.join(folder, "tools"))
        os.symlink(os.path.join(DATA, "sfo"), os.path.join(folder, "sfo"))
        os.symlink(os.path.join(DATA, "sfo", "2017.csv.gz"), os.path.join(folder, "2017.csv.gz"))
        self.environment = {**os.environ, "PATH": os.path.join(folder, "bin") + ":" + os.environ["PATH"]}

    def fail(self, where, what, seen):
        print(f"FAILED: {where}: {what}\n{seen}", file=sys.stderr)
        self.stop()
        sys.exit(1)

    def stop(self, data=None):
        """Stops the server of a data directory, or all."""
        for served in [data] if data else list(self.servers):
            server = self.servers.pop(served)
            server.terminate()
            server.stdout.read()
            server.wait(60)

    def start(self, where, command):
        """A server, until it has said that it is ready."""
        found = re.search(r"--data (\S+)", command)
        self.data = found.group(1) if found else "./cxledger-data"
        if self.data in self.servers:
            self.stop(self.data)
        found = re.search(r" --listen (\S+)", command)
        listen = found.group(1) if found else "127.0.0.1:8080"
        found = re.search(r" --esdb (\S+)", command)
        store = found and found.group(1)
        command = re.sub(r" --listen \S+", "", self.filled_in(command)) + " --listen 127.0.0.1:0"
        command = re.sub(r" --esdb \S+", " --esdb 127.0.0.1:0", command)
        ready = "the next run goes on" if "demo" in command else "Every view has reached"
        command = re.sub(r"((?:\w+=\S+ )*)", r"\1exec ", command, count=1)
        server = subprocess.Popen(["bash", "-c", command], cwd=self.folder,
                                  env=self.environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        self.servers[self.data] = server
        self.said = ""
        for line in server.stdout:
            self.said += line
            found = re.search(r"http://(127\.0\.0\.1:\d+)", line)
            if found:
                self.addresses[listen] = found.group(1)
            found = re.search(r"event store at esdb://(127\.0\.0\.1:\d+)", line)
            if found:
                self.addresses[store] = found.group(1)
            known = re.search(r"customer-[0-9a-f-]{36}", line)
            self.customer = known.group(0) if known else self.customer
            if ready in line:
                return
        self.fail(where, command, self.said)

    def filled_in(self, text):
        for written, taken in self.addresses.items():
            text = text.replace(written, taken)
        if self.customer and "customer-…" in text:
            text = text.replace("customer-…", self.customer)
        return re.sub(r"\b1200\b", self.position, text)

    def command(self, where, command):
        command = command.replace("cargo run --release -- ", "cxledger ")
        if re.match(r"(\w+=\S+ )*cxledger (demo|serve)\b", command):
            self.start(where, command)
            if re.search(r"cxledger demo\b", command):
                self.look_around(where)
            return
        if WANTS_NO_SERVER.match(command):
            self.stop()
        if "5f0c" in command:
            rows = json.loads(self.run(where, "cxledger quarantine list --json"))
            command = command.replace("5f0c", rows[0]["id"][:8])
        command = self.filled_in(command)
        stream = "text/event-stream" in command
        said = self.run(where, "timeout 3 " + command if stream else command, {0, 124} if stream else {0})
        if stream and "event:" not in said:
            self.fail(where, command, said)
        if command.startswith("curl") and not stream and '"errors"' in said:
            self.fail(where, command, said)
        print(f"ok  {where}: {command[:90]}")

    def run(self, where, command, codes=frozenset({0})):
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, timeout=300)
        if done.returncode not in codes:
            self.fail(where, command, done.stdout + done.stderr)
        self.ran += 1
        return done.stdout

    def look_around(self, where):
        """A position at which the example's customer had a history."""
        whole = json.loads(self.run(where, f"cxledger replay {self.customer} --data {self.data} --json"))
        self.position = whole["events"][min(2, len(whole["events"]) - 1)]["position"]

    def graphql(self, where, document):
        body = json.dumps({"query": self.filled_in(document)}).encode()
        address = self.addresses["127.0.0.1:8080"]
        request = urllib.request.Request(f"http://{address}/graphql", body, {
            "content-type": "application/json", "accept": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.load(answer)
        refused = [field["errors"] for field in said.get("data", {}).values()
                   if isinstance(field, dict) and field.get("errors")]
        if said.get("errors") or refused:
            self.fail(where, document, said)
        self.ran += 1
        print(f"ok  {where}: {' '.join(document.split())[:90]}")


def commands(block):
    """The commands of a block: a line each, unless a quote or a backslash goes on."""
    command = ""
    for line in block.splitlines():
        command += ("\n" if command else "") + line
        if not line.endswith("\\") and command.count("'") % 2 == 0:
            if command.strip():
                yield command.strip()
            command = ""


def blocks(path):
    """Where, language, text, and the line before it."""
    language, text, before, begun = None, [], "", 0
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        fence = line.startswith("```")
        if fence and language is None:
            language, text, begun = line[3:].strip(), [], number
        elif fence:
            yield begun, language, "".join(text), before
            language, before = None, ""
        elif language is not None:
            text.append(line)
        else:
            before = line

def follow(reader, page):
    files = {"csv": iter(["sales.csv"]), "toml": iter(["sales.toml"])} \
        if page.endswith("importing.md") else {}
    for line, language, text, before in blocks(os.path.join(ROOT, page)):
        where = f"{page}:{line}"
        if language == "text" or NOT_RUN.match(before):
            continue
        stopped = STOPPED.match(before)
        if stopped:
            reader.stop(stopped.group(1))
        named = re.match(r"# (\S+\.toml)\n", text)
        if language == "toml" and named:
            path = os.path.join(reader.folder, named.group(1))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(reader.filled_in(text))
            continue
        if language == "sh":
            for command in commands(text):
                reader.command(where, command)
        elif language == "graphql":
            reader.graphql(where, text)
        elif language in ("csv", "toml") and page.endswith("importing.md"):
            name = next(files[language], None)
            if name:
                with open(os.path.join(reader.folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
        else:
            reader.fail(where, f"a block of `{language}` is neither run nor says why not", text)


if not os.path.isdir(DATA):
    print(f"the data folder {DATA} is missing", file=sys.stderr)
    sys.exit(1 if os.environ.get("CX_DATA_REQUIRED") == "1" else 0)
pages = sys.argv[2:] or ["README.md", "ARCHITECTURE.md"] + sorted(
    os.path.relpath(page, ROOT) for page in glob.glob(os.path.join(ROOT, "docs", "*.md")))
ran = 0
for page in pages:
    folder = tempfile.mkdtemp(prefix="cxledger-docs-")
    reader = Reader(folder)
    try:
        follow(reader, page)
    finally:
        reader.stop()
        shutil.rmtree(folder, ignore_errors=True)
    ran += reader.ran
print(f"{ran} commands and documents of {len(pages)} pages ran")
