// A mutation and a query by @apollo/client, unmodified.
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { REGISTER, RECORD, TIMELINE, done, fresh, graphql, interaction, must } from './say.mjs';

const client = new ApolloClient({
  link: new HttpLink({ uri: graphql, fetch }),
  cache: new InMemoryCache(),
});

const input = { kind: 'PERSON', name: 'Judge', idempotencyKey: fresh('apollo') };
const registered = await client.mutate({ mutation: gql(REGISTER), variables: { input } });
const customer = registered.data.registerCustomer.customer.id;
must(customer, 'a registered customer with an id');

const recorded = await client.mutate({
  mutation: gql(RECORD),
  variables: { input: interaction(customer, 'apollo') },
});
const position = recorded.data.recordInteraction.position;

const read = await client.query({
  query: gql(TIMELINE),
  variables: { customer, first: 10 },
  fetchPolicy: 'no-cache',
  context: { headers: { 'cx-at-least': position } },
});
must(read.data.timeline.edges.length >= 1, 'the recorded interaction in the timeline');

let code;
try {
  await client.query({ query: gql('{ nothing }') });
} catch (error) {
  code = error.errors?.[0]?.extensions?.code;
}
must(code === 'VALIDATION_FAILED', `a code for an unknown field, not ${code}`);
done('@apollo/client');
