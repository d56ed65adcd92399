// python-socketio's clients, the current one and that of the generation before, in
// both of their forms: tests/python/socket_client.py says what they do.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { prepared, run } from '../harness/clients/program.mjs';
import { startServer } from '../harness/server.mjs';

const script = fileURLToPath(new URL('socket_client.py', import.meta.url));
const pythons = {
  'python-socketio 5.18': prepared('DORMOUSE_PYTHON', '.venv/bin/python'),
  'python-socketio 4.6': prepared('DORMOUSE_PYTHON_OLD', '.venv-old/bin/python'),
};
const scenarios = 6;

const server = await startServer();
after(() => server.stop());

for (const [name, python] of Object.entries(pythons)) {
  describe(name, { concurrency: 2 }, () => {
    for (const kind of ['sync', 'asyncio']) {
      for (const transport of ['polling', 'websocket', 'upgrade']) {
        test(`${kind}, ${transport}`, async () => {
          const done = await run(python, script, kind, transport, server.url, 'io');
          assert.equal(done.trim().split('\n').length, scenarios);
        });
      }
    }
  });
}
