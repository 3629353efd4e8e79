"""The event store as a Python client sees it, before and after a restart of the server.

    judge.py kurrentdbclient|esdbclient HOST:PORT CERTIFICATE PASSWORD before|after STATE
"""
import importlib
import json
import sys
import uuid

package, target, certificate, password, when, state_file = sys.argv[1:7]
module = importlib.import_module(package)
errors = importlib.import_module(package + ".exceptions")
Client = getattr(module, "KurrentDBClient", None) or module.EventStoreDBClient
NewEvent, StreamState = module.NewEvent, module.StreamState
with open(certificate, encoding="utf-8") as file:
    root = file.read()


def connect(user="admin", secret=password):
    return Client(f"esdb://{user}:{secret}@{target}", root_certificates=root)


def must(truth, what):
    if not truth:
        sys.exit(f"{package}: not so: {what}")


def refused(error, call):
    try:
        call()
    except error:
        return
    sys.exit(f"{package}: {error} was expected")


def event(number=0, data=None):
    return NewEvent(type="Counted", data=data or json.dumps({"number": number}).encode(),
                    metadata=b'{"by":"judge"}')


def appends(client):
    stream, first, second = f"judge-{uuid.uuid4()}", event(1), event(2)
    append = lambda version, *events: client.append_events(
        stream, current_version=version, events=list(events))
    wrong = getattr(errors, "WrongCurrentVersionError", None) or errors.WrongCurrentVersion
    # One of the clients calls a stream that is not there not found.
    absent = (wrong, getattr(errors, "NotFoundError", None) or errors.NotFound)
    refused(absent, lambda: append(StreamState.EXISTS, first))
    refused(absent, lambda: append(0, first))
    position = append(StreamState.NO_STREAM, first)
    must(append(StreamState.NO_STREAM, first) == position, "a repeat has the first answer")
    refused(wrong, lambda: append(StreamState.NO_STREAM, second))
    append(0, second)
    append(StreamState.ANY, event(3))
    append(StreamState.EXISTS, event(4))
    one = client.append_to_stream(stream, current_version=3, events=event(5))
    must(one > position, "one event is appended as well")
    must(append(StreamState.ANY, first) == position, "a repeat without expectation, too")
    events = client.get_stream(stream)
    must([e.stream_position for e in events] == [0, 1, 2, 3, 4], "all events once")
    must(events[0].id == first.id and events[0].data == first.data
         and events[0].metadata == first.metadata, "an event reads back")
    back = client.get_stream(stream, backwards=True, limit=2)
    must([e.stream_position for e in back] == [4, 3], "backwards")
    must(client.get_current_version(stream) == 4, "the last revision")
    ahead = [e.id for e in client.read_all(commit_position=position)]
    behind = [e.id for e in client.read_all(backwards=True)]
    must(events[0].id in ahead and ahead[-1] == behind[0], "all, both ways")
    return stream


def large(client):
    stream, data = f"judge-{uuid.uuid4()}", b"x" * (10 << 20)
    big = NewEvent(type="Large", data=data, content_type="application/octet-stream")
    client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=big)
    (read,) = client.get_stream(stream)
    must(read.data == data and read.content_type == big.content_type, "10 MiB read back")
    refused(Exception, lambda: client.append_to_stream(
        stream, current_version=StreamState.ANY, events=event(data=b"x" * (17 << 20))))


def deletes(client):
    gone, stream = f"judge-{uuid.uuid4()}", f"judge-{uuid.uuid4()}"
    not_found = getattr(errors, "NotFoundError", None) or errors.NotFound
    is_deleted = getattr(errors, "StreamIsDeletedError", None) or errors.StreamIsDeleted
    denied = (getattr(errors, "AccessDeniedError", errors.GrpcError), errors.GrpcError)
    refused(not_found, lambda: client.delete_stream(gone, current_version=StreamState.ANY))
    for name in (gone, stream):
        client.append_events(name, current_version=StreamState.NO_STREAM,
                             events=[event(1), event(2)])
    client.delete_stream(stream, current_version=1)
    refused(not_found, lambda: client.get_stream(stream))
    client.append_events(stream, current_version=StreamState.NO_STREAM, events=[event(3)])
    must([e.stream_position for e in client.get_stream(stream)] == [2], "numbers go on")
    client.set_stream_metadata(stream, metadata={"$maxCount": 2, "colour": "red"})
    must(client.get_stream_metadata(stream)[0]["colour"] == "red", "metadata read back")
    client.append_events(stream, current_version=2, events=[event(4), event(5)])
    must([e.stream_position for e in client.get_stream(stream)] == [3, 4], "$maxCount is kept")
    client.tombstone_stream(gone, current_version=StreamState.ANY)
    refused(is_deleted, lambda: client.get_stream(gone))
    refused(is_deleted, lambda: client.append_events(
        gone, current_version=StreamState.ANY, events=[event(6)]))
    own = f"customer-{uuid.uuid4()}"
    refused(Exception, lambda: client.append_events(
        own, current_version=StreamState.ANY, events=[event(7)]))
    refused(denied, lambda: client.tombstone_stream(own, current_version=StreamState.ANY))


def group(client):
    stream, name = f"judge-{uuid.uuid4()}", "workers"
    client.create_subscription_to_stream(name, stream, max_retry_count=2)
    refused(errors.AlreadyExistsError if hasattr(errors, "AlreadyExistsError")
            else errors.AlreadyExists, lambda: client.create_subscription_to_stream(name, stream))
    client.append_events(stream, current_version=StreamState.NO_STREAM,
                         events=[event(n) for n in range(4)])
    retried, parked = 0, None
    subscription = client.read_subscription_to_stream(name, stream)
    for told in subscription:
        if told.stream_position == 1 and not told.retry_count:
            retried += 1
            subscription.nack(told, "retry")
        elif told.stream_position == 2:
            parked = told.id
            subscription.nack(told, "park")
        else:
            subscription.ack(told)
            if told.stream_position == 1:
                break
    subscription.stop()
    must(retried == 1 and parked, "retried and parked")
    for _ in range(100):
        if client.get_subscription_info(name, stream).parked_message_count == 1:
            break
    else:
        must(False, "one is parked")
    client.replay_parked_events(name, stream)
    subscription = client.read_subscription_to_stream(name, stream)
    seen = set()
    for told in subscription:
        seen.add(told.id)
        subscription.ack(told)
        if parked in seen:
            break
    subscription.stop()
    return [stream, name]


def subscribe(client, stream):
    subscription = client.subscribe_to_all(
        filter_include=["judge-.+"], filter_by_stream_name=True, include_caught_up=True,
        include_checkpoints=True)
    last, found = 0, 0
    for told in subscription:
        if type(told).__name__ == "CaughtUp":
            break
        last = told.commit_position
        found += getattr(told, "stream_name", "") == stream
    must(found == 5, "a filtered subscription finds the events")
    subscription.stop()
    return last


def before():
    refused(Exception, lambda: connect(secret="wrong").get_commit_position())
    refused(Exception, lambda: connect(user="nobody").append_to_stream(
        "x", current_version=StreamState.ANY, events=event()))
    client = connect()
    stream = appends(client)
    large(client)
    deletes(client)
    kept = {"stream": stream, "position": subscribe(client, stream), "group": group(client)}
    client.append_events(stream, current_version=StreamState.EXISTS, events=[event(6)])
    with open(state_file, "w", encoding="utf-8") as file:
        json.dump(kept, file)
    client.close()


def after():
    with open(state_file, encoding="utf-8") as file:
        kept = json.load(file)
    client = connect()
    subscription = client.subscribe_to_all(
        commit_position=kept["position"], filter_include=["judge-.+"],
        filter_by_stream_name=True)
    while (told := next(subscription)).stream_name != kept["stream"]:
        pass
    must(told.stream_position == 5, "a subscription goes on where it was")
    subscription.stop()
    stream, name = kept["group"]
    added = event(9)
    client.append_to_stream(stream, current_version=StreamState.EXISTS, events=added)
    subscription = client.read_subscription_to_stream(name, stream)
    for told in subscription:
        subscription.ack(told)
        if told.id == added.id:
            break
    subscription.stop()
    client.delete_subscription(name, stream)
    must(not [s for s in client.list_subscriptions() if s.event_source == stream], "none listed")
    client.close()


before() if when == "before" else after()
print(f"{package} {when}: ok")
