// A subscription by graphql-sse, unmodified: cut, and resumed after the last position seen; then
// the same by Last-Event-ID, as a browser's EventSource sends it.
import { createClient } from 'graphql-sse';
import { FOLLOW, done, graphql, must, record, register } from './say.mjs';

const open = (headers) => createClient({ url: graphql, headers, retryAttempts: 0 });

const { customer, position: start } = await register('graphql-sse');
const written = [];
for (let n = 0; n < 3; n += 1) written.push(await record(customer.id, `graphql-sse-${n}`));

const first = open();
const seen = [];
const fromStart = { customer: customer.id, after: start };
for await (const answer of first.iterate({ query: FOLLOW, variables: fromStart })) {
  must(!answer.errors, `an answer without errors, not ${JSON.stringify(answer.errors)}`);
  seen.push(answer.data.timeline);
  if (seen.length === 2) break;
}
first.dispose();
const cutAt = seen.at(-1).position;

for (let n = 3; n < 5; n += 1) written.push(await record(customer.id, `graphql-sse-${n}`));
const last = written.at(-1);

async function follow(client, variables) {
  const items = [];
  for await (const answer of client.iterate({ query: FOLLOW, variables })) {
    items.push(answer.data.timeline);
    if (answer.data.timeline.position === last) break;
  }
  client.dispose();
  return items;
}

const byArgument = await follow(open(), { customer: customer.id, after: cutAt });
const byHeader = await follow(open({ 'last-event-id': cutAt }), { customer: customer.id });
for (const [name, rest] of Object.entries({ byArgument, byHeader })) {
  const all = [...seen, ...rest];
  const ids = all.map((item) => item.entry.id);
  must(new Set(ids).size === ids.length, `no entry twice (${name})`);
  const positions = all.map((item) => item.position);
  must(written.every((position) => positions.includes(position)), `no entry missing (${name})`);
}

// On the wire each event carries its position as its id.
const response = await fetch(graphql, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
  body: JSON.stringify({ query: FOLLOW, variables: fromStart }),
});
let text = '';
const decoder = new TextDecoder();
for await (const chunk of response.body) {
  text += decoder.decode(chunk, { stream: true });
  if (text.split('event: next').length > 2) break;
}
must(/event: next\nid: [0-9.]+\ndata: \{/.test(text), 'an id before the data');
done('graphql-sse');
