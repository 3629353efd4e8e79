// What every judge needs: an address, an assertion, a last word.
export const base = process.argv[2] ?? 'http://127.0.0.1:8080';
export const graphql = `${base}/graphql`;
export const socket = graphql.replace(/^http/, 'ws');

export function must(truth, what) {
  if (!truth) {
    console.error(`not so: ${what}`);
    process.exit(1);
  }
}

export function done(name) {
  console.log(`${name}: ok`);
  process.exit(0);
}

// A key nobody used before, so that a judge can be run again on the same server.
export const fresh = (name) => `${name}-${Date.now()}-${Math.random().toString(36).slice(2)}`;

export const REGISTER = /* GraphQL */ `
  mutation Register($input: RegisterCustomerInput!) {
    registerCustomer(input: $input) {
      position
      duplicate
      errors { code message }
      customer { id }
    }
  }
`;

export const RECORD = /* GraphQL */ `
  mutation Record($input: RecordInteractionInput!) {
    recordInteraction(input: $input) {
      position
      duplicate
      errors { code message }
    }
  }
`;

export const TIMELINE = /* GraphQL */ `
  query Timeline($customer: ID!, $first: Int, $after: String) {
    timeline(customer: $customer, first: $first, after: $after) {
      edges { cursor node { id kind occurredAt } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;

export const FOLLOW = /* GraphQL */ `
  subscription Follow($customer: ID!, $after: Position) {
    timeline(customer: $customer, after: $after) {
      position
      entry { id kind occurredAt }
    }
  }
`;

export const interaction = (customer, name) => ({
  customer,
  kind: process.env.CX_KIND ?? 'CALL',
  channel: 'PHONE',
  direction: 'IN',
  initiator: 'CUSTOMER',
  idempotencyKey: fresh(name),
});

async function send(query, variables) {
  const response = await fetch(graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await response.json();
  must(!answer.errors, `an answer without errors, not ${JSON.stringify(answer.errors)}`);
  return answer.data;
}

// A customer of its own for a judge that follows one.
export async function register(name) {
  const input = { kind: 'PERSON', name: 'Judge', idempotencyKey: fresh(name) };
  const { registerCustomer } = await send(REGISTER, { input });
  must(registerCustomer.customer?.id, 'a registered customer with an id');
  return registerCustomer;
}

export async function record(customer, name) {
  const { recordInteraction } = await send(RECORD, { input: interaction(customer, name) });
  must(recordInteraction.position, 'a recorded interaction with a position');
  return recordInteraction.position;
}
