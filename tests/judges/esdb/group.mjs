// Persistent subscriptions as a Node client sees them.
import { api, all, connect, event, must, newStream, refused, until } from './client.mjs';

const { DISPATCH_TO_SINGLE, PARK, PINNED, RETRY, ROUND_ROBIN, SKIP, START, STOP } = api;
const MISSING = 'persistent-subscription-does-not-exist';
const settings = (more) =>
  api.persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, ...more });

const parked = (client, stream, group, count) =>
  until(`${count} parked`, async () => {
    const { stats } = await client.getPersistentSubscriptionToStreamInfo(stream, group);
    return Number(stats.parkedMessageCount) === count;
  });

// Every answer to an event, what is parked told again; the group with one event open.
export async function nacks(client) {
  const [stream, group] = [newStream(), 'workers'];
  await refused(MISSING, () => client.getPersistentSubscriptionToStreamInfo(stream, group), 'no group');
  await client.createPersistentSubscriptionToStream(stream, group, settings({ maxRetryCount: 5 }));
  await refused('persistent-subscription-exists',
    () => client.createPersistentSubscriptionToStream(stream, group, settings()), 'a second one');
  await refused(MISSING, () => client.deletePersistentSubscriptionToStream(stream, 'others'), 'another');
  await client.appendToStream(stream, [0, 1, 2, 3, 4].map((number) => event(number)));
  const answers = new Map([[1, RETRY], [2, PARK], [3, SKIP]]);
  const open = new Set([0, 1, 2, 3, 4]);
  const ids = new Map();
  let again = false;
  const consume = async (stops) => {
    const subscription = client.subscribeToPersistentSubscriptionToStream(stream, group);
    for await (const told of subscription) {
      const place = Number(told.event.revision);
      const first = !ids.has(place);
      ids.set(place, told.event.id);
      if (place === 1 && !first && told.retryCount > 0) again = true;
      must(first || place !== 3, 'what is skipped does not come back');
      if (place === 4 && stops) {
        await subscription.nack(STOP, 'enough', told);
      } else if (first && answers.has(place)) {
        await subscription.nack(answers.get(place), 'because', told);
        if (place !== 1) open.delete(place);
      } else {
        await subscription.ack(told);
        open.delete(place);
      }
      if (open.size === 0) break;
    }
  };
  await refused('persistent-subscription-dropped', () => consume(true), 'what a consumer stopped');
  await consume(false);
  must(again, 'what is to be retried is told again');
  await parked(client, stream, group, 1);
  await client.replayParkedMessagesToStream(stream, group);
  const subscription = client.subscribeToPersistentSubscriptionToStream(stream, group);
  for await (const told of subscription) {
    must(told.event.id === ids.get(2), 'what was parked is told again');
    await subscription.ack(told);
    break;
  }
  await parked(client, stream, group, 0);
  await client.appendToStream(stream, event(5));
  return stream;
}

// What each of two consumers gets of two events in each of so many streams.
async function share(client, strategy, streams) {
  const [prefix, group, total] = [newStream('share'), `share-${strategy}`, 2 * streams];
  const filter = api.streamNameFilter({ prefixes: [prefix] });
  await client.createPersistentSubscriptionToAll(group,
    api.persistentSubscriptionToAllSettingsFromDefaults({ startFrom: START, consumerStrategyName: strategy }),
    { filter });
  const got = [[], []];
  let full;
  const done = new Promise((resolve) => (full = resolve));
  const consumers = got.map((mine) => {
    const consumer = connect().subscribeToPersistentSubscriptionToAll(group, { bufferSize: total + 1 });
    consumer.on('data', ({ event }) => {
      mine.push(event.streamId);
      if (got[0].length + got[1].length === total) full(got.map((one) => [...one]));
    });
    return consumer;
  });
  await until('both consumers are there', async () =>
    (await client.getPersistentSubscriptionToAllInfo(group)).connections.length === 2);
  for (let number = 0; number < streams; number += 1) {
    await client.appendToStream(`${prefix}-${number}`, [event(0), event(1)]);
  }
  const late = setTimeout(() => must(false, `${strategy}: every event is told`), 30000);
  const shares = await done;
  clearTimeout(late);
  for (const consumer of consumers) await consumer.unsubscribe();
  await client.deletePersistentSubscriptionToAll(group);
  return shares;
}

export async function strategies(client) {
  let [first, second] = await share(client, ROUND_ROBIN, 5);
  must(first.length === 5 && second.length === 5, `each in turn: ${first} and ${second}`);
  [first, second] = await share(client, DISPATCH_TO_SINGLE, 5);
  must(first.length * second.length === 0, 'one alone');
  [first, second] = await share(client, PINNED, 20);
  must(first.length > 0 && second.length > 0, 'both have some');
  must(!first.some((stream) => second.includes(stream)), 'a stream at one');
}

// How long an event may take, how often it is told, and how many may consume.
export async function limits(client) {
  const [stream, group] = [newStream(), 'hurried'];
  const hurried = { messageTimeout: 200, maxRetryCount: 1, maxSubscriberCount: 1 };
  await client.createPersistentSubscriptionToStream(stream, group, settings(hurried));
  await client.appendToStream(stream, event(0));
  const subscription = client.subscribeToPersistentSubscriptionToStream(stream, group);
  const counts = [];
  const events = subscription[Symbol.asyncIterator]();
  while (counts.length < 2) counts.push((await events.next()).value.retryCount);
  must(counts.join() === '0,1', `what takes too long is told again: ${counts}`);
  await parked(client, stream, group, 1);
  await refused('maximum-subscribers-reached',
    () => all(connect().subscribeToPersistentSubscriptionToStream(stream, group)), 'a second consumer');
  await subscription.unsubscribe();
  const told = async () => (await client.getPersistentSubscriptionToStreamInfo(stream, group)).settings;
  let set = await told();
  must(set.maxRetryCount === 1 && set.maxSubscriberCount === 1 && set.messageTimeout === 200,
    'what was set is told');
  await client.updatePersistentSubscriptionToStream(stream, group,
    settings({ ...hurried, maxSubscriberCount: 2 }));
  set = await told();
  must(set.maxSubscriberCount === 2, 'and changed');
  const listed = await client.listPersistentSubscriptionsToStream(stream);
  must(listed.map((one) => one.groupName).join() === group, "the stream's groups are listed");
  await client.deletePersistentSubscriptionToStream(stream, group);
  await refused(MISSING,
    () => all(client.subscribeToPersistentSubscriptionToStream(stream, group)), 'a deleted group');
}

// After a restart the group has what was open, and nothing that was done.
export async function goesOn(client, stream) {
  const added = event(9);
  await client.appendToStream(stream, added);
  const subscription = client.subscribeToPersistentSubscriptionToStream(stream, 'workers');
  const found = [];
  for await (const told of subscription) {
    found.push(Number(told.event.revision));
    await subscription.ack(told);
    if (told.event.id === added.id) break;
  }
  must(found.join() === '5,6', `the group goes on where it was: ${found}`);
  await client.deletePersistentSubscriptionToStream(stream, 'workers');
  await refused(MISSING, () => client.listPersistentSubscriptionsToStream(stream), 'listing none');
}
