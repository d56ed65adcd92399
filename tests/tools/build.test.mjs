// Two processes that want the same Worker: tests beside an edit, or parts of the tests beside
// each other.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { within } from '#dormouse-test/wait.mjs';
import { lockOf, testWorker } from '../../tools/build.mjs';
import { withLock } from '../../tools/lock.mjs';
import { status } from '../../tools/shell.mjs';
import { root } from '../harness/root.mjs';
import { workerOnly } from '../harness/target.mjs';

test('whoever builds what another process is building waits for it', workerOnly, async () => {
  const waits = Promise.withResolvers();
  let text = '';
  const onText = (more) => {
    text += more;
    if (text.includes('waiting for another process that is busy with building the Worker in tests/worker')) waits.resolve();
  };
  let second;
  await withLock(lockOf(testWorker), 'building', async () => {
    second = status(process.execPath, [path.join(root, 'tools/build.mjs'), testWorker], { onText, quiet: true });
    await within(waits.promise, 'wait for the first');
  });
  assert.equal(await within(second, 'end'), 0, text);
  assert.match(text, /the Worker in tests\/worker is built already\n$/);
});
