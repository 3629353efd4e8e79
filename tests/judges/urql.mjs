// A mutation and a query by @urql/core, unmodified.
import { Client, cacheExchange, fetchExchange } from '@urql/core';
import { REGISTER, RECORD, TIMELINE, done, fresh, graphql, interaction, must } from './say.mjs';

const client = new Client({
  url: graphql,
  exchanges: [cacheExchange, fetchExchange],
  preferGetMethod: false,
});

const input = { kind: 'PERSON', name: 'Judge', idempotencyKey: fresh('urql') };
const registered = await client.mutation(REGISTER, { input }).toPromise();
must(!registered.error, `a mutation without error, not ${registered.error}`);
const customer = registered.data.registerCustomer.customer.id;

const recorded = await client.mutation(RECORD, { input: interaction(customer, 'urql') }).toPromise();
must(!recorded.error, `a mutation without error, not ${recorded.error}`);
const position = recorded.data.recordInteraction.position;

const read = await client
  .query(TIMELINE, { customer, first: 10 }, {
    requestPolicy: 'network-only',
    fetchOptions: { headers: { 'cx-at-least': position } },
  })
  .toPromise();
must(!read.error, `a query without error, not ${read.error}`);
must(read.data.timeline.edges.length >= 1, 'the recorded interaction in the timeline');
must(read.extensions?.position, 'the position the answer is true at');

const byGet = await client
  .query(TIMELINE, { customer, first: 1 }, { requestPolicy: 'network-only', preferGetMethod: 'force' })
  .toPromise();
must(!byGet.error, `a query by GET without error, not ${byGet.error}`);

const wrong = await client.query('{ nothing }', {}).toPromise();
const code = wrong.error?.graphQLErrors[0]?.extensions.code;
must(code === 'VALIDATION_FAILED', `a code for an unknown field, not ${code}`);
done('@urql/core');
