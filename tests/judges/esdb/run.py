#!/usr/bin/env python3
"""Official clients of KurrentDB and EventStoreDB, unmodified, against a server of ours over TLS,
before, during and after a restart of it.

    PYTHON=target/judges-python/bin/python tests/judges/esdb/run.py target/release/cxledger

The Python clients run where PYTHON names an interpreter with requirements.txt installed, the Node
clients where `npm ci` was run beside package.json.
"""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.abspath(sys.argv[1])
ONLY = sys.argv[2:]
PASSWORD = "for-judges-only"
folder = tempfile.mkdtemp(prefix="cxledger-esdb-")
place = lambda name: os.path.join(folder, name)


def certificates():
    """An authority and a certificate of its for this machine: some clients take no other kind."""
    openssl = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True)
    with open(place("names"), "w", encoding="utf-8") as names:
        names.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=judges",
            "-keyout", place("ca-key.pem"), "-out", place("ca.pem"))
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-keyout", place("key.pem"), "-out", place("request.pem"))
    openssl("x509", "-req", "-in", place("request.pem"), "-CA", place("ca.pem"),
            "-CAkey", place("ca-key.pem"), "-CAcreateserial", "-days", "2",
            "-extfile", place("names"), "-out", place("cert.pem"))


def start(address):
    arguments = ["serve", "--data", place("data"), "--listen", "127.0.0.1:0", "--esdb", address,
                 "--esdb-cert", place("cert.pem"), "--esdb-key", place("key.pem"),
                 "--tokens", place("tokens")]
    process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(r"event store at esdb://(127\.0\.0\.1:\d+)", line)
        if found:
            return process, found.group(1)
    sys.exit(f"the server does not start:\n{said}")


def clients():
    python = os.environ.get("PYTHON")
    if python:
        for package in ("kurrentdbclient", "esdbclient"):
            yield package, [python, os.path.join(HERE, "judge.py"), package]
    for package in ("@kurrent/kurrentdb-client", "@eventstore/db-client"):
        yield package, ["node", os.path.join(HERE, "judge.mjs"), package]


def commands(when, address):
    port = address.split(":")[1]
    for number, (package, command) in enumerate(clients()):
        if not ONLY or package in ONLY:
            yield [*command, f"localhost:{port}", place("ca.pem"), PASSWORD, when,
                   place(f"state-{number}")]


def judge(when, address):
    for command in commands(when, address):
        subprocess.run(command, check=True, timeout=120)


def judge_stalled(server, address):
    """Memory is looked at where the system tells of it."""
    python = os.environ.get("PYTHON")
    if python and os.path.exists("/proc/self/status"):
        script = os.path.join(HERE, "stalled.py")
        subprocess.run([python, script, f"localhost:{address.split(':')[1]}", place("ca.pem"),
                        PASSWORD, str(server.pid)], check=True, timeout=120)


def judge_the_end(server, address):
    """All clients subscribe, and the server ends while they do."""
    subscribed = []
    try:
        for command in commands("during", address):
            subscribed.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            if subscribed[-1].stdout.readline().strip() != "subscribed":
                sys.exit(f"{command[2]}: does not subscribe")
        server.send_signal(signal.SIGTERM)
        server.stdout.read()
        if server.wait(60) != 0:
            sys.exit("the server does not end in order")
        for client in subscribed:
            said, _ = client.communicate(timeout=60)
            if client.returncode != 0:
                raise subprocess.CalledProcessError(client.returncode, client.args, said)
            print(said.strip())
    finally:
        for client in subscribed:
            if client.poll() is None:
                client.kill()


process = None
try:
    certificates()
    with open(place("tokens"), "w", encoding="utf-8") as tokens:
        tokens.write(f"operator {hashlib.sha256(PASSWORD.encode()).hexdigest()} admin\n")
    process, address = start("127.0.0.1:0")
    judge("before", address)
    judge_the_end(process, address)
    process, address = start(address)
    judge("after", address)
    judge_stalled(process, address)
    print("clients of the event store: ok")
except subprocess.CalledProcessError as error:
    sys.exit(f"{error.cmd[0]} {error.cmd[2]}: not content")
finally:
    if process and process.poll() is None:
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)
