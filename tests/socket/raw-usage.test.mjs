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

const PATH = '/counted/';
const SECOND = 1_000;

/** What the application was told, added up. `wokenBy` has those that are not 0. */
function total(logs) {
  const sum = { wokenBy: {} };
  for (const { usage } of logs.find({ event: 'usage' })) {
    const { wokenBy, ...counts } = usage;
    for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
    for (const [name, count] of Object.entries(wokenBy)) {
      if (count) sum.wokenBy[name] = (sum.wokenBy[name] ?? 0) + count;
    }
  }
  return sum;
}

describe('what has woken an object', sleeping, async () => {
  const server = await startServer();
  after(() => server.stop());
  const { logs } = server;
  const told = async (reason) => {
    while (!total(logs).wokenBy[reason]) await new Promise(setImmediate);
  };

  test('is told each time, and the client that listens hears of it without asking', async () => {
    const listener = await openMember(server, { path: PATH, namespace: '/usage' });
    const { sid } = listener.client;
    await told('handshake');
    const player = await openMember(server, { path: PATH });
    await server.sleep(sid);
    await player.ask('who');
    const [event, usage] = (await listener.client.packet()).data;
    assert.equal(event, 'usage');
    assert.deepEqual([usage.wokenBy.message, usage.messages, usage.requests], [1, 1, 0]);

    await server.sleep(sid);
    await emitFromElsewhere(server, { path: PATH, namespace: '/' }, 'news', 1);
    await told('call');
    await player.expect('news', 1);
    await player.ask('set-alarm', 'say-up', 300);
    await server.sleep(sid);
    await told('alarm');
    await player.expect('alarm', 'up', 'say-up');
    await server.sleep(sid);
    await player.client.close();
    await told('close');
    assert.deepEqual(total(logs).wokenBy, { handshake: 1, message: 1, call: 1, alarm: 1, close: 1 });
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
  let metered;
  before(async () => (metered = await startMetered()));
  after(() => metered?.stop());

  test('is what the meter has counted', async () => {
    const object = 'counted';
    const player = await openMember(metered, { path: PATH, query: { object } });
    const listener = await openMember(metered, { path: PATH, namespace: '/usage', query: { object } });
    /** What comes within a second is told with the first that comes after it. */
    const tellAll = async () => {
      const { now } = await metered.state(object);
      await metered.jump(now + 2 * SECOND);
      await player.ask('who');
    };
    for (let minute = 0; minute < 3; minute += 1) {
      await tellAll();
      await metered.sleep(objectId(player.client.sid));
      const { alarm } = await metered.state(object);
      await metered.jump(alarm);
      await metered.fire(object);
      // The alarm that it has set for the next time as well.
      const { counts } = await metered.state(object);
      assert.equal(total(metered.logs).rowsWritten, counts.rowsWritten + counts.alarmsSet);
      await player.ask('set-alarm', `say-${minute}`, 3_600_000);
      await player.client.beat();
    }
    await tellAll();
    const { counts } = await metered.state(object);
    const { wokenBy, ...usage } = total(metered.logs);
    assert.deepEqual(wokenBy, { handshake: 1, alarm: 3 });
    const expected = {
      requests: counts.fetches,
      calls: 0,
      messages: counts.messages,
      alarms: counts.alarms,
      rowsWritten: counts.rowsWritten + counts.alarmsSet,
      rowsRead: counts.rowsRead,
    };
    assert.deepEqual(usage, expected);
    assert.ok(usage.rowsWritten > 3 && usage.rowsRead > 0, JSON.stringify(usage));
    for (const { usage, price } of metered.logs.find({ event: 'usage' })) {
      const { requests, calls, alarms, messages, rowsWritten, rowsRead } = usage;
      const expected = 450 * requests + 150 * (calls + alarms) + Math.floor(7.5 * messages) + 1_000 * rowsWritten + rowsRead;
      assert.equal(price, expected);
    }
    await listener.client.close();
  });
});
