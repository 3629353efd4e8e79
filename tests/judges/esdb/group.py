"""Persistent subscriptions as a Python client sees them."""
import threading

from client import (ANY, DROPPED, EXISTS_ALREADY, FULL, NOT_FOUND, NO_STREAM, connect, event, kind,
                    must, new_stream, refused)


def parked(client, name, stream, count):
    """Until so many are parked."""
    for _ in range(500):
        if client.get_subscription_info(name, stream).parked_message_count == count:
            return
    must(False, f"{count} parked in {name}")


def nacks(client):
    """Every answer to an event, what is parked told again; the group with one event open."""
    stream, name = new_stream(), "workers"
    refused(NOT_FOUND, lambda: client.get_subscription_info(name, stream), "no group")
    client.create_subscription_to_stream(name, stream, max_retry_count=5)
    refused(EXISTS_ALREADY, lambda: client.create_subscription_to_stream(name, stream), "a second")
    refused(NOT_FOUND, lambda: client.delete_subscription("others", stream), "another")
    client.append_events(stream, current_version=NO_STREAM, events=[event(n) for n in range(6)])
    answers = {1: "retry", 2: "park", 3: "skip", 4: "unknown"}
    subscription = client.read_subscription_to_stream(name, stream)
    open_, again, ids = {0, 1, 2, 3, 4, 5}, set(), {}
    for told in subscription:
        place = told.stream_position
        ids[place] = told.id
        if told.retry_count:
            again.add(place)
        if place == 5:
            subscription.nack(told, "stop")
            break
        answer = answers.get(place)
        if answer and not told.retry_count:
            subscription.nack(told, answer)
            if answer in ("retry", "unknown"):
                continue
        else:
            subscription.ack(told)
        open_.discard(place)
    try:
        for told in subscription:
            # What had been sent already still comes.
            must(told.stream_position in (1, 4), "only what is told again may follow")
    except Exception as error:
        must(kind(error) in DROPPED, f"stop ends the subscription as dropped, not {error!r}")
    else:
        must(False, "stop is told")
    subscription = client.read_subscription_to_stream(name, stream)
    for told in subscription:
        if told.stream_position in (1, 4) and told.retry_count:
            again.add(told.stream_position)
        must(told.stream_position != 3, "what is skipped does not come back")
        subscription.ack(told)
        open_.discard(told.stream_position)
        if not open_:
            break
    must(again == {1, 4}, f"retry and unknown are told again: {again}")
    subscription.stop()
    parked(client, name, stream, 1)
    client.replay_parked_events(name, stream)
    subscription = client.read_subscription_to_stream(name, stream)
    told = next(subscription)
    must(told.id == ids[2], "what was parked is told again")
    subscription.ack(told)
    subscription.stop()
    parked(client, name, stream, 0)
    client.append_event(stream, current_version=ANY, event=event(6))
    return [stream, name]


def share(client, strategy, streams):
    """What each of two consumers gets of two events in each of so many streams."""
    prefix, name, total = new_stream("share"), f"share-{strategy}", 2 * streams
    client.create_subscription_to_all(
        name, filter_include=[f"{prefix}.*"], filter_by_stream_name=True,
        consumer_strategy=strategy)
    got, full, consumers, threads = ([], []), threading.Event(), [], []
    clients = [connect(), connect()]

    def consume(number):
        try:
            for told in consumers[number]:
                got[number].append((told.stream_name, told.stream_position))
                if sum(map(len, got)) == total:
                    full.set()
        except Exception:
            # The client leaves by giving up its own call.
            must(full.is_set(), "a consumer is not cut off")

    for number in (0, 1):
        consumers.append(clients[number].read_subscription_to_all(
            name, event_buffer_size=total + 1))
        threads.append(threading.Thread(target=consume, args=[number], daemon=True))
        threads[-1].start()
    for number in range(streams):
        client.append_events(f"{prefix}-{number}", current_version=NO_STREAM,
                             events=[event(0), event(1)])
    must(full.wait(30), f"{strategy}: every event is told, not {got}")
    # What one that leaves has not answered for goes to the other.
    shares = [list(one) for one in got]
    for consumer in consumers:
        consumer.stop()
    for one in clients:
        one.close()
    client.delete_subscription(name)
    return shares


def strategies(client):
    first, second = share(client, "RoundRobin", 5)
    must(len(first) == len(second) == 5, f"RoundRobin: each in turn: {first} {second}")
    first, second = share(client, "DispatchToSingle", 5)
    must(sorted([len(first), len(second)]) == [0, 10], "DispatchToSingle: one alone")
    first, second = share(client, "Pinned", 20)
    must({s for s, _ in first}.isdisjoint({s for s, _ in second}), "Pinned: a stream at one")
    must(first and second, "Pinned: both have some")


def limits(client):
    """How long an event may take, how often it is told, and how many may consume."""
    stream, name = new_stream(), "hurried"
    client.create_subscription_to_stream(
        name, stream, message_timeout=0.2, max_retry_count=1, max_subscriber_count=1)
    client.append_event(stream, current_version=NO_STREAM, event=event(0))
    subscription = client.read_subscription_to_stream(name, stream)
    counts = [next(subscription).retry_count for _ in range(2)]
    must(counts == [0, 1], f"what takes too long is told again: {counts}")
    parked(client, name, stream, 1)
    refused(FULL, lambda: connect().read_subscription_to_stream(name, stream), "a second consumer")
    subscription.stop()
    info = client.get_subscription_info(name, stream)
    must((info.max_retry_count, info.max_subscriber_count) == (1, 1), "what was set is told")
    client.update_subscription_to_stream(name, stream, max_subscriber_count=2)
    must(client.get_subscription_info(name, stream).max_subscriber_count == 2, "and changed")
    listed = [s.group_name for s in client.list_subscriptions_to_stream(stream)]
    must(listed == [name], f"the stream's groups are listed: {listed}")
    client.delete_subscription(name, stream)
    refused(NOT_FOUND, lambda: client.read_subscription_to_stream(name, stream), "a deleted group")


def goes_on(client, stream, name):
    """After a restart the group has what was open, and nothing that was done."""
    added = event(9)
    client.append_event(stream, current_version=ANY, event=added)
    subscription = client.read_subscription_to_stream(name, stream)
    found = []
    for told in subscription:
        found.append(told.stream_position)
        subscription.ack(told)
        if told.id == added.id:
            break
    must(found == [6, 7], f"the group goes on where it was: {found}")
    subscription.stop()
    client.delete_subscription(name, stream)
    must(not [s for s in client.list_subscriptions() if s.event_source == stream], "none listed")
