// The event store as a Node client sees it, before and after a restart of the server.
//
//     judge.mjs @kurrent/kurrentdb-client|@eventstore/db-client HOST:PORT CERTIFICATE PASSWORD before|after STATE
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const [name, target, certificate, password, when, stateFile] = process.argv.slice(2);
const api = await import(name);
const Client = api.KurrentDBClient ?? api.EventStoreDBClient;
const { ANY, BACKWARDS, END, NO_STREAM, START, STREAM_EXISTS } = api;
// The newer client calls it a state.
const expecting = (state) => ({ expectedRevision: state, streamState: state });

const connect = (user = 'admin', secret = password) =>
  Client.connectionString(
    `esdb://${user}:${secret}@${target}?tls=true&tlsCAFile=${encodeURIComponent(certificate)}`,
  );

function must(truth, what) {
  if (!truth) {
    console.error(`${name}: not so: ${what}`);
    process.exit(1);
  }
}

async function refused(kinds, call, what) {
  try {
    await call();
  } catch (error) {
    const kind = error.type ?? error.constructor.name;
    must(kinds.length === 0 || kinds.includes(kind), `${what}: ${kind} instead of ${kinds}: ${error}`);
    return;
  }
  must(false, `${what} is refused`);
}

const event = (number, more = {}) =>
  api.jsonEvent({ id: randomUUID(), type: 'Counted', data: { number }, metadata: { by: 'judge' }, ...more });

async function all(stream) {
  const found = [];
  for await (const told of stream) found.push(told.event);
  return found;
}

const revisions = (events) => events.map((one) => Number(one.revision)).join();

async function appends(client) {
  const stream = `judge-${randomUUID()}`;
  const [first, second] = [event(1), event(2)];
  const append = (state, ...events) => client.appendToStream(stream, events, expecting(state));
  const wrong = ['wrong-expected-version'];
  await refused(wrong, () => append(STREAM_EXISTS, first), 'a stream that is not there');
  await refused(wrong, () => append(0n, first), 'a revision that is not there');
  const done = await append(NO_STREAM, first);
  const again = await append(NO_STREAM, first);
  must(again.position.commit === done.position.commit, 'a repeat has the first answer');
  await refused(wrong, () => append(NO_STREAM, second), 'a stream that is there');
  await append(0n, second);
  await append(ANY, event(3));
  await append(STREAM_EXISTS, event(4), event(5));
  const events = await all(client.readStream(stream));
  must(revisions(events) === '0,1,2,3,4', 'all events once');
  must(events[0].id === first.id && events[0].data.number === 1 && events[0].metadata.by === 'judge',
    'an event reads back');
  const back = await all(client.readStream(stream, { direction: BACKWARDS, fromRevision: END, maxCount: 2 }));
  must(revisions(back) === '4,3', 'backwards');
  const ahead = await all(client.readAll({ fromPosition: done.position }));
  const behind = await all(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 }));
  must(ahead[0].id === first.id && ahead.at(-1).id === behind[0].id, 'all, both ways');
  await refused(['stream-not-found'], () => all(client.readStream(`judge-${randomUUID()}`)), 'nothing');
  return stream;
}

async function large(client) {
  const stream = `judge-${randomUUID()}`;
  const data = new Uint8Array(10 << 20).fill(120);
  await client.appendToStream(stream, api.binaryEvent({ id: randomUUID(), type: 'Large', data }));
  const [read] = await all(client.readStream(stream));
  must(Buffer.compare(Buffer.from(read.data), Buffer.from(data)) === 0, '10 MiB read back');
}

async function deletes(client) {
  const [gone, stream] = [`judge-${randomUUID()}`, `judge-${randomUUID()}`];
  await client.appendToStream(gone, [event(1), event(2)]);
  await client.appendToStream(stream, [event(1), event(2)]);
  await refused(['wrong-expected-version'],
    () => client.deleteStream(stream, { expectedRevision: 7n, streamState: 7n }), 'a wrong deletion');
  await client.deleteStream(stream, expecting(1n));
  await refused(['stream-not-found'], () => all(client.readStream(stream)), 'a deleted stream');
  await client.appendToStream(stream, event(3), expecting(NO_STREAM));
  must(revisions(await all(client.readStream(stream))) === '2', 'numbers go on');
  await client.setStreamMetadata(stream, { maxCount: 2 });
  await client.appendToStream(stream, [event(4), event(5)]);
  must(revisions(await all(client.readStream(stream))) === '3,4', 'maxCount is kept');
  await client.tombstoneStream(gone, expecting(ANY));
  await refused(['stream-deleted'], () => all(client.readStream(gone)), 'a tombstone');
  await refused(['stream-deleted'], () => client.appendToStream(gone, event(6)), 'an append to it');
  const own = `customer-${randomUUID()}`;
  await refused([], () => client.appendToStream(own, event(7)), 'a stream of the ledger');
  await refused(['access-denied'], () => client.tombstoneStream(own), 'its tombstone');
}

async function group(client) {
  const stream = `judge-${randomUUID()}`;
  const settings = api.persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START });
  await client.createPersistentSubscriptionToStream(stream, 'workers', settings);
  await refused(['persistent-subscription-exists'],
    () => client.createPersistentSubscriptionToStream(stream, 'workers', settings), 'a second one');
  await client.appendToStream(stream, [0, 1, 2, 3].map((number) => event(number)));
  let retried = 0;
  let parked;
  let subscription = client.subscribeToPersistentSubscriptionToStream(stream, 'workers');
  const done = new Set();
  for await (const told of subscription) {
    const { id, revision } = told.event;
    if (Number(revision) === 1 && !told.retryCount) {
      retried += 1;
      await subscription.nack(api.RETRY, 'again', told);
    } else if (Number(revision) === 2) {
      parked = id;
      await subscription.nack(api.PARK, 'later', told);
      done.add(2);
    } else {
      await subscription.ack(told);
      done.add(Number(revision));
    }
    if (done.size === 4) break;
  }
  must(retried === 1 && parked, 'retried and parked');
  for (let tries = 0; ; tries += 1) {
    const info = await client.getPersistentSubscriptionToStreamInfo(stream, 'workers');
    if (Number(info.stats.parkedMessageCount) === 1) break;
    must(tries < 200, 'one is parked');
  }
  await client.replayParkedMessagesToStream(stream, 'workers');
  subscription = client.subscribeToPersistentSubscriptionToStream(stream, 'workers');
  for await (const told of subscription) {
    await subscription.ack(told);
    if (told.event.id === parked) break;
  }
  return stream;
}

async function subscribe(client, stream, from) {
  const subscription = client.subscribeToAll({
    fromPosition: from,
    filter: api.streamNameFilter({ prefixes: ['judge-'] }),
  });
  const found = [];
  for await (const told of subscription) {
    if (told.event.streamId === stream) found.push(told.event);
    if (found.length === (from === START ? 5 : 1)) break;
  }
  return found;
}

async function before() {
  const stranger = connect('admin', 'wrong');
  await refused([], () => stranger.appendToStream('x', event(0)), 'a wrong password');
  await refused([], () => all(stranger.readAll({ maxCount: 1 })), 'reading with it');
  const client = connect();
  const stream = await appends(client);
  await large(client);
  await deletes(client);
  const found = await subscribe(client, stream, START);
  const { commit, prepare } = found.at(-1).position;
  const kept = { stream, position: [String(commit), String(prepare)], group: await group(client) };
  await client.appendToStream(stream, event(6));
  writeFileSync(stateFile, JSON.stringify(kept));
}

async function after() {
  const kept = JSON.parse(readFileSync(stateFile, 'utf8'));
  const client = connect();
  const [commit, prepare] = kept.position.map(BigInt);
  const [next] = await subscribe(client, kept.stream, { commit, prepare });
  must(Number(next.revision) === 5, 'a subscription goes on where it was');
  const added = event(9);
  await client.appendToStream(kept.group, added);
  const subscription = client.subscribeToPersistentSubscriptionToStream(kept.group, 'workers');
  for await (const told of subscription) {
    await subscription.ack(told);
    if (told.event.id === added.id) break;
  }
  await client.deletePersistentSubscriptionToStream(kept.group, 'workers');
}

await (when === 'before' ? before() : after());
console.log(`${name} ${when}: ok`);
process.exit(0);
