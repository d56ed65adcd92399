// examples/migration/python-socketio and examples/migration/socketioxide: stock clients see the
// same of a server and of what it became here.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { prepared } from '../harness/clients/program.mjs';
import { startProgram } from '../harness/gateway.mjs';
import { converse } from '../harness/migration.mjs';
import { root } from '../harness/root.mjs';
import { startServer } from '../harness/server.mjs';

const python = () => [
  prepared('DORMOUSE_PYTHON', '.venv/bin/python'),
  path.join(root, 'examples/migration/python-socketio/server.py'),
];
const rust = () => [prepared('DORMOUSE_SOCKETIOXIDE', 'target/rust-client/debug/dormouse-socketioxide')];

migrates('python-socketio', python, {}, async ({ ask, ada, cem }) => {
  await ask(ada, 'remind', 1, 'tea');
  assert.deepEqual(await ada.next('reminder'), ['tea']);
  assert.deepEqual(cem.pending('reminder'), []);
});

migrates('socketioxide', rust, { path: '/talk/', route: '/notify/' }, async ({ ask, ada, cem }) => {
  assert.deepEqual(await ask(cem, 'last', 'kitchen'), [['Bob', 'hello']]);
  const texts = Array.from({ length: 20 }, (_, number) => `number ${number}`);
  // There, events that are under way together are handled in any order.
  for (const text of texts) await ask(ada, 'say', 'kitchen', text);
  assert.deepEqual(await ask(cem, 'last', 'kitchen'), texts.map((text) => ['Ada', text]));
  assert.deepEqual(await ask(cem, 'last', 'garden'), []);
});

/** Defines the tests of an application before and after. */
function migrates(name, program, options, goOn) {
  test(`on ${name}`, async (t) => {
    const server = await startProgram(...program());
    t.after(() => server.stop());
    await goOn(await converse(server, t, options));
  });

  for (const asleep of [false, true]) {
    test(`of ${name}, on Dormouse, ${asleep ? 'asleep between any two steps' : 'awake'}`, async (t) => {
      const server = await startServer({ build: 'examples/recipes/build' });
      t.after(() => server.stop());
      const rest = async (sid) => asleep && assert.equal(await server.sleep(sid), true);
      await goOn(await converse(server, t, { ...options, rest }));
    });
  }
}
