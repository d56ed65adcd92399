// The HTTP API against its description, docs/openapi.json: Schemathesis sends what it says
// can be sent, and what it says cannot, and compares the answers with it.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { apiOf, secret, startWithApi } from '../harness/api.mjs';
import { prepared } from '../harness/clients/program.mjs';
import { extent } from '../harness/extent.mjs';
import { root } from '../harness/root.mjs';

const server = await startWithApi();
after(() => server.stop());

const file = path.join(root, 'docs', 'openapi.json');
const description = JSON.parse(readFileSync(file, 'utf8'));

/** In milliseconds, before something must be wrong. */
const LONGEST = 180_000;

test('all of it is as described', { timeout: LONGEST + 30_000 }, async () => {
  const python = prepared('DORMOUSE_PYTHON_API', '.venv-api/bin/python');
  // It writes down what it has found there.
  const cwd = mkdtempSync(path.join(os.tmpdir(), 'dormouse-'));
  const inTests = (name) => path.join(root, 'tests', 'python', name);
  const args = [
    ...['--config-file', inTests('schemathesis.toml'), '--no-color'],
    ...['run', file, '--url', apiOf(server).url('').replace(/\/$/, '')],
    ...['--header', `Authorization: Bearer ${secret}`, '--phases', 'examples,coverage,fuzzing'],
    // Always the same.
    ...['--max-examples', String(extent(3, 10)), '--seed', '1', '--workers', '1', '--request-timeout', '10'],
  ];
  const child = spawn(path.join(path.dirname(python), 'schemathesis'), args, {
    cwd,
    env: { ...process.env, SCHEMATHESIS_HOOKS: inTests('described.py') },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST,
    killSignal: 'SIGKILL',
  });
  let report = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (report += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  rmSync(cwd, { recursive: true, force: true });
  assert.equal(code, 0, report);
  assert.match(report, /Tested: 8/);
});

test('its examples are served', async () => {
  for (const [name, { post }] of Object.entries(description.paths)) {
    for (const { examples = {} } of Object.values(post.requestBody.content)) {
      for (const { value } of Object.values(examples)) {
        const { status, answer } = await apiOf(server).post(name.slice(1), value);
        assert.equal(status, 200, `${name}: ${JSON.stringify(answer)}`);
      }
    }
  }
});
