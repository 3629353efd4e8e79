"""CloudEvents by the official SDK of PyPI, unmodified: structured, binary, batch by hand."""

import json
import os
import sys
import time
import urllib.request

from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
DATA = json.loads(os.environ.get("CX_EVENT_DATA", '{"kind":"person","name":"Judge"}'))


def make(number, event_type="cx.CustomerRegistered"):
    attributes = {
        "id": f"pypi-{time.time_ns()}-{number}",
        "source": "/judges/pypi",
        "type": event_type,
        "subject": "crm:judge-2",
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, DATA)


def post(headers, body):
    request = urllib.request.Request(f"{BASE}/events", data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def outcomes(answer):
    return [item["outcome"] for item in answer["items"]]


one = make(1)
headers, body = to_structured(one)
assert outcomes(post(headers, body)) == ["taken"]
headers, body = to_binary(one)
assert outcomes(post(headers, body)) == ["repeated"]
structured = [json.loads(to_structured(e)[1]) for e in (one, make(2), make(3, "cx.NoSuchEvent"))]
answer = post(
    {"content-type": "application/cloudevents-batch+json"}, json.dumps(structured).encode()
)
assert outcomes(answer) == ["repeated", "taken", "quarantined"], answer
print("cloudevents (PyPI): ok")
