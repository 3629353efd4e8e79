// A subscription by graphql-ws, unmodified: cut, and resumed after the last position seen.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { FOLLOW, TIMELINE, done, must, record, register, socket } from './say.mjs';

let line;
class Line extends WebSocket {
  constructor(...args) {
    super(...args);
    line = this;
  }
}
const open = () => createClient({ url: socket, webSocketImpl: Line, retryAttempts: 0 });

const { customer, position: start } = await register('graphql-ws');
const written = [];
for (let n = 0; n < 3; n += 1) written.push(await record(customer.id, `graphql-ws-${n}`));

// The first client follows from the registration on and is cut after two entries.
const first = open();
const seen = [];
let cut;
try {
  const variables = { customer: customer.id, after: start };
  const follow = first.iterate({ query: FOLLOW, variables });
  for await (const answer of follow) {
    must(!answer.errors, `an answer without errors, not ${JSON.stringify(answer.errors)}`);
    must(answer.extensions?.position, 'a position in the extensions');
    if (seen.length < 2) seen.push(answer.data.timeline);
    if (seen.length === 2) line.terminate();
  }
} catch (close) {
  cut = close.code;
}
must(cut === 1006, `a line that was cut, not ${cut}`);

// While nobody listens, more happens.
for (let n = 3; n < 5; n += 1) written.push(await record(customer.id, `graphql-ws-${n}`));

const second = open();
const after = seen.at(-1).position;
const rest = second.iterate({ query: FOLLOW, variables: { customer: customer.id, after } });
const last = written.at(-1);
for await (const answer of rest) {
  seen.push(answer.data.timeline);
  if (answer.data.timeline.position === last) break;
}
const ids = seen.map((item) => item.entry.id);
must(new Set(ids).size === ids.length, 'no entry twice');
const positions = seen.map((item) => item.position);
must(written.every((position) => positions.includes(position)), 'no entry missing');

// A query over the same socket, and a document the guard refuses.
for await (const answer of second.iterate({ query: TIMELINE, variables: { customer: customer.id } })) {
  must(answer.data.timeline.edges.length >= 5, 'the timeline over the socket');
}
let refused;
try {
  const deep = `{ a${'{ a'.repeat(100)} ${'}'.repeat(101)}`;
  for await (const answer of second.iterate({ query: deep })) refused = answer;
} catch (errors) {
  refused = errors[0]?.extensions?.rule;
}
must(refused === 'nesting', `the guard before the socket, not ${JSON.stringify(refused)}`);
await second.dispose();
done('graphql-ws');
