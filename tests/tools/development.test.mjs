// A development build, by our own wasm-bindgen and with our own JavaScript around the wasm: it
// serves clients, outlives panics, and offers nothing else to call.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { makeObject } from '../../benches/harness/platform.mjs';
import { testWorker } from '../../tools/build.mjs';
import { ensureOwnBindgen } from '../../tools/cargo-tools.mjs';
import { buildForDevelopment } from '../../tools/development.mjs';
import { setUpDevelopment } from '../../tools/setup.mjs';
import { assertEchoes } from '../harness/engine/expect.mjs';
import { openSession } from '../harness/engine/session.mjs';
import { root } from '../harness/root.mjs';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const BUILD = path.join(root, 'target/development');

describe('a development build', workerOnly, async () => {
  const { esbuild } = await setUpDevelopment();
  await buildForDevelopment(testWorker, BUILD, { bindgen: await ensureOwnBindgen(), esbuild });
  const server = await startServer({ build: BUILD });
  after(() => server.stop());

  test('serves Engine.IO', async () => {
    const session = await openSession(server);
    await assertEchoes(session);
    session.close();
  });

  for (const event of ['panic', 'fail']) {
    test(`after ${event}, sockets are as they were, awake and asleep`, async () => {
      const namespace = freshNamespace();
      const [culprit, other] = [await openMember(server, { namespace }), await openMember(server, { namespace })];
      await other.ask('join', 'room');
      await other.ask('set-data', { kept: true });
      for (let round = 0; round < 3; round += 1) {
        await culprit.emit(event, 'on purpose');
        assert.deepEqual(await culprit.ask('cast', { to: ['room'] }, 'news', round), ['ok']);
        await other.expect('news', round);
      }
      assert.equal(await server.sleep(other.client.sid), true);
      await culprit.emit(event, 'on purpose');
      assert.deepEqual(await other.ask('get-data'), [{ kept: true }]);
      for (const member of [culprit, other]) await member.client.close();
    });
  }

  test('objects call each other', async () => {
    const options = { path: '/spread-plain/', namespace: freshNamespace() };
    const [sender, ...members] = await Promise.all(Array.from({ length: 6 }, () => openMember(server, options)));
    for (const member of members) await member.ask('join', 'room');
    assert.deepEqual(await sender.ask('cast', { to: ['room'] }, 'news', 1), ['ok']);
    for (const member of members) await member.expect('news', 1);
    for (const member of [sender, ...members]) await member.client.close();
  });

  test('the class has the methods of the platform and ours, and none of wasm-bindgen\'s', async () => {
    const { object } = await makeObject(path.join(BUILD, 'index.js'), 'Dormouse');
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(object)).toSorted();
    const events = ['alarm', 'fetch', 'webSocketClose', 'webSocketError', 'webSocketMessage'];
    assert.deepEqual(names, ['constructor', 'dormouseCall', 'dormouseWake', ...events].toSorted());
  });
});
