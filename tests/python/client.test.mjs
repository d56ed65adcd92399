// python-engineio's client, both of its forms: tests/python/client.py says what
// it does, and each scenario there is a process of its own.

import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { prepared, run } from '../harness/clients/program.mjs';
import { isSampled } from '../harness/extent.mjs';
import { startServer } from '../harness/server.mjs';

const script = fileURLToPath(new URL('client.py', import.meta.url));
const python = prepared('DORMOUSE_PYTHON', '.venv/bin/python');

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

['sync', 'asyncio'].forEach((kind, kindPlace) => {
  ['polling', 'websocket', 'upgrade'].forEach((transport, transportPlace) => {
    describe(`python-engineio, ${kind}, ${transport}`, { concurrency: 2 }, () => {
      scenarios.forEach((scenario, place) => {
        if (!isSampled(2, kindPlace, transportPlace, place)) return;
        test(scenario.replaceAll('_', ' '), async () => {
          const path = scenario === 'heartbeat' ? 'engine.io' : 'sleepy';
          await run(python, script, kind, transport, scenario, server.url, path);
        });
      });
    });
  });
});
