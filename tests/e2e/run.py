#!/usr/bin/env python3
"""The system as a new user meets it: the demo and its own five examples, the airport files from
import to figure, an auditor's commands, an erasure, and a crash. Uses the release binary.

    python3 tests/e2e/run.py target/release/cxledger
    CX_LEDGER=esdb python3 tests/e2e/run.py target/release/cxledger

The second runs the same with every ledger on an event store: `cxledger serve --esdb` over a fresh
directory, reached through CXLEDGER_LEDGER. What is about the files of the embedded log is asked of
the event store's own directory there; `on_this_machine` names each such check and why.
"""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

PROGRAM = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.environ.get("CX_DATA", os.path.join(ROOT, "..", "shared", "data"))
ELSEWHERE = os.environ.get("CX_LEDGER", "") == "esdb"
passed = 0


def check(what, condition, seen=""):
    global passed
    if not condition:
        print(f"FAILED: {what}\n{seen}", file=sys.stderr)
        sys.exit(1)
    passed += 1
    print(f"ok  {what}")


class Server:
    """A server that was started by this script, until it is stopped."""

    started = []

    def __init__(self, *arguments, log="warn", **variables):
        self.process = subprocess.Popen([PROGRAM, *arguments, "--listen", "127.0.0.1:0"],
                                        env={**ledger_of(arguments), "CXLEDGER_LOG": log, **variables},
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        Server.started.append(self.process)
        self.said = ""
        self.address = None

    def until(self, mark):
        for line in self.process.stdout:
            self.said += line
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            self.address = self.address or (found and found.group(0))
            if mark in line:
                return self
        check(f"the server says {mark!r}", False, self.said)

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.address + "/graphql", body, {
            "content-type": "application/json", "accept": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.stdout.read()
        return self.process.wait(60)


class EventStore:
    """An event store for the ledger of one data directory, on a free port."""

    of = {}

    def __init__(self, data):
        self.directory = data + "-event-store"
        self.server = Server("serve", "--data", self.directory, "--esdb", "127.0.0.1:0",
                             CXLEDGER_LEDGER="").until("Every view")
        self.address = re.search(r"event store at (esdb://\S+)", self.server.said).group(1)


def ledger_of(arguments):
    """The environment of a command: where the ledger of its data directory is."""
    data = arguments[arguments.index("--data") + 1] if "--data" in arguments else None
    store = EventStore.of.get(data)
    return {**os.environ, "CXLEDGER_LEDGER": store.address} if store else dict(os.environ)


def place(folder, name):
    """A data directory; its ledger is on a fresh event store where the script is run over one."""
    data = os.path.join(folder, name)
    if ELSEWHERE:
        EventStore.of[data] = EventStore(data)
    return data


def log_of(data):
    """The directory that holds the log of a data directory's ledger."""
    store = EventStore.of.get(data)
    return store.directory if store else data


def on_this_machine(what, why):
    """Whether a check that is about the embedded log's own files is made here."""
    if ELSEWHERE:
        print(f"--  {what}: {why}")
    return not ELSEWHERE


def example(command, data):
    """Runs a command that the demo printed."""
    return subprocess.run(shlex.split(command), capture_output=True, text=True,
                          env=ledger_of(["--data", data]))


def run(*arguments, fails=False):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                          env=ledger_of(arguments))
    check("cxledger " + " ".join(arguments[:1]), (done.returncode != 0) == fails,
          done.stdout + done.stderr)
    return done.stdout if not fails else done.stderr


def demo(folder):
    data = place(folder, "demo")
    server = Server("demo", "--customers", "150", "--data", data).until("the next run goes on")
    examples = [line.strip() for line in server.said.splitlines()
                if line.startswith("   ") and line.strip()]
    check("the demo prints five things to try", len(examples) == 5, server.said)
    page, nps, timeline, watch, replay = examples
    with urllib.request.urlopen(page, timeout=10) as answer:
        html = answer.read().decode()
        check("1. the page is there and reaches no other host",
              "timeline" in html and not re.search(r"(src|href)=.?https?://", html))
    answer = json.loads(example(nps, data).stdout)
    months = answer["data"]["satisfaction"]
    check("2. the NPS is there for each month", len(months) == 12 and all(
        m["n"] > 0 and -100 <= m["interval"]["low"] < m["interval"]["high"] <= 100 for m in months),
        answer)
    answer = json.loads(example(timeline, data).stdout)
    nodes = answer["data"]["timeline"]["nodes"]
    check("3. a timeline in the order it happened", len(nodes) > 1 and
          [n["occurredAt"] for n in nodes] == sorted(n["occurredAt"] for n in nodes), answer)
    stream = example(f"timeout 5 {watch}", data)
    check("4. a stream of events", "event: next" in stream.stdout and "timeline" in stream.stdout,
          stream.stdout)
    done = example(replay, data)
    check("5. a replay beside the running server", "CustomerRegistered" in done.stdout,
          done.stdout + done.stderr)
    customer = re.search(r"customer-[0-9a-f-]{36}", timeline).group(0)
    head = server.ask("{ ledger { head } }")["data"]["ledger"]["head"]
    status = server.ask("{ projectionStatus { name state eventsBehind stalledAt } }")["data"]
    check("no view stalls", all(not v["stalledAt"] for v in status["projectionStatus"]), status)
    rows = os.path.join(folder, "purchases.txt")
    with open(rows, "w", encoding="utf-8") as file:
        file.write("customer_id date number_of_cds dollar_value\n00001 19970101 1 11.77\n")
    quiet = run("import", rows, "--mapping", "purchases", "--data", data, fails=True)
    check("a second writer is told what to do", "stop it" in quiet, quiet)
    quiet = run("import", rows, "nowhere.csv", "--mapping", "purchases", "--data", data, fails=True)
    check("a file that is missing is said before one is taken", "nowhere.csv" in quiet
          and "nothing was imported" in quiet, quiet)
    counts = json.loads(run("status", "--data", data, "--json"))
    check("status counts what is there", counts["customers"] == 150 and counts["events"] > 150
          and counts["bytesOnDisk"] > counts["ledgerBytes"] >= 0, counts)
    if on_this_machine("status counts streams and bytes of the log", "an event store tells neither"):
        check("status counts streams and bytes of the log",
              counts["streams"] > 150 and counts["ledgerBytes"] > 0, counts)
    whole = json.loads(run("explain", "timeline", customer, "--data", data, "--json"))
    check("a timeline is explained without naming a page", whole["key"].startswith(customer + "/"),
          whole)
    reasons = json.loads(run("explain", "customer", customer, "--data", data, "--json"))
    check("a row is explained by its events", reasons["reasons"] and
          reasons["reasons"][0]["before"] is None, reasons)
    as_it_stood(server, data, head)
    pipe = subprocess.run(["bash", "-o", "pipefail", "-c",
                           f"{shlex.quote(PROGRAM)} replay {customer} --json --data {shlex.quote(data)}"
                           " | head -1"], capture_output=True, text=True,
                          env=ledger_of(["--data", data]))
    check("a reader that goes away ends a command quietly", pipe.returncode in (0, 141)
          and pipe.stderr == "", pipe)
    late = run("replay", customer, "--as-of", str(int(head) * 9), "--data", data, fails=True)
    check("a position beyond the end is refused with where the end is",
          "its last event is at position" in late, late)
    early = run("replay", customer, "--as-of", "2001-01-01T00:00:00Z", "--data", data, fails=True)
    check("a time before the first event is explained", "first event was recorded at" in early, early)
    wide = run("replay", customer, "--data", data)
    check("a replay fits a page", max(map(len, wide.splitlines())) <= 100, wide)
    check("the server ends in order", server.stop() == 0)
    warmed(data)
    verdict = json.loads(run("verify", "--data", data, "--json"))
    check("every view agrees with a fresh fold", all(v["agrees"] for v in verdict["views"])
          and len(verdict["views"]) >= 8, verdict)

    other = run("demo", "--customers", "200", "--data", data, "--listen", "127.0.0.1:0", fails=True)
    check("another year is not told into this one", "--customers 150 --seed 1" in other, other)
    server = Server("demo", "--customers", "150", "--data", data).until("the next run goes on")
    check("a second run goes on from there", "already" in server.said, server.said)
    again = server.ask("{ ledger { head } }")["data"]["ledger"]["head"]
    check("nothing was lost and nothing told twice", int(again) >= int(head), (head, again))
    server.stop(signal.SIGKILL)
    server = Server("serve", "--data", data).until("serves")
    last = server.ask("{ ledger { head writable } }")["data"]["ledger"]
    check("after a kill every acknowledged event is there", int(last["head"]) >= int(again)
          and last["writable"], last)
    server.stop()
    whole = json.loads(run("replay", customer, "--data", data, "--json"))["events"]
    third = whole[2]["position"]
    past = json.loads(run("replay", customer, "--data", data, "--as-of", third, "--json"))
    check("a history as it stood", past["events"] == whole[:3], past)
    shutil.copytree(os.path.join(data, "keys"), os.path.join(folder, "old-keys"))
    run("erase", customer, "--data", data, "--yes")
    after = run("replay", customer, "--data", data)
    check("an erased customer reads ERASED", "ERASED" in after, after)
    verdict = json.loads(run("verify", "--data", data, "--json"))
    check("roots and digests verify after an erasure", all(v["agrees"] for v in verdict["views"]))
    if not on_this_machine("backup of the data directory", "the log is the event store's, whose own "
                           "directory is backed up instead"):
        told = run("backup", "--data", data, os.path.join(folder, "none"), fails=True)
        check("a node says how its ledger is backed up", "cxledger copy --from" in told, told)
    run("backup", "--data", log_of(data), os.path.join(folder, "backup"))
    restored(folder, data, customer)
    server = Server("demo", "--customers", "150", "--data", data).until("the next run goes on")
    check("the examples show somebody who is known", customer not in server.said, server.said)
    server.stop()


def as_it_stood(server, data, head):
    """Figures over all customers at an earlier position, beside the running server."""
    at = str(int(head) // 2)
    query = ("query($at: Position!) { satisfaction(filter: {metric: NPS}, asOf: {position: $at})"
             " { n asOf evidence(first: 1) { edges { node { event { position } } } } }"
             " openCases(first: 1, asOf: {position: $at}) { asOf } }")
    refused = server.ask(query, at=at)
    check("without a side generation the field says how to make one",
          f"cxledger past --at {at}" in refused["errors"][0]["message"], refused)
    now = server.ask("{ satisfaction(filter: {metric: NPS}) { n } }")["data"]["satisfaction"][0]["n"]
    run("past", "--at", at, "--data", data)
    past = server.ask(query, at=at)
    figure = past.get("data", {}).get("satisfaction", [{}])[0]
    check("then the figure is answered as it stood", "errors" not in past and figure["asOf"] == at
          and 0 < figure["n"] < now and past["data"]["openCases"]["asOf"] == at, (past, now))
    check("what is kept is listed", at in run("past", "--data", data))


def warmed(data):
    """A generation that is missing, as for a new program, is made before the server starts."""
    view = os.path.join(data, "views", "interaction_counts")
    for name in os.listdir(view):
        if os.path.isdir(os.path.join(view, name)):
            shutil.rmtree(os.path.join(view, name))
    made = run("warm", "--data", data)
    check("the missing generation is made", "made up to" in made and "interaction_counts" in made, made)
    check("nothing is left to make", "nothing to make" in run("warm", "--data", data))


def restored(folder, data, customer):
    """A ledger restored beside keys that are older than an erasure: the erasure is repeated."""
    new = os.path.join(folder, "restored")
    log = new + "-event-store" if ELSEWHERE else new
    run("restore", os.path.join(folder, "backup"), "--data", log)
    if ELSEWHERE:
        shutil.copytree(os.path.join(log_of(data), "keys"), os.path.join(log, "keys"))
        place(folder, "restored")
    shutil.copytree(os.path.join(folder, "old-keys"), os.path.join(new, "keys"))
    refused = run("replay", customer, "--data", new, fails=True)
    check("a restored ledger is not read before its erasures are repeated", "restored" in refused, refused)
    server = Server("serve", "--data", new, log="debug").until("serves")
    server.stop()
    check("the log has no colours where nobody sees them", "DEBUG" in server.said
          and "\x1b[" not in server.said, server.said)
    check("the erasure is repeated", "1 key destroyed" in server.said, server.said)
    check("and the customer reads ERASED", "ERASED" in run("replay", customer, "--data", new))


def airport(folder):
    if not os.path.isdir(DATA):
        print(f"the data folder {DATA} is missing", file=sys.stderr)
        sys.exit(1 if os.environ.get("CX_DATA_REQUIRED") == "1" else 0)
    data = place(folder, "airport")
    name = os.path.join(DATA, "sfo", "2017.csv.gz")
    nomap = run("import", name, "--mapping", "nomap", "--data", data, fails=True)
    check("a mapping that is not there is answered with those that are", "airport-2017" in nomap
          and "os error" not in nomap, nomap)
    first = json.loads(run("import", name, "--mapping", "airport-2017", "--data", data, "--json"))
    second = json.loads(run("import", name, "--mapping", "airport-2017", "--data", data, "--json"))
    total = lambda summary: summary[0]
    check("the summary adds up", total(first)["read"] == total(first)["taken"]
          + total(first)["repeated"] + total(first)["quarantined"], first)
    check("importing twice adds nothing", total(second)["taken"] == 0, second)
    server = Server("serve", "--data", data).until("serves")
    head = server.ask("{ ledger { head } }")["data"]["ledger"]["head"]
    request = urllib.request.Request(server.address + "/graphql", json.dumps({"query": """{
        satisfaction(filter: {metric: NPS}, interval: WALD) { value interval { low high } n missing
          nps { promoters passives detractors }
          evidence(first: 5) { edges { node { event { type body } } } pageInfo { hasNextPage } } }
        adjusted: satisfaction(filter: {metric: NPS}) { interval { low high } }
        weighted: satisfaction(filter: {metric: NPS}, weighted: true) { value effectiveN }
        whole: satisfaction(filter: {metric: CSAT}, by: [QUESTION]) {
          group { question } value interval { low high } n } }"""}).encode(),
        {"content-type": "application/json", "cx-at-least": head})
    # The views catch up after a start: STALE says so after a second, and asking again is the answer.
    for _ in range(60):
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        if set(codes) != {"STALE"}:
            break
    check("no errors", "errors" not in answer, answer)
    nps = answer["data"]["satisfaction"][0]
    near = lambda a, b, digits: abs(a - b) <= 0.5 * 10 ** -digits * 1.02
    half = (nps["interval"]["high"] - nps["interval"]["low"]) / 2
    check("NPS 2017 is 39.8398 of 2,746, Wald ± 2.6149", near(nps["value"], 39.8398, 4)
          and nps["n"] == 2746 and nps["missing"] == 85 and near(half, 2.6149, 4), nps)
    check("promoters, passives, detractors", nps["nps"] ==
          {"promoters": 1436, "passives": 968, "detractors": 342}, nps)
    low, high = (answer["data"]["adjusted"][0]["interval"][end] for end in ("low", "high"))
    check("adjusted Wald 39.796 ± 2.614", near((low + high) / 2, 39.796, 3)
          and near((high - low) / 2, 2.614, 3), (low, high))
    weighted = answer["data"]["weighted"][0]
    check("weighted 40.398, effective n 2,266.5", near(weighted["value"], 40.398, 3)
          and near(weighted["effectiveN"], 2266.5, 1), weighted)
    whole = [f for f in answer["data"]["whole"] if f["n"] == 2688]
    check("CSAT of the whole airport .8207 [.8057, .8347]", any(near(f["value"], 0.8207, 4)
          and near(f["interval"]["low"], 0.8057, 4) and near(f["interval"]["high"], 0.8347, 4)
          for f in whole), answer["data"]["whole"])
    evidence = nps["evidence"]
    check("the responses behind it are listed", len(evidence["edges"]) == 5
          and evidence["pageInfo"]["hasNextPage"]
          and all(e["node"]["event"]["type"] == "ResponseSubmitted" for e in evidence["edges"]),
          evidence)
    server.stop()


def judges(folder):
    server = Server("serve", "--data", place(folder, "judged")).until("serves")
    done = subprocess.run([os.path.join(ROOT, "tests", "judges", "run"), server.address], timeout=120)
    check("clients that are not ours are content", done.returncode == 0)
    server.stop()
    if not on_this_machine("clients of an event store", "they ask the embedded ledger's endpoint, "
                           "which every check here passes through"):
        return
    script = os.path.join(ROOT, "tests", "judges", "esdb", "run.py")
    done = subprocess.run([sys.executable, script, PROGRAM], timeout=300)
    check("clients of an event store that are not ours are content", done.returncode == 0)


folder = tempfile.mkdtemp(prefix="cxledger-e2e-")
try:
    demo(folder)
    airport(folder)
    if os.environ.get("CX_JUDGES") == "1":
        judges(folder)
    print(f"{passed} passed, 0 failed")
finally:
    for process in Server.started:
        if process.poll() is None:
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)
