// python-socketio's clients, the current one and that of the generation before, in
// both of their forms: tests/python/socket_client.py says what they do.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startServer } from '../harness/server.mjs';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const pythons = {
  'python-socketio 5.18': process.env.DORMOUSE_PYTHON ?? file('../../.venv/bin/python'),
  'python-socketio 4.6': process.env.DORMOUSE_PYTHON_OLD ?? file('../../.venv-old/bin/python'),
};
const scenarios = 6;

const server = await startServer();
after(() => server.stop());

for (const [name, python] of Object.entries(pythons)) {
  assert.ok(existsSync(python), `there is no ${python}: npm test makes one`);
  describe(name, { concurrency: 2 }, () => {
    for (const kind of ['sync', 'asyncio']) {
      for (const transport of ['polling', 'websocket', 'upgrade']) {
        test(`${kind}, ${transport}`, async () => {
          const done = await run(python, kind, transport, server.url, 'io');
          assert.equal(done.trim().split('\n').length, scenarios);
        });
      }
    }
  });
}

function run(python, ...args) {
  return new Promise((resolve, reject) => {
    const options = { timeout: 60_000, killSignal: 'SIGKILL' };
    execFile(python, [file('socket_client.py'), ...args], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`after ${stdout}\n${stderr || error.message}`));
      else resolve(stdout);
    });
  });
}
