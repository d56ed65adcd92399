// The scripts in tools/ end, whatever the programs do that they run, and leave nothing behind.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from '../harness/root.mjs';
import { statusWithin } from '../../tools/shell.mjs';
import { within } from '#dormouse-test/wait.mjs';

// Signals that can be handled never reach it.
const BLOCKED = `
  process.on('SIGTERM', () => {});
  console.log('the last line, ' + process.pid);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
`;

const hour = 3_600_000;

async function run(script, { last = /last/, grace = hour, limit = hour }) {
  let text = '';
  const onText = (more) => (text += more);
  const bounds = { last, grace, limit };
  const status = await within(statusWithin(process.execPath, ['-e', script], { onText, ...bounds }), 'end');
  return { status, text };
}

const isAlive = (pid) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a program that ends by itself has its own status, and all of its output is read', async () => {
  assert.deepEqual(await run('console.log("all"); process.exitCode = 3', {}), { status: 3, text: 'all\n' });
});

test('a program that is blocked after its last line is killed', async () => {
  const { status, text } = await run(BLOCKED, { grace: 10 });
  assert.equal(status, 128);
  assert.equal(isAlive(Number(/\d+/.exec(text)[0])), false);
});

test('a program that is blocked before its last line is killed', async () => {
  const { status } = await run(BLOCKED, { last: /another line/, limit: 500 });
  assert.equal(status, 128);
});

test('what a program leaves behind does not hold its output open', async () => {
  const script = `
    const { spawn } = require('node:child_process');
    spawn(process.execPath, ['-e', ${JSON.stringify(BLOCKED)}], { stdio: 'inherit' }).unref();
  `;
  const { status } = await run(script, {});
  assert.equal(status, 0);
});

for (const end of ['process.exit(3)', 'throw new Error("as asked for")', 'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1_000)']) {
  test(`what a killed program leaves among temporary files is gone after \`${end.split(';')[0]}\``, async () => {
    const leaves = 'fs.mkdtempSync(path.join(os.tmpdir(), "left-")); process.kill(process.pid, "SIGKILL")';
    const script = `
      const { keepTemporaryFiles } = await import(${JSON.stringify(path.join(root, 'tools/shell.mjs'))});
      const { spawnSync } = await import('node:child_process');
      const { readdirSync } = await import('node:fs');
      keepTemporaryFiles();
      spawnSync(process.execPath, ['-e', ${JSON.stringify(leaves)}]);
      console.log(process.env.TMPDIR + ' ' + readdirSync(process.env.TMPDIR).length);
      ${end}
    `;
    const { text, status } = await run(script, {});
    const [folder, left] = text.trim().split(' ');
    assert.deepEqual([left, existsSync(folder), status === 0], ['1', false, false]);
  });
}
