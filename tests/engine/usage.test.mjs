// What objects of an Engine.IO server count of what is billed, as the application is told, and
// as the meter of the package dormouse-test counts it from outside.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openSession } from '../harness/engine/session.mjs';
import { startMetered } from '../harness/meter/metered.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { sleeping, workerOnly } from '../harness/target.mjs';
import { metered, told, toldOfWake } from '../harness/usage.mjs';

const path = '/counted-engine/';

test('what has woken an object is told each time, and to whoever asks', sleeping, async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const session = await openSession(server, { path });
  await toldOfWake(server.logs, 'handshake');
  await server.sleep(session.sid);
  session.send('4hello');
  assert.equal(await session.next(), '4hello');
  await toldOfWake(server.logs, 'message');
  session.send('4since');
  const { wokenBy, messages, requests } = JSON.parse((await session.next()).slice(1));
  assert.deepEqual([wokenBy.message, messages, requests], [1, 2, 0]);
  await server.sleep(session.sid);
  session.close();
  await toldOfWake(server.logs, 'close');
  assert.deepEqual(told(server.logs).wokenBy, { handshake: 1, message: 1, close: 1 });
});

describe('what is billed', workerOnly, () => {
  test('is what the meter has counted', async (t) => {
    const server = await startMetered();
    t.after(() => server.stop());
    const object = 'counted';
    const session = await openSession(server, { path, query: { object } });
    /** What comes within a second is told with the first that comes after it. */
    const tellAll = async () => {
      const { now } = await server.state(object);
      await server.jump(now + 2_000);
      session.send('4hello');
      assert.equal(await session.next(), '4hello');
    };
    for (let pulse = 0; pulse < 3; pulse += 1) {
      await tellAll();
      await server.sleep(objectId(session.sid));
      const { alarm } = await server.state(object);
      await server.jump(alarm);
      await server.fire(object);
      assert.equal(await session.next(), '2');
      session.send('3');
      // The runtime takes it, and says so.
      assert.equal(await session.next(), '6');
    }
    await tellAll();
    const { counts } = await server.state(object);
    const { wokenBy, ...usage } = told(server.logs);
    assert.deepEqual(wokenBy, { handshake: 1, alarm: 3 });
    assert.deepEqual(usage, metered(counts));
    assert.ok(usage.rowsWritten > 3, JSON.stringify(usage));
    session.close();
  });
});
