"""Reads whose clients take nothing: what they make the server hold together has an end.

    stalled.py HOST:PORT CERTIFICATE PASSWORD PROCESS

A client of its own, below the packages: each of these reads for its caller and would take it all.
"""
import base64
import re
import sys
import time

import grpc
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState

target, certificate, password, process = sys.argv[1:5]
MEBIBYTE = 1 << 20
READS, EVENTS = 300, 64
# Pages have 256 MiB together (docs/event-store.md); the rest is what 300 connections take.
MOST = 384
with open(certificate, "rb") as file:
    root = file.read()


def peak():
    """The most memory that the server ever had, in MiB."""
    with open(f"/proc/{process}/status", encoding="utf-8") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) >> 10


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


def stalled():
    """A read of everything on a connection of its own, of which nothing is taken."""
    # All from the start, without a filter; ids are told in short.
    everything = field(2, field(2, b"")) + bytes([5 << 3]) + b"\xff\xff\x03"
    request = field(1, everything + field(8, b"") + field(9, field(2, b"")))
    plain = lambda message: message
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(root), options=[
        ("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)])
    read = channel.unary_stream("/event_store.client.streams.Streams/Read",
                                request_serializer=plain, response_deserializer=plain)
    secret = base64.b64encode(f"admin:{password}".encode()).decode()
    return read(request, metadata=[("authorization", f"Basic {secret}")])


client = KurrentDBClient(f"esdb://admin:{password}@{target}", root_certificates=root.decode())
large = NewEvent(type="Large", data=b"x" * MEBIBYTE, content_type="application/octet-stream")
for _ in range(EVENTS // 4):
    events = [NewEvent(type=large.type, data=large.data, content_type=large.content_type)
              for _ in range(4)]
    client.append_events("stalled-reads", current_version=StreamState.ANY, events=events)
before = peak()
reads = [stalled() for _ in range(READS)]
end = time.monotonic() + 60
while all(read.is_active() for read in reads):
    if time.monotonic() > end:
        sys.exit("every one of so many reads found room")
    time.sleep(0.1)
refused = [read for read in reads if not read.is_active()]
if any(read.code() != grpc.StatusCode.UNAVAILABLE for read in refused):
    sys.exit(f"refused as {[read.code() for read in refused]}")
held = peak() - before
if held > MOST:
    sys.exit(f"{READS} reads that nobody takes hold {held} MiB")
print(f"{READS} reads that nobody takes hold {held} MiB: ok", flush=True)
for read in reads:
    read.cancel()
