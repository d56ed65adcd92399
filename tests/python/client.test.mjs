// python-engineio's client, both of its forms: tests/python/client.py says what
// it does, and each scenario there is a process of its own.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startServer } from '../harness/server.mjs';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const python = process.env.DORMOUSE_PYTHON ?? file('../../.venv/bin/python');
assert.ok(existsSync(python), `there is no ${python}: npm test makes one`);

const server = await startServer();
after(() => server.stop());

const scenarios = [
  'text',
  'binary',
  'unicode',
  'big',
  'burst',
  'transport',
  'close_by_client',
  'close_by_server',
  'heartbeat',
];

for (const kind of ['sync', 'asyncio']) {
  for (const transport of ['polling', 'websocket', 'upgrade']) {
    describe(`python-engineio, ${kind}, ${transport}`, { concurrency: 2 }, () => {
      for (const scenario of scenarios) {
        test(scenario.replaceAll('_', ' '), async () => {
          const path = scenario === 'heartbeat' ? 'engine.io' : 'sleepy';
          await run(kind, transport, scenario, server.url, path);
        });
      }
    });
  }
}

function run(...args) {
  return new Promise((resolve, reject) => {
    const options = { timeout: 60_000, killSignal: 'SIGKILL' };
    execFile(python, [file('client.py'), ...args], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${args.join(' ')}\n${stderr || error.message}`));
      else resolve(stdout);
    });
  });
}
