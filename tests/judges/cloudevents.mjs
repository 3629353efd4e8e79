// CloudEvents by the official SDK of npm, unmodified: structured, binary, and a batch by hand
// (the SDK has no emitter for batches, so it serialises the items).
import { CloudEvent, HTTP, emitterFor, httpTransport } from 'cloudevents';
import { base, done, fresh, must } from './say.mjs';

const url = `${base}/events`;
const subject = 'crm:judge-1';
const make = (id, type = 'cx.CustomerRegistered') =>
  new CloudEvent({
    id, type, subject,
    source: '/judges/npm',
    time: '2026-01-02T03:04:05Z',
    datacontenttype: 'application/json',
    data: JSON.parse(process.env.CX_EVENT_DATA ?? '{"kind":"person","name":"Judge"}'),
  });

async function post(message) {
  const response = await fetch(url, { method: 'POST', headers: message.headers, body: message.body });
  must(response.ok, `a status of success, not ${response.status}: ${await response.clone().text()}`);
  return response.json();
}

const one = make(fresh('npm'));
const taken = await post(HTTP.structured(one));
must(taken.items[0].outcome === 'taken', `taken, not ${JSON.stringify(taken)}`);
const repeated = await post(HTTP.binary(one));
must(repeated.items[0].outcome === 'repeated', `repeated, not ${JSON.stringify(repeated)}`);

const emit = emitterFor(httpTransport(url));
const emitted = await emit(make(fresh('npm')));
must(JSON.parse(emitted.body).taken === 1, `one taken by the emitter, not ${emitted.body}`);

const batch = await post({
  headers: { 'content-type': 'application/cloudevents-batch+json' },
  body: JSON.stringify([one, make(fresh('npm')), make(fresh('npm'), 'cx.NoSuchEvent')]),
});
const outcomes = batch.items.map((item) => item.outcome).join(' ');
must(outcomes === 'repeated taken quarantined', `an outcome for each item, not ${outcomes}`);
done('cloudevents (npm)');
