// Workers that are deployed in other ways than our wrangler.toml has it.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertAlive } from '../harness/engine/expect.mjs';
import { openPolling } from '../harness/engine/session.mjs';
import { COMPATIBILITY_FLAGS } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

/** Runs `use` against a Worker that is configured so. */
async function configured(worker, use) {
  const server = await startServer({ worker });
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

const misconfigured = { event: 'misconfigured' };

describe('compatibility flags', workerOnly, () => {
  test('without enable_request_signal it serves, and says once what is missing', async () => {
    await configured({ compatibilityFlags: [] }, async (server) => {
      await assertAlive(await openPolling(server));
      const entry = await server.logs.waitFor(misconfigured);
      await assertAlive(await openPolling(server));
      assert.deepEqual(server.logs.find(misconfigured), [entry]);
      assert.match(entry.message, /`enable_request_signal`.*wrangler\.toml/);
      assert.equal(entry.level, 'error');
    });
  });

  test('with those of wrangler.toml there is nothing to say', async () => {
    await configured({ compatibilityFlags: COMPATIBILITY_FLAGS }, async (server) => {
      await assertAlive(await openPolling(server));
      assert.deepEqual(server.logs.find(misconfigured), []);
    });
  });
});
