#!/usr/bin/env python3
"""What deploy/ says, checked as far as it can be without a container engine: the compose files are
valid by the compose specification, name only what they declare, publish nothing beyond loopback, and
every setting and flag in them is one that the program has. What the container would do is done here:
its health check against a server that is well and one that is not, and the tokens of deploy/prepare.

    python3 tests/e2e/deploy.py target/release/cxledger

Wants PyYAML and compose-spec (tests/judges/requirements.txt).
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import compose_spec
import yaml

PROGRAM = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOY = os.path.join(ROOT, "deploy")
# Options of KurrentDB 24 and later, looked up in its documentation and its program.
KURRENTDB = {"KURRENTDB_" + option for option in (
    "ADVERTISE_HOST_TO_CLIENT_AS", "CERTIFICATE_FILE", "CERTIFICATE_PRIVATE_KEY_FILE", "CLUSTER_SIZE",
    "DEFAULT_ADMIN_PASSWORD", "DEFAULT_OPS_PASSWORD", "DISCOVER_VIA_DNS", "GOSSIP_SEED", "INSECURE",
    "NODE_HOST_ADVERTISE_AS", "NODE_IP", "REPLICATION_HOST_ADVERTISE_AS",
    "TRUSTED_ROOT_CERTIFICATES_PATH")}
LOOPBACK = ("127.0.0.1:", "[::1]:")
passed = 0


def check(what, condition, seen=""):
    global passed
    if not condition:
        print(f"FAILED: {what}\n{seen}", file=sys.stderr)
        sys.exit(1)
    passed += 1
    print(f"ok  {what}")


def read(name):
    with open(os.path.join(DEPLOY, name), encoding="utf-8") as file:
        return file.read()


def said(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=True).stdout


def filled_in(text):
    """With the variables of deploy/.env, as compose puts them in."""
    return re.sub(r"\$\{(\w+):[-?]([^}]*)\}", lambda m: m.group(2) if ":-" in m.group(0) else "x", text)


def compose(name, settings, flags):
    spec = yaml.safe_load(filled_in(read(name)))
    compose_spec.PyCompose.from_json(json.dumps(
        {key: value for key, value in spec.items() if not key.startswith("x-")})).validate()
    check(f"{name} is valid and names only what it declares", True)
    for service, says in spec["services"].items():
        check(f"{name}: {service} is cxledger or publishes nothing",
              service.startswith("cxledger") or "ports" not in says, says.get("ports"))
        for port in says.get("ports", []):
            check(f"{name}: {service} publishes on loopback only", str(port).startswith(LOOPBACK), port)
        for other, how in says.get("depends_on", {}).items():
            wanted = spec["services"][other]
            check(f"{name}: {service} waits for {other}",
                  how["condition"] != "service_healthy" or "healthcheck" in wanted, how)
        environment = says.get("environment", {})
        for variable in environment:
            known = variable in (settings if service.startswith("cxledger") else KURRENTDB)
            check(f"{name}: {service}: {variable} is a setting", known, sorted(settings))
        for secret in says.get("secrets", []):
            check(f"{name}: {service} is told where the secret {secret} is",
                  f"/run/secrets/{secret}" in environment.values(), environment)
        for flag in [word for word in says.get("command", []) if word.startswith("--")]:
            check(f"{name}: {service}: {flag} is a flag",
                  flag in flags or not service.startswith("cxledger"), flag)
        if service.startswith("cxledger"):
            addresses(name, service, environment, spec)
    nodes = [s for name, s in spec["services"].items() if name.startswith("cxledger")]
    keys = {volume for node in nodes for volume in node["volumes"] if ":/var/lib/cxledger-keys" in volume}
    data = [volume for node in nodes for volume in node["volumes"] if volume.endswith(":/var/lib/cxledger")]
    check(f"{name}: the nodes share their keys, and nothing else", len(keys) == 1
          and len(set(data)) == len(nodes), (keys, data))


def addresses(name, service, environment, spec):
    """The ledger's address names services, and the program takes it."""
    address = environment["CXLEDGER_LEDGER"]
    hosts = re.match(r"\w+://([^/?]+)", address).group(1).split(",")
    check(f"{name}: {service}: the ledger is at nodes that there are",
          all(host.split(":")[0] in spec["services"] for host in hosts), address)
    path = os.path.join(scratch, "nothing")
    done = subprocess.run([PROGRAM, "config", "--data", path, "--json"], capture_output=True, text=True,
                          env={**os.environ, "CXLEDGER_LEDGER": address})
    check(f"{name}: {service}: the program takes the address", done.returncode == 0, done.stderr)


def container(settings):
    text = read("Containerfile").replace("\\\n", " ")
    stages = re.findall(r"^FROM \S+", text, re.M)
    users = re.findall(r"^USER (\S+)", text, re.M)
    check("the container is built in one stage and runs in another", len(stages) == 2, stages)
    check("it does not run as root", users and not users[-1].startswith(("0", "root")), users)
    toolchain = re.search(r'channel = "(\d+\.\d+)', open(os.path.join(ROOT, "rust-toolchain.toml")).read())
    check("it is built with the pinned toolchain", f"rust:{toolchain.group(1)}-" in stages[0], stages)
    for variable in re.findall(r"^ENV (\w+)=", text, re.M):
        check(f"Containerfile: {variable} is a setting", variable in settings)
    health = json.loads(re.search(r"HEALTHCHECK.*?CMD (\[.*\])", text).group(1))
    check("its health check is that of a load balancer", "/health/ready" in health[-1], health)
    return health


class Server:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "serve", "--listen", "127.0.0.1:0", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if "Every view" in line:
                break
        self.address = re.search(r"http://(127\.0\.0\.1:\d+)", self.said).group(1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.stdout.read()
        return self.process.wait(60)


def prepared(health):
    folder = os.path.join(scratch, "deploy")
    first = subprocess.run([os.path.join(DEPLOY, "prepare"), folder], capture_output=True, text=True)
    check("deploy/prepare makes passwords and tokens", first.returncode == 0, first.stderr)
    again = subprocess.run([os.path.join(DEPLOY, "prepare"), folder], capture_output=True, text=True)
    check("and leaves those that are there", again.returncode == 0 and again.stdout == "", again.stdout)
    wanted = set(re.findall(r"\$\{(\w+):\?", read("compose.cluster.yaml")))
    env = os.path.join(folder, ".env")
    made = dict(line.strip().split("=", 1) for line in open(env))
    check("every variable that compose asks for is made", wanted <= set(made)
          and all(len(value) == 64 for value in made.values()) and os.stat(env).st_mode & 0o77 == 0)
    tokens = dict(re.findall(r"^  (\w+) ([0-9a-f]{64})$", first.stdout, re.M))
    server = Server("--data", os.path.join(scratch, "data"), "--tokens",
                    os.path.join(folder, "secrets", "tokens"))
    query = urllib.request.Request(f"http://{server.address}/graphql", b'{"query":"{ ledger { head } }"}',
                                   {"content-type": "application/json"})
    try:
        urllib.request.urlopen(query, timeout=10)
        check("nobody asks without a token", False)
    except urllib.error.HTTPError as refused:
        check("nobody asks without a token", refused.code == 401, refused)
    for role, token in tokens.items():
        query.add_header("authorization", f"Bearer {token}")
        with urllib.request.urlopen(query, timeout=10) as answer:
            check(f"the token of the {role} is taken", "errors" not in json.load(answer))
    asks = [part.replace("/8080", "/" + server.address.split(":")[1]) for part in health]
    check("the health check says that a server is well", subprocess.run(asks).returncode == 0)
    server.stop()
    check("and that one that is gone is not",
          subprocess.run(asks, stderr=subprocess.DEVNULL).returncode != 0)


scratch = tempfile.mkdtemp(prefix="cxledger-deploy-")
try:
    shown = json.loads(said("config", "--json", "--data", os.path.join(scratch, "nothing")))
    settings = {setting["variable"] for setting in shown["settings"]}
    flags = set(re.findall(r"--[a-z-]+", said("serve", "--help")))
    compose("compose.single.yaml", settings, flags)
    compose("compose.cluster.yaml", settings, flags)
    prepared(container(settings))
    print(f"{passed} passed, 0 failed")
finally:
    shutil.rmtree(scratch, ignore_errors=True)
