// examples/migration/python-socketio: stock clients see the same of both.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { prepared } from '../harness/clients/program.mjs';
import { startProgram } from '../harness/gateway.mjs';
import { converse } from '../harness/migration.mjs';
import { root } from '../harness/root.mjs';
import { startServer } from '../harness/server.mjs';

async function reminds({ ask, ada, cem }) {
  await ask(ada, 'remind', 1, 'tea');
  assert.deepEqual(await ada.next('reminder'), ['tea']);
  assert.deepEqual(cem.pending('reminder'), []);
}

test('on python-socketio', async (t) => {
  const python = prepared('DORMOUSE_PYTHON', '.venv/bin/python');
  const server = await startProgram(python, path.join(root, 'examples/migration/python-socketio/server.py'));
  t.after(() => server.stop());
  await reminds(await converse(server, t));
});

for (const asleep of [false, true]) {
  test(`on Dormouse, ${asleep ? 'asleep between any two steps' : 'awake'}`, async (t) => {
    const server = await startServer({ build: 'examples/recipes/build' });
    t.after(() => server.stop());
    const rest = async (sid) => asleep && assert.equal(await server.sleep(sid), true);
    await reminds(await converse(server, t, rest));
  });
}
