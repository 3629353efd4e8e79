"""The event store as a Python client sees it, before, during and after a restart of the server."""
import json
import sys

import group
from client import (ANY, DELETED, DENIED, EXISTS, INVALID, NOT_FOUND, NO_STREAM, STRANGER,
                    TOO_LARGE, UNAVAILABLE, WRONG, NewEvent, connect, event, kind, must, new_stream,
                    package, places, refused, state_file, when)


def appends(client, one_call):
    """Every expectation with what breaks it: in batches, or each event with a call of its own."""
    stream, absent, first, second = new_stream(), new_stream(), event(1), event(2)

    def append(version, one, name=stream):
        if one_call:
            return client.append_event(name, current_version=version, event=one)
        return client.append_events(name, current_version=version, events=[one])

    for version in (EXISTS, 0, 5):
        # For a stream that is not there the batch says not found.
        refused(WRONG | NOT_FOUND, lambda: append(version, first, absent), f"{version} of nothing")
    position = append(NO_STREAM, first)
    for version in (NO_STREAM, ANY, EXISTS):
        must(append(version, first) == position, f"a repeat with {version} has the first answer")
    refused(WRONG, lambda: append(NO_STREAM, second), "no stream where there is one")
    later = append(0, second)
    must(append(0, second) == later > position, "a repeat with a revision has the first answer")
    for version in (0, 7):
        refused(WRONG, lambda: append(version, event(3)), f"revision {version} of two events")
    append(ANY, event(3))
    append(EXISTS, event(4))
    append(3, event(5))
    must(places(client.get_stream(stream)) == [0, 1, 2, 3, 4], "all events once")
    both = [event(6), event(7)]
    client.append_events(stream, current_version=4, events=both)
    refused(WRONG, lambda: client.append_events(
        stream, current_version=ANY, events=[both[1], event(8)]), "one that is there with a new one")
    must(client.get_current_version(stream) == 6, "nothing of it was written")
    return stream, first, position


def reads(client, stream, first, position):
    events = client.get_stream(stream)
    must(places(events) == [0, 1, 2, 3, 4, 5, 6], "forwards")
    must((events[0].id, events[0].type, events[0].data, events[0].metadata)
         == (first.id, first.type, first.data, first.metadata), "an event reads back")
    must(places(client.get_stream(stream, stream_position=2, limit=3)) == [2, 3, 4], "from a place")
    must(places(client.get_stream(stream, backwards=True, limit=2)) == [6, 5], "backwards")
    back = client.get_stream(stream, stream_position=3, backwards=True)
    must(places(back) == [3, 2, 1, 0], "backwards from a place")
    refused(NOT_FOUND, lambda: client.get_stream(new_stream()), "a stream that is not there")
    ahead = [one.id for one in client.read_all(commit_position=position)]
    behind = [one.id for one in client.read_all(backwards=True)]
    must(ahead[0] == first.id and ahead == behind[:len(ahead)][::-1], "all, both ways")
    named = client.read_all(filter_include=[stream], filter_by_stream_name=True)
    must(places(named) == [0, 1, 2, 3, 4, 5, 6], "all, by a stream's name")


def large(client):
    stream, data = new_stream(), b"x" * (10 << 20)
    big = NewEvent(type="Large", data=data, content_type="application/octet-stream")
    client.append_to_stream(stream, current_version=NO_STREAM, events=big)
    (read,) = client.get_stream(stream)
    must(read.data == data and read.content_type == big.content_type, "10 MiB read back")
    over = event(data=b"x" * (17 << 20))
    refused(TOO_LARGE, lambda: client.append_event(stream, current_version=ANY, event=over),
            "17 MiB")
    refused(TOO_LARGE, lambda: client.append_events(stream, current_version=ANY, events=[over]),
            "17 MiB in a batch")


def deletes(client):
    gone, stream = new_stream(), new_stream()
    refused(NOT_FOUND, lambda: client.delete_stream(gone, current_version=ANY), "deleting nothing")
    for name in (gone, stream):
        client.append_events(name, current_version=NO_STREAM, events=[event(1), event(2)])
    for version in (0, 7):
        refused(WRONG, lambda: client.delete_stream(stream, current_version=version),
                f"deleting at {version}")
        refused(WRONG, lambda: client.tombstone_stream(stream, current_version=version),
                f"ending at {version}")
    client.delete_stream(stream, current_version=1)
    refused(NOT_FOUND, lambda: client.get_stream(stream), "reading a deleted stream")
    client.append_events(stream, current_version=NO_STREAM, events=[event(3)])
    must(places(client.get_stream(stream)) == [2], "numbers go on")
    client.delete_stream(stream, current_version=EXISTS)
    client.tombstone_stream(stream, current_version=ANY)
    client.tombstone_stream(gone, current_version=1)
    for name in (gone, stream):
        refused(DELETED, lambda: client.get_stream(name), "reading behind a tombstone")
        refused(DELETED, lambda: client.append_events(
            name, current_version=ANY, events=[event(6)]), "appending behind a tombstone")
        refused(DELETED, lambda: client.delete_stream(name, current_version=ANY), "deleting it")
        refused(DELETED, lambda: client.tombstone_stream(name, current_version=ANY), "ending it")
    own = new_stream("customer")
    refused(INVALID, lambda: client.append_events(
        own, current_version=ANY, events=[event(7)]), "any event for a stream of the ledger")
    refused(INVALID, lambda: client.append_event(
        own, current_version=ANY, event=event(7)), "the same in one call")
    refused(DENIED, lambda: client.tombstone_stream(own, current_version=ANY), "ending it")
    refused(DENIED, lambda: client.delete_stream(own, current_version=ANY), "deleting it")
    refused(DENIED, lambda: client.set_stream_metadata(own, metadata={"$tb": 1}), "cutting it")


def links(client):
    """A link is told as what it points at, where that is wished."""
    stream, linking = new_stream(), new_stream()
    client.append_events(stream, current_version=NO_STREAM, events=[event(0), event(1)])
    to = lambda place: NewEvent(type="$>", data=f"{place}@{stream}".encode(),
                                content_type="application/octet-stream")
    client.append_events(linking, current_version=NO_STREAM, events=[to(1), to(7)])
    plain = client.get_stream(linking)
    must([one.type for one in plain] == ["$>", "$>"], "links as they are")
    # The packages pass over a link to nothing, which is told without what it points at.
    (first,) = client.get_stream(linking, resolve_links=True)
    must((first.stream_name, first.stream_position) == (stream, 1), "a link is followed")
    must((first.link.stream_name, first.link.id) == (linking, plain[0].id), "and told beside it")
    subscription = client.subscribe_to_stream(linking, resolve_links=True)
    must(next(subscription).stream_name == stream, "a subscription follows links")
    subscription.stop()


def metadata(client):
    stream = new_stream()
    client.append_events(stream, current_version=NO_STREAM, events=[event(n) for n in range(6)])
    acl = {"$r": ["$all"], "$w": ["$admins", "ada"], "$d": "$admins"}
    sent = {"$maxCount": 2, "$acl": acl, "$cacheControl": 5, "colour": "red"}
    client.set_stream_metadata(stream, metadata=sent)
    read, version = client.get_stream_metadata(stream)
    must((read, version) == (sent, 0), "metadata read back, the access list among them")
    must(places(client.get_stream(stream)) == [4, 5], "$maxCount is kept")
    refused(WRONG, lambda: client.set_stream_metadata(
        stream, metadata={}, current_version=3), "metadata at another version")
    client.set_stream_metadata(stream, metadata={"$tb": 3}, current_version=version)
    must(places(client.get_stream(stream)) == [3, 4, 5], "$tb is kept")
    must(places(client.get_stream(stream, backwards=True)) == [5, 4, 3], "backwards, too")
    client.set_stream_metadata(stream, metadata={"$maxAge": 3600})
    must(places(client.get_stream(stream)) == [0, 1, 2, 3, 4, 5], "what is younger than $maxAge")
    client.set_stream_metadata(stream, metadata={"$maxAge": 1})
    while client.get_stream(stream):
        pass
    client.append_event(stream, current_version=5, event=event(6))
    must(places(client.get_stream(stream)) == [6], "$maxAge is kept")


def subscribes(client, stream):
    """Filtered by name and by type; where the last event was."""
    subscription = client.subscribe_to_all(
        filter_include=["judge-.+"], filter_by_stream_name=True, include_caught_up=True,
        include_checkpoints=True)
    last, found, checkpoints = 0, [], 0
    for told in subscription:
        if type(told).__name__ == "CaughtUp":
            break
        last = told.commit_position
        checkpoints += type(told).__name__ == "Checkpoint"
        if getattr(told, "stream_name", "") == stream:
            found.append(told.stream_position)
    must(found == [0, 1, 2, 3, 4, 5, 6], "a subscription filtered by name finds the events")
    must(checkpoints > 0, "it tells how far it has looked")
    client.append_event(stream, current_version=6, event=event(7, type="Rare"))
    while (told := next(subscription)).id is None or told.stream_name != stream:
        last = told.commit_position
    must((told.stream_position, told.type) == (7, "Rare"), "and what is new")
    last = told.commit_position
    subscription.stop()
    rare = client.subscribe_to_all(filter_include=["Rare"], include_caught_up=True)
    found = []
    for told in rare:
        if type(told).__name__ == "CaughtUp":
            break
        found.append(told.type)
    rare.stop()
    must(found and set(found) == {"Rare"}, "a subscription filtered by type finds no other")
    one = client.subscribe_to_stream(stream, stream_position=5)
    must([next(one).stream_position for _ in range(2)] == [6, 7], "a subscription to one stream")
    one.stop()
    return last


def strangers():
    for user, secret in (("admin", "wrong"), ("nobody", None)):
        who = {"user": user, **({"secret": secret} if secret else {})}
        refused(STRANGER, lambda: connect(**who).get_commit_position(), f"{user} reading")
        refused(STRANGER, lambda: connect(**who).append_event(
            "x", current_version=ANY, event=event()), f"{user} appending")
        refused(STRANGER, lambda: connect(**who).append_events(
            "x", current_version=ANY, events=[event()]), f"{user} appending a batch")
        refused(STRANGER, lambda: connect(**who).create_subscription_to_stream("g", "x"),
                f"{user} making a group")


def before():
    strangers()
    client = connect()
    appends(client, one_call=True)
    stream, first, position = appends(client, one_call=False)
    reads(client, stream, first, position)
    large(client)
    deletes(client)
    links(client)
    metadata(client)
    group.strategies(client)
    group.limits(client)
    kept = {"stream": stream, "position": subscribes(client, stream),
            "group": group.nacks(client)}
    with open(state_file, "w", encoding="utf-8") as file:
        json.dump(kept, file)
    client.close()


def during():
    """A subscription that is open when the server ends is told so; it does not just end."""
    with open(state_file, encoding="utf-8") as file:
        kept = json.load(file)
    client = connect()
    subscription = client.subscribe_to_stream(kept["stream"], include_caught_up=True)
    for told in subscription:
        if type(told).__name__ == "CaughtUp":
            break
    print("subscribed", flush=True)
    try:
        for _ in subscription:
            must(False, "nothing is told")
    except Exception as error:
        must(kind(error) in UNAVAILABLE, f"the end of the server is told as such, not {error!r}")
    else:
        must(False, "a subscription never ends well")


def after():
    with open(state_file, encoding="utf-8") as file:
        kept = json.load(file)
    client = connect()
    stream = kept["stream"]
    for number in (8, 9):
        client.append_events(stream, current_version=number - 1, events=[event(number)])
    subscription = client.subscribe_to_all(
        commit_position=kept["position"], filter_include=[stream], filter_by_stream_name=True)
    found = [next(subscription).stream_position for _ in range(2)]
    must(found == [8, 9], f"a subscription goes on where it was: {found}")
    subscription.stop()
    group.goes_on(client, *kept["group"])
    client.close()


try:
    {"before": before, "during": during, "after": after}[when]()
except AssertionError as error:
    sys.exit(str(error))
print(f"{package} {when}: ok", flush=True)
