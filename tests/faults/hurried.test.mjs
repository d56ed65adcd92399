// A thousand requests at once on one sid, of all kinds: each is answered, none with a
// 5xx, and no session but that one is concerned.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { assertAlive } from '../harness/engine/expect.mjs';
import { encode } from '../harness/engine/payload.mjs';
import { openPolling } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { openWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
const COUNT = 1_000;

for (const revision of [3, 4]) {
  describe(`revision ${revision}`, workerOnly, () => {
    const options = { revision, path };
    const hello = encode(revision, ['4hello']);
    const probe = (sid) => openWebSocket(server, { path, query: { EIO: revision, sid } });

    const chunked = { headers: { 'transfer-encoding': 'chunked' } };

    /** The status of a request; a WebSocket that is opened says 101, and is probed. */
    const kinds = [
      (session) => session.get().then(({ status }) => status),
      (session) => session.post(hello).then(({ status }) => status),
      (session) => session.post(hello, chunked).then(({ status }) => status),
      (session) =>
        probe(session.sid).then(
          (peer) => {
            peer.send('2probe');
            return peer.end('end of a WebSocket too many', 30_000).then(() => 101);
          },
          ({ answer, message }) => answer?.status ?? assert.fail(message),
        ),
    ];

    /** What is answered to a thousand of these at once. */
    const statusesOf = async (session, requests) => {
      const all = Array.from({ length: COUNT }, (_, index) => requests[index % requests.length](session));
      return new Set(await Promise.all(all));
    };

    const assertPolite = (statuses) => {
      for (const status of statuses) assert.ok([101, 200, 400].includes(status), `status ${status}`);
    };

    test('of all kinds: all are answered, and the session is over', async () => {
      const others = await bystanders(server, options);
      const session = await openPolling(server, options);
      const statuses = await statusesOf(session, kinds);
      assertPolite(statuses);
      assert.ok(statuses.has(400), 'two requests at once were taken');
      assert.equal(server.logs.find({ event: 'disconnect', sid: session.sid }).length, 1);
      assert.equal((await session.get()).status, 400);
      await others.check();
      await others.leave();
      await assertAlive(await openPolling(server, options));
    });

    test('WebSockets alone: at most one is taken, and the session goes on', async () => {
      const others = await bystanders(server, options);
      const session = await openPolling(server, options);
      const refused = ({ answer }) => assert.equal(answer.status, 400);
      const asked = Array.from({ length: COUNT / 5 }, () => probe(session.sid).catch(refused));
      const opened = (await Promise.all(asked)).filter(Boolean);
      for (const peer of opened) peer.send('2probe');
      const answers = opened.map((peer) => peer.next('answer to the probe').catch(() => undefined));
      const probed = await Promise.all(answers);
      const answered = probed.filter((frame) => frame === '3probe').length;
      assert.ok(answered <= 1, `${answered} WebSockets were taken`);
      await assertAlive(session);
      for (const peer of opened) peer.destroy();
      await others.check();
      await others.leave();
    });

    test('at an unknown sid: each is refused', async () => {
      const session = await openPolling(server, options);
      await session.send('1');
      await session.get();
      assert.deepEqual(await statusesOf(session, kinds), new Set([400]));
    });
  });
}
