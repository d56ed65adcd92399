// Workers that are deployed in other ways than our wrangler.toml has it.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertAlive } from '../harness/engine/expect.mjs';
import { openPolling } from '../harness/engine/session.mjs';
import { COMPATIBILITY_FLAGS } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

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

  test('without no_web_socket_compression it serves, and warns once', async () => {
    const compatibilityFlags = COMPATIBILITY_FLAGS.filter((flag) => flag !== 'no_web_socket_compression');
    await configured({ compatibilityFlags }, async (server) => {
      await assertAlive(await openPolling(server));
      const entry = await server.logs.waitFor({ event: 'compressed' });
      await assertAlive(await openPolling(server));
      assert.deepEqual(server.logs.find({ event: 'compressed' }), [entry]);
      assert.match(entry.message, /`no_web_socket_compression`.*wrangler\.toml/);
      assert.equal(entry.level, 'warn');
      assert.deepEqual(server.logs.find(misconfigured), []);
    });
  });

  test('with those of wrangler.toml there is nothing to say', async () => {
    await configured({ compatibilityFlags: COMPATIBILITY_FLAGS }, async (server) => {
      await assertAlive(await openPolling(server));
      assert.deepEqual(server.logs.find(misconfigured), []);
      assert.deepEqual(server.logs.find({ event: 'compressed' }), []);
    });
  });
});

describe('the class Dormouse', workerOnly, () => {
  const handshake = { path: '/sleepy/', query: { EIO: 4, transport: 'polling' } };
  // A runtime that knows the class, and a Worker without a binding to it.
  const exported = {
    durableObjects: {},
    additionalUnboundDurableObjects: [{ className: 'Dormouse', useSQLite: true }],
  };

  test('needs no binding where it is declared among the exports', async () => {
    await configured(exported, async (server) => {
      const session = await openPolling(server);
      await assertAlive(session);
      // So it is where nothing but the environment is at hand.
      const query = { path: '/sleepy/', sid: session.sid };
      const sent = await fetchRaw(server, { method: 'POST', path: '/send', query, body: 'hello' });
      assert.equal(sent.status, 200, sent.text);
      assert.deepEqual(await session.poll(), ['4hello']);
      const route = { path: '/io-route/fetch', query: { path: '/socket.io/', namespace: '/' } };
      const { status, text } = await fetchRaw(server, route);
      assert.deepEqual([status, text], [200, '[]']);
      assert.deepEqual(server.logs.find(misconfigured), []);
    });
  });

  test('that is neither bound nor declared: 500, and how to do both', async () => {
    await configured({ durableObjects: {} }, async (server) => {
      const answer = await fetchRaw(server, handshake);
      assert.equal(answer.status, 500);
      const { message } = await server.logs.waitFor(misconfigured);
      for (const remedy of [/durable_objects\.bindings.*"DORMOUSE"/, /\[exports\.Dormouse\].*"sqlite"/]) {
        assert.match(message, remedy);
        assert.match(answer.text, remedy);
      }
    });
  });

  test('without SQLite: it serves, and says once which migration it needs', async () => {
    const durableObjects = { DORMOUSE: { className: 'Dormouse', useSQLite: false } };
    await configured({ durableObjects }, async (server) => {
      await assertAlive(await openPolling(server));
      const entry = await server.logs.waitFor(misconfigured);
      await assertAlive(await openPolling(server));
      await server.settled();
      assert.deepEqual(server.logs.find(misconfigured), [entry]);
      assert.match(entry.message, /`new_sqlite_classes`.*wrangler\.toml/);
    });
  });
});
