// The event store as a Node client sees it, before, during and after a restart of the server.
import { readFileSync, writeFileSync } from 'node:fs';
import { api, all, connect, event, expecting, must, name, newStream, password, refused, revisions,
  stateFile, until, when } from './client.mjs';
import { goesOn, limits, nacks, strategies } from './group.mjs';

const { ANY, BACKWARDS, END, NO_STREAM, START, STREAM_EXISTS } = api;
const WRONG = 'wrong-expected-version';

// Every expectation with what breaks it. With credentials of its own a call is a plain append,
// without them a batch.
async function appends(client, options) {
  const [stream, absent] = [newStream(), newStream()];
  const [first, second] = [event(1), event(2)];
  const append = (state, ...events) =>
    client.appendToStream(stream, events, { ...expecting(state), ...options });
  for (const state of [STREAM_EXISTS, 0n, 5n]) {
    await refused(WRONG, () => client.appendToStream(absent, [first], { ...expecting(state), ...options }),
      `${state} of nothing`);
  }
  const done = await append(NO_STREAM, first);
  for (const state of [NO_STREAM, ANY, STREAM_EXISTS]) {
    const again = await append(state, first);
    must(again.position.commit === done.position.commit, `a repeat with ${state} has the first answer`);
  }
  await refused(WRONG, () => append(NO_STREAM, second), 'no stream where there is one');
  const later = await append(0n, second);
  must((await append(0n, second)).position.commit === later.position.commit,
    'a repeat with a revision has the first answer');
  for (const state of [0n, 7n]) {
    await refused(WRONG, () => append(state, event(3)), `revision ${state} of two events`);
  }
  await append(ANY, event(3));
  const both = [event(4), event(5)];
  await append(STREAM_EXISTS, ...both);
  await refused(WRONG, () => append(ANY, both[1], event(6)), 'one that is there with a new one');
  if (options.credentials) {
    const calm = connect('admin', password, '&throwOnAppendFailure=false');
    const answer = await calm.appendToStream(stream, [event(6)], { ...expecting(0n), ...options });
    must(!answer.success, 'a conflict is an answer where no failure is wanted');
  }
  return { stream, first, position: done.position };
}

async function reads(client, { stream, first, position }) {
  const events = await all(client.readStream(stream));
  must(revisions(events) === '0,1,2,3,4', 'all events once');
  const { id, type, data, metadata } = events[0];
  must(id === first.id && type === 'Counted' && data.number === 1 && metadata.by === 'judge',
    'an event reads back');
  const read = async (options) => revisions(await all(client.readStream(stream, options)));
  must(await read({ fromRevision: 2n, maxCount: 2 }) === '2,3', 'from a place');
  must(await read({ direction: BACKWARDS, fromRevision: END, maxCount: 2 }) === '4,3', 'backwards');
  must(await read({ direction: BACKWARDS, fromRevision: 2n }) === '2,1,0', 'backwards from a place');
  await refused('stream-not-found', () => all(client.readStream(newStream())), 'a stream that is not there');
  const ahead = (await all(client.readAll({ fromPosition: position }))).map((one) => one.id);
  const behind = (await all(client.readAll({ direction: BACKWARDS, fromPosition: END }))).map((one) => one.id);
  must(ahead[0] === first.id && ahead.join() === behind.slice(0, ahead.length).reverse().join(),
    'all, both ways');
}

async function large(client, options) {
  const stream = newStream();
  const data = new Uint8Array(10 << 20).fill(120);
  const binary = (data) => api.binaryEvent({ type: 'Large', data });
  await client.appendToStream(stream, binary(data), options);
  const [read] = await all(client.readStream(stream));
  must(Buffer.compare(Buffer.from(read.data), Buffer.from(data)) === 0, '10 MiB read back');
  const over = binary(new Uint8Array(17 << 20));
  await refused('maximum-append-size-exceeded', () => client.appendToStream(stream, over, options), '17 MiB');
}

async function deletes(client) {
  const [gone, stream] = [newStream(), newStream()];
  await refused(WRONG, () => client.deleteStream(gone, expecting(ANY)), 'deleting nothing');
  await client.appendToStream(gone, [event(1), event(2)]);
  await client.appendToStream(stream, [event(1), event(2)]);
  for (const state of [NO_STREAM, 0n, 7n]) {
    await refused(WRONG, () => client.deleteStream(stream, expecting(state)), `deleting at ${state}`);
    await refused(WRONG, () => client.tombstoneStream(stream, expecting(state)), `ending at ${state}`);
  }
  await client.deleteStream(stream, expecting(1n));
  await refused('stream-not-found', () => all(client.readStream(stream)), 'reading a deleted stream');
  await client.appendToStream(stream, event(3), expecting(NO_STREAM));
  must(revisions(await all(client.readStream(stream))) === '2', 'numbers go on');
  await client.deleteStream(stream, expecting(2n));
  await client.tombstoneStream(stream, expecting(ANY));
  await client.tombstoneStream(gone, expecting(1n));
  for (const name of [gone, stream]) {
    for (const call of [
      () => all(client.readStream(name)),
      () => client.appendToStream(name, event(6)),
      () => client.appendToStream(name, event(6), { credentials: { username: 'admin', password } }),
      () => client.deleteStream(name, expecting(ANY)),
      () => client.tombstoneStream(name, expecting(ANY)),
    ]) {
      await refused('stream-deleted', call, `${call} behind a tombstone`);
    }
  }
  const own = newStream('customer');
  await refused('access-denied', () => client.tombstoneStream(own), 'ending a stream of the ledger');
  await refused('access-denied', () => client.deleteStream(own), 'deleting it');
  await refused('access-denied', () => client.setStreamMetadata(own, { truncateBefore: 1 }), 'cutting it');
  return own;
}

// A link is told as what it points at, where that is wished; one to nothing is told alone.
async function links(client) {
  const [stream, linking] = [newStream(), newStream()];
  await client.appendToStream(stream, [event(0), event(1)]);
  const to = (place) => api.binaryEvent({ type: '$>', data: Buffer.from(`${place}@${stream}`) });
  await client.appendToStream(linking, [to(1), to(7)]);
  const plain = await all(client.readStream(linking));
  must(plain.map((one) => one.type).join() === '$>,$>', 'links as they are');
  const resolved = [];
  for await (const told of client.readStream(linking, { resolveLinkTos: true })) resolved.push(told);
  const [first, second] = resolved;
  must(first.event.streamId === stream && Number(first.event.revision) === 1, 'a link is followed');
  must(first.link.streamId === linking && first.link.id === plain[0].id, 'and told beside it');
  must(!second.event && second.link.id === plain[1].id, 'a link to nothing is told alone');
  for await (const told of client.subscribeToStream(linking, { fromRevision: START, resolveLinkTos: true })) {
    must(told.event.streamId === stream, 'a subscription follows links');
    break;
  }
}

// All events of some streams or types, chosen by the server; the older package cannot ask for that
// but in a subscription.
async function filtered(client, stream) {
  const read = async (filter) => {
    const found = [];
    for await (const told of client.readAll({ filter })) found.push(told.event);
    return found;
  };
  must(revisions(await read(api.streamNameFilter({ prefixes: [stream] }))) === '0,1,2,3,4',
    "all, by a stream's name");
  const typed = await read(api.eventTypeFilter({ regex: '^Large$' }));
  must(typed.length >= 2 && typed.every((one) => one.type === 'Large'), 'all, by a type');
}

async function metadata(client) {
  const stream = newStream();
  await client.appendToStream(stream, [0, 1, 2, 3, 4, 5].map((number) => event(number)));
  const read = async (options) => revisions(await all(client.readStream(stream, options)));
  const acl = { readRoles: ['$all'], writeRoles: ['$admins', 'ada'], deleteRoles: ['$admins'] };
  await client.setStreamMetadata(stream, { maxCount: 2, cacheControl: 5, acl, colour: 'red' });
  const { metadata } = await client.getStreamMetadata(stream);
  must(metadata.maxCount === 2 && metadata.cacheControl === 5 && metadata.colour === 'red', 'metadata read back');
  must(JSON.stringify([metadata.acl.readRoles, metadata.acl.writeRoles, metadata.acl.deleteRoles].flat())
    === JSON.stringify(['$all', '$admins', 'ada', '$admins']), 'the access list among them');
  must(await read() === '4,5', 'maxCount is kept');
  await refused(WRONG, () => client.setStreamMetadata(stream, {}, expecting(3n)), 'metadata at another version');
  await client.setStreamMetadata(stream, { truncateBefore: 3 }, expecting(0n));
  must(await read() === '3,4,5', 'truncateBefore is kept');
  must(await read({ direction: BACKWARDS, fromRevision: END }) === '5,4,3', 'backwards, too');
  await client.setStreamMetadata(stream, { maxAge: 3600 });
  must(await read() === '0,1,2,3,4,5', 'what is younger than maxAge');
  await client.setStreamMetadata(stream, { maxAge: 1 });
  await until('maxAge is kept', async () => (await read()) === '');
  await client.appendToStream(stream, event(6));
  must(await read() === '6', 'what is new is there');
}

async function subscribe(client, options, enough) {
  const found = [];
  for await (const told of client.subscribeToAll(options)) {
    found.push(told.event);
    if (enough(found)) break;
  }
  return found;
}

// Filtered by name and by type; where the last event was.
async function subscribes(client, stream) {
  const filter = api.streamNameFilter({ prefixes: [stream] });
  const found = await subscribe(client, { fromPosition: START, filter }, (found) => found.length === 5);
  must(revisions(found) === '0,1,2,3,4', 'a subscription filtered by name finds the events');
  const { position } = found.at(-1);
  await client.appendToStream(stream, event(6, { type: 'Rare' }));
  const [next] = await subscribe(client, { fromPosition: position, filter }, () => true);
  must(Number(next.revision) === 5 && next.type === 'Rare', 'it goes on where it was');
  const rare = { fromPosition: START, filter: api.eventTypeFilter({ regex: '^Rare$' }) };
  const types = await subscribe(client, rare, (found) => found.at(-1).id === next.id);
  must(types.every((one) => one.type === 'Rare'), 'a subscription filtered by type finds no other');
  const one = [];
  for await (const told of client.subscribeToStream(stream, { fromRevision: 3n })) {
    one.push(told.event);
    if (one.length === 2) break;
  }
  must(revisions(one) === '4,5', 'a subscription to one stream');
  const { commit, prepare } = next.position;
  return [String(commit), String(prepare)];
}

async function strangers() {
  for (const stranger of [connect('admin', 'wrong'), connect('nobody')]) {
    for (const call of [
      () => stranger.appendToStream('x', event(0)),
      () => stranger.appendToStream('x', event(0), { credentials: { username: 'admin', password: 'wrong' } }),
      () => all(stranger.readAll({ maxCount: 1 })),
      () => all(stranger.readStream('x')),
      () => stranger.deleteStream('x'),
      () => stranger.createPersistentSubscriptionToStream('x', 'g',
        api.persistentSubscriptionToStreamSettingsFromDefaults()),
    ]) {
      await refused('access-denied', call, `${call} of a stranger`);
    }
  }
}

async function before() {
  await strangers();
  const client = connect();
  const plain = { credentials: { username: 'admin', password } };
  await appends(client, plain);
  const appended = await appends(client, {});
  await reads(client, appended);
  await large(client, {});
  await large(client, plain);
  const own = await deletes(client);
  // It has no name for an invalid argument, whose status is 3.
  await refused('unknown 3', () => client.appendToStream(own, event(7), plain), 'any event in it');
  await links(client);
  if (name === '@kurrent/kurrentdb-client') await filtered(client, appended.stream);
  await metadata(client);
  await strategies(client);
  await limits(client);
  const { stream } = appended;
  const kept = { stream, position: await subscribes(client, stream), group: await nacks(client) };
  writeFileSync(stateFile, JSON.stringify(kept));
}

// A subscription that is open when the server ends is told so; it does not just end.
async function during() {
  const { stream } = JSON.parse(readFileSync(stateFile, 'utf8'));
  const client = connect();
  await refused('unavailable', async () => {
    for await (const told of client.subscribeToStream(stream, { fromRevision: START })) {
      if (Number(told.event.revision) === 5) console.log('subscribed');
    }
  }, 'a subscription at the end of the server');
}

async function after() {
  const { stream, position, group } = JSON.parse(readFileSync(stateFile, 'utf8'));
  const client = connect();
  const [commit, prepare] = position.map(BigInt);
  for (const number of [6, 7]) await client.appendToStream(stream, event(number));
  const filter = api.streamNameFilter({ prefixes: [stream] });
  const found = await subscribe(client, { fromPosition: { commit, prepare }, filter },
    (found) => found.length === 2);
  must(revisions(found) === '6,7', `a subscription goes on where it was: ${revisions(found)}`);
  await goesOn(client, group);
}

await { before, during, after }[when]();
console.log(`${name} ${when}: ok`);
process.exit(0);
