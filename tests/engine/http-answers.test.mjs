// What HTTP answers look like: types, caching, compression, limits, methods.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import { assertAlive, assertClosed, assertError } from '../harness/engine/expect.mjs';
import { encode } from '../harness/engine/payload.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer({ entry: true });
after(() => server.stop());

const THRESHOLD = 1024;

for (const revision of [3, 4]) {
  const message = (text) => encode(revision, [`4${text}`]);

  describe(`revision ${revision}`, { concurrency: true }, () => {
    test('GET: text/plain, UTF-8, never stored', async () => {
      const session = await openPolling(server, { revision });
      await session.send('4hello');
      const { status, headers } = await session.get();
      assert.equal(status, 200);
      assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
      assert.equal(headers['cache-control'], 'no-store');
    });

    test('POST: text/html, the body is ok in lower case, never stored', async () => {
      const session = await openPolling(server, { revision });
      const { status, headers, text } = await session.post(message('hello'));
      assert.deepEqual([status, text], [200, 'ok']);
      assert.match(headers['content-type'], /^text\/html/);
      assert.equal(headers['cache-control'], 'no-store');
    });

    test('is taken for nothing but what it says it is', differs('leaves that to others'), async () => {
      const session = await openPolling(server, { revision });
      const posted = await session.post(message('hello'));
      for (const { headers } of [session.answer, posted, await session.get(), await session.post('x')]) {
        assert.equal(headers['x-content-type-options'], 'nosniff');
      }
    });

    for (const method of ['PUT', 'DELETE', 'PATCH', 'HEAD']) {
      const calls = differs('answers 500');
      test(`${method} with a sid: an error, and the session stays`, calls, async () => {
        const session = await openPolling(server, { revision });
        const { status } = await session.get({ method });
        assert.ok(status >= 400 && status < 500, `status ${status}`);
        await assertAlive(session);
      });
    }
  });

  describe(`compression, revision ${revision}`, { concurrency: true }, () => {
    const decoders = { gzip: zlib.gunzipSync, deflate: zlib.inflateSync };

    /** The answer to a poll whose body has exactly `size` bytes. */
    async function answerOf(size, headers) {
      const session = await openPolling(server, { revision });
      const digits = revision === 3 ? String(size).length + 1 : 0;
      const text = 'z'.repeat(size - digits - 1);
      await session.send(`4${text}`);
      return { answer: await session.get({ headers }), body: message(text) };
    }

    for (const encoding of ['gzip', 'deflate']) {
      test(`${encoding} at the threshold, where the client accepts it`, async () => {
        const { answer, body } = await answerOf(THRESHOLD, { 'accept-encoding': encoding });
        assert.equal(answer.headers['content-encoding'], encoding);
        assert.equal(decoders[encoding](answer.body).toString(), body);
        assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
      });
    }

    test('not below the threshold', async () => {
      const { answer, body } = await answerOf(THRESHOLD - 1, { 'accept-encoding': 'gzip, deflate' });
      assert.equal(answer.headers['content-encoding'], undefined);
      assert.equal(answer.text, body);
    });

    test('not where the client accepts nothing of it', async () => {
      for (const accepted of [undefined, 'br', 'identity', 'gzip;q=0', 'gzip;q=0, deflate;q=0.0']) {
        const headers = accepted === undefined ? {} : { 'accept-encoding': accepted };
        const { answer, body } = await answerOf(THRESHOLD, headers);
        assert.equal(answer.headers['content-encoding'], undefined, accepted);
        assert.equal(answer.text, body);
      }
    });

    test('what a proxy accepts in the name of the client does not count', async () => {
      // The entry asks for gzip whatever its client says, as Cloudflare does.
      const entry = { ...server, port: new URL(server.entryUrl).port };
      for (const [accepted, encoding] of [[undefined, undefined], ['deflate', 'deflate']]) {
        const headers = accepted === undefined ? {} : { 'accept-encoding': accepted };
        const session = await openPolling(entry, { revision });
        await session.send(message('z'.repeat(2 * THRESHOLD)).replace(/^\d+:/, ''));
        const answer = await session.get({ headers });
        assert.equal(answer.headers['content-encoding'], encoding, accepted);
        const body = encoding ? decoders[encoding](answer.body).toString() : answer.text;
        assert.equal(body, message('z'.repeat(2 * THRESHOLD)));
      }
    });

    test('gzip of several, and with weights', async () => {
      for (const accepted of ['gzip, deflate, br', 'br;q=1, gzip;q=0.5', '*']) {
        const { answer, body } = await answerOf(THRESHOLD, { 'accept-encoding': accepted });
        assert.equal(answer.headers['content-encoding'], 'gzip', accepted);
        assert.equal(zlib.gunzipSync(answer.body).toString(), body);
      }
    });
  });

  describe(`payload limit, revision ${revision}`, { concurrency: true }, () => {
    const LIMIT = 1_000_000;
    // Without a frame around it, so that its length is the length of the body.
    const overhead = message('x'.repeat(900_000)).length - 900_000;

    test('a POST of exactly the limit is taken', async () => {
      const session = await openPolling(server, { revision });
      const text = 'x'.repeat(LIMIT - overhead);
      const answer = await session.post(message(text));
      assert.deepEqual([answer.status, answer.text], [200, 'ok']);
      assert.deepEqual(await session.poll(), [`4${text}`]);
    });

    test('a POST one byte over the limit: 413, and the session stays', async () => {
      const session = await openPolling(server, { revision });
      const answer = await session.post(message('x'.repeat(LIMIT - overhead + 1)));
      assert.deepEqual([answer.status, answer.text], [413, '']);
      await assertAlive(session);
    });

    test('the limit counts bytes, not characters', async () => {
      const session = await openPolling(server, { revision });
      const answer = await session.post(message('€'.repeat(LIMIT / 2)));
      assert.equal(answer.status, 413);
      await assertAlive(session);
    });

    test('a POST over the limit without a content-length: 413 as well', async () => {
      const session = await openPolling(server, { revision });
      const headers = { 'transfer-encoding': 'chunked' };
      const answer = await session.post('4'.repeat(LIMIT + 1), { headers });
      assert.equal(answer.status, 413);
      await assertAlive(session);
    });

    test('a WebSocket message over the limit: closed with 1009', async () => {
      const peer = await openSession(server, { revision });
      peer.send(`4${'x'.repeat(LIMIT)}`);
      assert.equal((await peer.end()).code, 1009);
    });

    test('a binary WebSocket message over the limit: closed with 1009', async () => {
      const peer = await openSession(server, { revision });
      peer.send(Buffer.alloc(LIMIT + 1, 4));
      assert.equal((await peer.end()).code, 1009);
    });

    test('a WebSocket message of exactly the limit is taken', async () => {
      const peer = await openSession(server, { revision });
      const frame = `4${'x'.repeat(LIMIT - 1)}`;
      peer.send(frame);
      assert.equal(await peer.next(), frame);
      peer.close();
    });
  });
}

describe('requests that are not ours', { concurrency: true }, () => {
  test('reach the application', async () => {
    const answer = await fetchRaw(server, { path: '/plain' });
    assert.deepEqual([answer.status, answer.text], [200, 'plain']);
  });

  test('are not found where the application has nothing', async () => {
    assert.equal((await fetchRaw(server, { path: '/engine.iox/' })).status, 404);
  });
});

test('an error is never stored by a cache that follows the headers', differs('sets no such header'), async () => {
  const answer = await fetchRaw(server, { path: '/sleepy/', query: { EIO: 4 } });
  assertError(answer, 0);
  assert.equal(answer.headers['cache-control'], 'no-store');
});

test('a POST with no body at all is a bad packet', async () => {
  const session = await openPolling(server);
  await session.post(undefined);
  await assertClosed(session);
});
