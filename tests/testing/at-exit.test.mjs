// Many servers of one process: what is left of them goes when it ends, and Node has nothing
// to say about it.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

const module = import.meta.resolve('#dormouse-test/at-exit.mjs');

test('what is left is done when the process ends, and what was taken back is not', () => {
  const script = `
    const { atExit } = await import(${JSON.stringify(module)});
    const forgets = Array.from({ length: 12 }, (_, number) => atExit(() => console.log(number)));
    forgets.slice(2).forEach((forget) => forget());
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '0\n1\n', stderr: '' });
});
