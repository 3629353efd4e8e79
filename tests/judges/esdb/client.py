"""What the parts of the Python judge share: one of the two packages, and what it may answer.

    judge.py kurrentdbclient|esdbclient HOST:PORT CERTIFICATE PASSWORD before|during|after STATE
"""
import importlib
import json
import re
import sys
import uuid

package, target, certificate, password, when, state_file = sys.argv[1:7]
module = importlib.import_module(package)
Client = getattr(module, "KurrentDBClient", None) or module.EventStoreDBClient
NewEvent, StreamState = module.NewEvent, module.StreamState
ANY, EXISTS, NO_STREAM = StreamState.ANY, StreamState.EXISTS, StreamState.NO_STREAM
with open(certificate, encoding="utf-8") as file:
    root = file.read()

# The packages' names of the same failures; the older one has no class for some of the statuses.
WRONG = {"WrongCurrentVersion"}
NOT_FOUND = {"NotFound"}
DELETED = {"StreamIsDeleted"}
EXISTS_ALREADY = {"AlreadyExists"}
FULL = {"MaximumSubscriptionsReached"}
UNAVAILABLE = {"ServiceUnavailable"}
DENIED = {"AccessDenied", "GrpcError:PERMISSION_DENIED"}
STRANGER = {"Unauthenticated", "GrpcError:UNAUTHENTICATED"}
INVALID = {"BadRequest", "InvalidArgument", "GrpcError:INVALID_ARGUMENT"}
TOO_LARGE = {"MaximumAppendSizeExceeded", "InvalidArgument", "GrpcError:INVALID_ARGUMENT"}
DROPPED = {"Cancelled", "GrpcError:CANCELLED"}


def connect(user="admin", secret=password):
    return Client(f"esdb://{user}:{secret}@{target}", root_certificates=root)


def must(truth, what):
    if not truth:
        raise AssertionError(f"{package}: not so: {what}")


def kind(error):
    """The name of a failure, the same for both packages."""
    name = type(error).__name__
    if name == "GrpcError":
        return name + ":" + re.search(r"StatusCode\.(\w+)", str(error)).group(1)
    return name.removesuffix("Error")


def refused(kinds, call, what):
    """A call fails, and in one of these ways."""
    try:
        call()
    except Exception as error:  # Its kind is what is judged.
        must(kind(error) in kinds, f"{what} fails as {kinds}, not as {kind(error)}: {error}")
        return
    must(False, f"{what} is refused")


def new_stream(kind_of="judge"):
    return f"{kind_of}-{uuid.uuid4()}"


def event(number=0, data=None, type="Counted"):
    return NewEvent(type=type, data=data or json.dumps({"number": number}).encode(),
                    metadata=b'{"by":"judge"}')


def places(events):
    return [one.stream_position for one in events]
