// What objects count of what is billed, as the application is told, and as the meter of the
// package dormouse-test counts it from outside.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from '../harness/meter/metered.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { emitFromElsewhere } from '../harness/socket/routes.mjs';
import { sleeping, workerOnly } from '../harness/target.mjs';
import { metered, told, toldOfWake } from '../harness/usage.mjs';

const PATH = '/counted/';
const SECOND = 1_000;

describe('what has woken an object', sleeping, async () => {
  const server = await startServer();
  after(() => server.stop());
  const { logs } = server;

  test('is told each time, and the client that listens hears of it without asking', async () => {
    const listener = await openMember(server, { path: PATH, namespace: '/usage' });
    const { sid } = listener.client;
    await toldOfWake(logs, 'handshake');
    const player = await openMember(server, { path: PATH });
    await server.sleep(sid);
    await player.ask('who');
    const [event, usage] = (await listener.client.packet()).data;
    assert.equal(event, 'usage');
    assert.deepEqual([usage.wokenBy.message, usage.messages, usage.requests], [1, 1, 0]);

    await server.sleep(sid);
    await emitFromElsewhere(server, { path: PATH, namespace: '/' }, 'news', 1);
    await toldOfWake(logs, 'call');
    await player.expect('news', 1);
    await player.ask('set-alarm', 'say-up', 300);
    await server.sleep(sid);
    await toldOfWake(logs, 'alarm');
    await player.expect('alarm', 'up', 'say-up');
    await server.sleep(sid);
    await player.client.close();
    await toldOfWake(logs, 'close');
    assert.deepEqual(told(logs).wokenBy, { handshake: 1, message: 1, call: 1, alarm: 1, close: 1 });
  });

  test('is what it says of itself since then, to whoever asks', async () => {
    const listener = await openMember(server, { path: PATH, namespace: '/usage' });
    await server.sleep(listener.client.sid);
    await listener.emit('since');
    // What it is told for being woken comes first, or last.
    await listener.client.packet('usage');
    const [usage] = await listener.ask('since');
    assert.deepEqual([usage.wokenBy.message, usage.messages], [1, 2]);
  });
});

test('a handler that panics each time is called after what comes in, and not for the panic', workerOnly, async () => {
  const server = await startServer();
  try {
    const player = await openMember(server, { path: PATH, namespace: '/usage' });
    const panics = () => server.logs.find({ event: 'handler panicked', handler: 'usage' }).length;
    await player.emit('panics', true);
    let asked = 1;
    while (panics() < 3) {
      await server.sleep(player.client.sid);
      await player.emit('since');
      asked += 1;
      await server.logs.waitFor({ event: 'wake', reason: 'panic' });
    }
    assert.ok(panics() <= asked, `${panics()} panics, ${asked} events`);
    await player.emit('panics', false);
    const other = await openMember(server, { path: PATH, namespace: '/plain' });
    assert.deepEqual(await other.ask('message-with-ack', 1), [1]);
  } finally {
    await server.stop();
  }
});

describe('what is billed', workerOnly, () => {
  let meter;
  before(async () => (meter = await startMetered()));
  after(() => meter?.stop());

  test('is what the meter has counted', async () => {
    const object = 'counted';
    const player = await openMember(meter, { path: PATH, query: { object } });
    const listener = await openMember(meter, { path: PATH, namespace: '/usage', query: { object } });
    /** What comes within a second is told with the first that comes after it. */
    const tellAll = async () => {
      const { now } = await meter.state(object);
      await meter.jump(now + 2 * SECOND);
      await player.ask('who');
    };
    for (let minute = 0; minute < 3; minute += 1) {
      await tellAll();
      await meter.sleep(objectId(player.client.sid));
      const { alarm } = await meter.state(object);
      await meter.jump(alarm);
      await meter.fire(object);
      // The alarm that it has set for the next time as well.
      const { counts } = await meter.state(object);
      assert.equal(told(meter.logs).rowsWritten, counts.rowsWritten + counts.alarmsSet);
      await player.ask('set-alarm', `say-${minute}`, 3_600_000);
      await player.client.beat();
    }
    await tellAll();
    const { counts } = await meter.state(object);
    const { wokenBy, ...usage } = told(meter.logs);
    assert.deepEqual(wokenBy, { handshake: 1, alarm: 3 });
    assert.deepEqual(usage, metered(counts));
    assert.ok(usage.rowsWritten > 3 && usage.rowsRead > 0, JSON.stringify(usage));
    for (const { usage, price } of meter.logs.find({ event: 'usage' })) {
      const { requests, calls, alarms, messages, rowsWritten, rowsRead } = usage;
      const expected = 450 * requests + 150 * (calls + alarms) + Math.floor(7.5 * messages) + 1_000 * rowsWritten + rowsRead;
      assert.equal(price, expected);
    }
    await listener.client.close();
  });
});
