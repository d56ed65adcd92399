// examples/migration/socket.io: stock clients see the same of both.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { startProgram } from '../harness/gateway.mjs';
import { converse } from '../harness/migration.mjs';
import { root } from '../harness/root.mjs';
import { startApplication } from '../harness/typescript.mjs';

const folder = 'examples/migration/socket.io';

test('on socket.io', async (t) => {
  const server = await startProgram(process.execPath, path.join(root, folder, 'server.mjs'));
  t.after(() => server.stop());
  await converse(server, t);
});

for (const asleep of [false, true]) {
  test(`with dormouse-io, ${asleep ? 'asleep between any two steps' : 'awake'}`, async (t) => {
    const server = await startApplication(path.join(folder, 'worker.ts'));
    t.after(() => server.stop());
    const rest = async (sid) => asleep && assert.equal(await server.sleep(sid), true);
    await converse(server, t, { rest });
  });
}
