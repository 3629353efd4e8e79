// What the parts of the Node judge share: one of the two packages, and what it may answer.
//
//     judge.mjs @kurrent/kurrentdb-client|@eventstore/db-client HOST:PORT CERTIFICATE PASSWORD \
//         before|during|after STATE
import { randomUUID } from 'node:crypto';

export const [name, target, certificate, password, when, stateFile] = process.argv.slice(2);
export const api = await import(name);
const Client = api.KurrentDBClient ?? api.EventStoreDBClient;

// The newer client calls it a state.
export const expecting = (state) => ({ expectedRevision: state, streamState: state });

export const connect = (user = 'admin', secret = password, more = '') =>
  Client.connectionString(
    `esdb://${user}:${secret}@${target}?tls=true&tlsCAFile=${encodeURIComponent(certificate)}${more}`,
  );

export function must(truth, what) {
  if (!truth) {
    console.error(`${name}: not so: ${what}`);
    process.exit(1);
  }
}

// A call fails, and in this way: the type of the failure is the same in both packages.
export async function refused(kind, call, what) {
  try {
    await call();
  } catch (error) {
    const type = error.type ?? error.constructor.name;
    const found = type === 'unknown' ? `${type} ${error.code}` : type;
    must(found === kind, `${what} fails as ${kind}, not as ${found}: ${error}`);
    return;
  }
  must(false, `${what} is refused`);
}

export const newStream = (kind = 'judge') => `${kind}-${randomUUID()}`;

export const event = (number, more = {}) =>
  api.jsonEvent({ id: randomUUID(), type: 'Counted', data: { number }, metadata: { by: 'judge' }, ...more });

export async function all(stream) {
  const found = [];
  for await (const told of stream) found.push(told.event);
  return found;
}

export const revisions = (events) => events.map((one) => Number(one.revision)).join();

export async function until(what, call) {
  for (const end = Date.now() + 30000; Date.now() < end; ) if (await call()) return;
  must(false, what);
}
