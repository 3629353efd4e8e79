// The audits of graphql-http, unmodified: `node audit.mjs http://127.0.0.1:8080`.
import { serverAudits } from 'graphql-http';

const [, , base, expected = '61'] = process.argv;
const audits = serverAudits({ url: `${base}/graphql`, fetchFn: fetch });
let passed = 0;
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status === 'ok') {
    passed += 1;
  } else {
    console.log(`${result.status} ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
console.log(`graphql-http audits: ${passed} of ${audits.length}`);
process.exit(passed === audits.length && passed === Number(expected) ? 0 : 1);
