// Alarms of the application's: they go off when they are due, whether anybody is awake
// or there, and at least once.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const HOUR = 3_600_000;
let keys = 0;

/** Somebody in an object of its own, whose alarms nobody else hears. */
const open = (transport = 'websocket') => {
  const key = `alarms-${(keys += 1)}`;
  return openMember(server, { path: '/keyed/', transport, query: { key } }).then((player) =>
    Object.assign(player, { key }),
  );
};

/** Somebody where handlers and tasks are dropped after a second, in one object for all. */
const hurried = () => openMember(server, { path: '/limited/' });

const ok = async (player, ...event) => assert.deepEqual(await player.ask(...event), ['ok']);
/** Events that are handled one right after the other: alarms are soon due. */
const atOnce = async (player, ...events) => {
  await player.client.send(...events.map((event, index) => `29${index}${JSON.stringify(event)}`));
  await player.client.expect(...events.map((_, index) => `39${index}["ok"]`));
};

const calls = (name) => logs.find({ event: 'alarm', name });

/** A moment by the clock of the server, which the tests share. */
const now = () => Date.now();

describe('an alarm', { ...workerOnly, concurrency: true }, () => {
  for (const transport of ['websocket', 'polling']) {
    test(`goes off once, when it is due: ${transport}`, async () => {
      const player = await open(transport);
      const name = `say-${player.key}`;
      const before = now();
      await ok(player, 'set-alarm', name, 50);
      await player.expect('alarm', player.key, name);
      assert.ok(now() - before >= 50);
      const [{ due }, ...more] = calls(name);
      assert.ok(due >= before + 50 && due <= now());
      assert.deepEqual(more, []);
      await player.nothing();
    });
  }

  test('wakes an object that sleeps', async () => {
    const player = await open();
    await ok(player, 'set-alarm', 'say-wake', 400);
    assert.ok(await server.sleep(player.client.sid));
    await player.expect('alarm', 'wake', 'say-wake');
    await player.nothing();
  });

  test('set again, goes off at the new time alone', async () => {
    const player = await open();
    await ok(player, 'set-alarm', 'say-a', HOUR);
    await ok(player, 'set-alarm', 'say-a', 50);
    await player.expect('alarm', 'a', 'say-a');
    await atOnce(player, ['set-alarm', 'say-b', 500], ['set-alarm', 'say-b', HOUR], ['set-alarm', 'say-c', 600]);
    await player.expect('alarm', 'c', 'say-c');
  });

  test('that is set already is left as it is by those who want one to be', async () => {
    const player = await open();
    await atOnce(player, ['ensure-alarm', 'say-a', 500], ['ensure-alarm', 'say-a', HOUR]);
    await player.expect('alarm', 'a', 'say-a');
    await ok(player, 'ensure-alarm', 'say-a', 50);
    await player.expect('alarm', 'a', 'say-a');
  });

  test('that is cancelled does not go off', async () => {
    const player = await open();
    await atOnce(
      player,
      ['set-alarm', 'say-a', 500],
      ['cancel-alarm', 'say-a'],
      ['cancel-alarm', 'never set'],
      ['set-alarm', 'say-b', 600],
    );
    await player.expect('alarm', 'b', 'say-b');
  });

  test('can be one of many, in order', async () => {
    const player = await open();
    await atOnce(player, ['set-alarm', 'say-c', 2_000], ['set-alarm', 'say-a', 500], ['set-alarm', 'say-b', 1_000]);
    for (const name of ['a', 'b', 'c']) await player.expect('alarm', name, `say-${name}`);
  });

  test('can be set by the handler of another, and by its own', async () => {
    const player = await open();
    await ok(player, 'set-alarm', 'count-3', 10);
    for (const number of [3, 2, 1, 0]) await player.expect('count', number);
    await ok(player, 'set-alarm', 'again', 10);
    await player.expect('again');
    await server.sleep(player.client.sid);
    await player.expect('again');
    await ok(player, 'cancel-alarm', 'again');
  });

  test('goes off where nobody is any more', async () => {
    const player = await open();
    const name = `say-${player.key}`;
    await ok(player, 'set-alarm', name, 300);
    await player.client.close();
    await logs.waitFor({ event: 'alarm', name });
  });

  test('survives that its object is cut off, as by a deploy', async () => {
    const player = await open();
    const name = `say-${player.key}`;
    await ok(player, 'set-alarm', name, 400);
    await server.cut(player.client.sid);
    await logs.waitFor({ event: 'alarm', name });
  });

  test('whose handler fails: a line in the log, and it is over', async () => {
    const player = await open();
    await ok(player, 'set-alarm', 'fail', 10);
    const failed = { event: 'handler failed', alarm: 'fail', message: 'asked to, in an alarm', level: 'error' };
    await logs.waitFor(failed);
    await ok(player, 'set-alarm', 'say-a', 50);
    await player.expect('alarm', 'a', 'say-a');
    assert.equal(calls('fail').length, 1);
  });

  test('that has no handler any more is forgotten, and the log says so', async () => {
    const player = await open();
    const gone = `gone-${player.key}`;
    await atOnce(player, ['set-alarm', 'say-a', 2_000], ['rename-alarm', 'say-a', gone]);
    await server.sleep(player.client.sid);
    await logs.waitFor({ event: 'alarm forgotten', alarm: gone, level: 'warn' });
    await ok(player, 'set-alarm', 'say-b', 50);
    await player.expect('alarm', 'b', 'say-b');
    assert.equal(logs.find({ event: 'alarm forgotten', alarm: gone }).length, 1);
  });

  test('that cannot be set is an error', async () => {
    const player = await open();
    const refused = async (name, message) =>
      assert.deepEqual(await player.ask('set-alarm', name, 1), [{ error: message }]);
    await refused('nobody', 'no handler for the alarm `nobody` (on_alarm)');
    for (const name of ['', `say-${'x'.repeat(253)}`]) {
      await refused(name, 'the name of an alarm has 1 to 256 bytes');
    }
  });

  test('is one of 1,000 at most', async () => {
    const player = await open();
    await ok(player, 'set-alarms', 999, HOUR);
    await ok(player, 'set-alarm', 'say-last', 1_500);
    const full = [{ error: 'as many alarms are set in the object as allowed' }];
    assert.deepEqual(await player.ask('set-alarm', 'say-more', 1), full);
    await ok(player, 'set-alarm', 'say-0', HOUR);
    await player.expect('alarm', 'last', 'say-last');
    await ok(player, 'set-alarm', 'say-more', 1);
    await player.expect('alarm', 'more', 'say-more');
  });
});

describe('from another route', { ...workerOnly, concurrency: true }, () => {
  const route = (what, query) =>
    fetchRaw(server, {
      method: 'POST',
      path: `/io-route/${what}`,
      query: String(new URLSearchParams({ path: '/keyed/', ...query })),
    });

  test('an alarm wakes an object where nobody ever was', async () => {
    const [key, name] = ['route-1', 'say-route-1'];
    assert.equal((await route('alarm/set', { key, name, after: 50 })).text, 'ok');
    await logs.waitFor({ event: 'alarm', name });
  });

  test('somebody who is there hears it, unless it is cancelled', async () => {
    const player = await open();
    const { key } = player;
    await server.sleep(player.client.sid);
    assert.equal((await route('alarm/set', { key, name: 'say-a', after: 1_000 })).text, 'ok');
    assert.equal((await route('alarm/cancel', { key, name: 'say-a' })).text, 'ok');
    assert.equal((await route('alarm/set', { key, name: 'say-b', after: 1_200 })).text, 'ok');
    await player.expect('alarm', 'b', 'say-b');
  });

  test('without the key of an object: an error', async () => {
    const { status, text } = await route('alarm/set', { name: 'say-a', after: 1 });
    assert.deepEqual([status, text], [500, 'it is not known which object the alarm is for']);
  });

  test('a task is none', async () => {
    assert.equal((await route('spawn', { key: 'route-2' })).text, 'Err(Elsewhere)');
  });
});

// These take a second, after which an alarm goes off again.
describe('a handler that is cut off', { ...workerOnly, concurrency: 1 }, () => {
  test('by the panic of another is called again', async () => {
    const player = await hurried();
    await ok(player, 'set-alarm', 'slow-500', 10);
    await logs.waitFor({ event: 'alarm', name: 'slow-500' });
    await player.emit('panic');
    await player.expect('slow');
    assert.equal(calls('slow-500').length, 2);
    await player.nothing();
  });

  test('by its limit is over, and the log says so', async () => {
    const player = await hurried();
    await ok(player, 'set-alarm', 'slow-60000', 10);
    await logs.waitFor({ event: 'task dropped', alarm: 'slow-60000', option: 'task_limit', level: 'warn' });
    await ok(player, 'set-alarm', 'say-after', 1_500);
    await player.expect('alarm', 'after', 'say-after');
    assert.equal(calls('slow-60000').length, 1);
  });

  // Where it is the alarm's own call that throws, the platform delays the next one, too.
  for (const [name, times] of [['panic', 2], ['panic-later', 5]]) {
    test(`by its own panic is called again, five times at most: ${name}`, async () => {
      const player = await hurried();
      const other = await openMember(server, { path: '/limited/', transport: 'polling' });
      await other.ask('set-data', { kept: true });
      await ok(player, 'set-alarm', name, 10);
      while (calls(name).length < times) await new Promise(setImmediate);
      assert.deepEqual(await other.ask('get-data'), [{ kept: true }]);
      assert.deepEqual(await player.ask('who'), [player.id, '/']);
      if (times < 5) await ok(player, 'cancel-alarm', name);
      else await logs.waitFor({ event: 'alarm given up', alarm: name, level: 'error' });
      assert.equal(calls(name).length, times);
      await player.nothing();
    });
  }
});

describe('a task', { ...workerOnly, concurrency: 1 }, () => {
  test('runs for everybody, once for each name', async () => {
    const player = await open();
    // At once: it is over within 0.3 s.
    await player.client.send('21["spawn","one","count"]', '22["spawn","one","count"]');
    await player.client.expect('31[true]', '32[false]');
    for (const number of [0, 1, 2]) await player.expect('number', number);
  });

  test('may be started again when it has returned, and goes on when its client has gone', async () => {
    const player = await open();
    assert.deepEqual(await player.ask('spawn', 'one', 'count'), [true]);
    for (const number of [0, 1, 2]) await player.expect('number', number);
    while ((await player.ask('spawn', 'one', 'wait'))[0] === false);
    await player.client.close();
    const isDone = ({ task }) => task === 'done';
    while (!logs.events.some(isDone)) await new Promise(setImmediate);
  });

  test('that fails: a line in the log', async () => {
    const player = await open();
    await player.ask('spawn', 'failing', 'fail');
    await logs.waitFor({ event: 'task failed', task: 'failing', message: 'asked to, in a task', level: 'error' });
    await player.nothing();
  });

  test('that panics takes no client along', async () => {
    const player = await open();
    const other = await open('polling');
    await other.ask('set-data', { kept: true });
    await player.ask('spawn', 'panicking', 'panic');
    await logs.waitFor({ event: 'handler panicked', handler: 'task', level: 'error' });
    assert.deepEqual(await player.ask('who'), [player.id, '/']);
    assert.deepEqual(await other.ask('get-data'), [{ kept: true }]);
  });
});

describe('an alarm of many objects', workerOnly, () => {
  test('is one for each name, whoever sets and cancels it', async () => {
    const one = await openMember(server, { path: '/spread-plain/' });
    const open = async () => {
      const other = await openMember(server, { path: '/spread-plain/' });
      return objectId(other.client.sid) === objectId(one.client.sid) ? open() : other;
    };
    const other = await open();
    await ok(one, 'set-alarm', 'say-shared', HOUR);
    await ok(one, 'set-alarm', 'say-cancelled', 200);
    await ok(other, 'cancel-alarm', 'say-cancelled');
    await ok(other, 'set-alarm', 'say-shared', 50);
    for (const player of [one, other]) await player.expect('alarm', 'shared', 'say-shared');
    await ok(other, 'set-alarm', 'say-last', 300);
    for (const player of [one, other]) {
      await player.expect('alarm', 'last', 'say-last');
      await player.nothing();
    }
    assert.equal(calls('say-shared').length, 1);
  });
});
