// What the application's alarms are billed for: a row when one is set and one when it is
// over, and one waking. They share the platform's alarm with the heartbeats.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from '../harness/meter/metered.mjs';
import { openSession } from '../harness/engine/session.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const INTERVAL = 25 * SECOND;

describe('the alarms of an application', workerOnly, () => {
  let metered;
  let objects = 0;
  before(async () => (metered = await startMetered()));
  after(() => metered?.stop());

  /** Lets time pass, with all that comes due. */
  async function pass({ object, player }, ms) {
    let { now } = await metered.state(object);
    const end = now + ms;
    while (now < end) {
      const { timer, alarm } = await metered.state(object);
      const next = Math.min(timer ?? Infinity, alarm ?? Infinity);
      now = Math.max(Math.min(next, end), now);
      await metered.jump(now);
      if (next > now) continue;
      await metered.fire(object);
      // It may have been pinged.
      if (player?.client.revision === 4) player.client.beat();
    }
  }

  /** Somebody whose object has found its rhythm, and whose first alarm has made the table. */
  async function open(revision) {
    const object = `alarms-${(objects += 1)}`;
    const player = await openMember(metered, { path: '/io/', revision, query: { object } });
    await player.ask('set-alarm', 'say-nothing', 1);
    await pass({ player, object }, 2 * INTERVAL);
    return { player, object };
  }

  const NAMES = ['rowsWritten', 'rowsRead', 'alarms', 'alarmsSet'];

  /** What is spent while something is done. */
  async function spent({ object }, action) {
    const { counts: first } = await metered.state(object);
    await action();
    const { counts: last } = await metered.state(object);
    return Object.fromEntries(NAMES.map((name) => [name, last[name] - first[name]]));
  }

  const none = { rowsWritten: 0, rowsRead: 0, alarms: 0, alarmsSet: 0 };

  test('one that is set beyond the next heartbeat: a row', async () => {
    const place = await open(4);
    const set = () => place.player.ask('set-alarm', 'say-nothing', 5 * MINUTE);
    assert.deepEqual(await spent(place, set), { ...none, rowsWritten: 1 });
    // The same time again, which is the same row.
    assert.deepEqual(await spent(place, set), none);
    const ensure = () => place.player.ask('ensure-alarm', 'say-nothing', MINUTE);
    assert.deepEqual(await spent(place, ensure), none);
    const cancel = () => place.player.ask('cancel-alarm', 'say-nothing');
    // What is deleted is read.
    assert.deepEqual(await spent(place, cancel), { ...none, rowsWritten: 1, rowsRead: 1 });
    assert.deepEqual(await spent(place, cancel), none);
  });

  test('one where no heartbeat is due: a row, and that of the platform; then one waking and a row', async () => {
    const place = await open(3);
    const set = () => place.player.ask('set-alarm', 'say-nothing', 5 * MINUTE);
    assert.deepEqual(await spent(place, set), { ...none, rowsWritten: 1, alarmsSet: 1 });
    const over = await spent(place, () => pass(place, 10 * MINUTE));
    assert.deepEqual(over, { ...none, rowsWritten: 1, rowsRead: 1, alarms: 1 });
  });

  test('one that comes every second takes the place of heartbeats', async () => {
    const place = await open(4);
    await place.player.ask('set-alarm', 'again', 1);
    await pass(place, SECOND);
    const minute = await spent(place, () => pass(place, MINUTE));
    assert.deepEqual(minute, { ...none, rowsWritten: 60, alarms: 60, alarmsSet: 60 });
  });

  test('one whose handler waits for something: a row more, and a waking if it is alone', async () => {
    const place = await open(3);
    await place.player.ask('set-alarm', 'slow-2000', 5 * MINUTE);
    const over = await spent(place, () => pass(place, 10 * MINUTE));
    assert.deepEqual(over, { ...none, rowsWritten: 2, rowsRead: 1, alarms: 2, alarmsSet: 1 });
  });

  test('after sleep, all that are set are read once', async () => {
    const place = await open(3);
    await place.player.ask('set-alarms', 100, 5 * MINUTE);
    const { id } = await metered.state(place.object);
    await metered.sleep(id);
    const set = await spent(place, () => place.player.ask('set-alarm', 'say-nothing', MINUTE));
    assert.deepEqual(set, { ...none, rowsWritten: 1, rowsRead: 100, alarmsSet: 1 });
    assert.equal((await spent(place, () => place.player.ask('ensure-alarm', 'say-1', MINUTE))).rowsRead, 0);
    const due = await spent(place, () => pass(place, 10 * MINUTE));
    assert.deepEqual(due, { ...none, rowsWritten: 101, rowsRead: 101, alarms: 2, alarmsSet: 1 });
  });

  test('in an object of one session, storage stays until the alarm is over', async () => {
    const object = `alarms-${(objects += 1)}`;
    const session = await openSession(metered, { path: '/engine-tasks/', revision: 3, query: { object } });
    await session.send(`4cmd:alarms set ${5 * MINUTE}`);
    assert.equal(await session.next(), '4done');
    await session.send('1');
    while ((await metered.state(object)).counts.closes === 0) await new Promise(setImmediate);
    await pass({ object }, MINUTE);
    const { counts } = await metered.state(object);
    assert.equal(counts.deletions, 0);
    await pass({ object }, 5 * MINUTE);
    const after = await metered.state(object);
    assert.deepEqual([after.counts.deletions, after.alarm], [1, null]);
  });
});
