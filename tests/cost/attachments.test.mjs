// What packets with attachments make their object do: nothing is stored while their
// parts come, and once if they do not, before the object sleeps.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { setImmediate as breathe } from 'node:timers/promises';
import { openClient } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';
import { startMetered } from '../harness/meter/metered.mjs';

const NAMESPACE = '/chat';
const COUNT = 10;
/** As the server has them. */
const KEEP_AFTER = 5_000;
const SAVE_AFTER = 500;
const MAX_STALL = 60_000;

const place = (num) => `{"_placeholder":true,"num":${num}}`;
const places = Array.from({ length: COUNT }, (_, num) => place(num)).join();
const TEXT = `5${COUNT}-${NAMESPACE},["message",${places}]`;
const ECHO = `5${COUNT}-${NAMESPACE},["message-back",${places}]`;
const parts = (size) => Array.from({ length: COUNT }, (_, num) => Buffer.alloc(size, num));

describe('a packet with attachments', workerOnly, () => {
  let metered;
  before(async () => (metered = await startMetered()));
  after(() => metered?.stop());

  let objects = 0;
  /** An object, and a client that has joined. What happened before does not count. */
  async function open(options) {
    objects += 1;
    const object = `attachments-${objects}`;
    const client = await openClient(metered, { ...options, query: { object } });
    await client.join(NAMESPACE);
    const state = () => metered.state(object);
    const { counts: began } = await state();
    const spent = async () => {
      const { counts, timer, isBusy, now, alarm } = await state();
      const since = (name) => counts[name] - began[name];
      const messages = since('messages') + since('fetches');
      return { messages, statements: since('statements'), timer, alarm, isBusy, now };
    };
    /** Sends one of the parts, and waits until the object has it. */
    const send = async (part) => {
      const { messages } = await spent();
      await client.send(part);
      while ((await spent()).messages === messages) await breathe();
    };
    const wait = async (ms) => {
      await metered.jump((await spent()).now + ms);
      await metered.fire(object);
    };
    const sleep = async () => {
      const { isBusy, timer } = await spent();
      assert.deepEqual([isBusy, timer ?? null], [false, null], 'nothing keeps it awake');
      await metered.sleep((await state()).id);
    };
    return { client, send, spent, wait, sleep, object };
  }

  for (const revision of [3, 4]) {
    test(`revision ${revision}: whose parts come in time costs nothing`, async () => {
      const { client, send, spent, wait } = await open({ revision });
      for (const part of [TEXT, ...parts(10_000)]) {
        await send(part);
        const { statements, timer, now } = await spent();
        assert.equal(statements, 0);
        if (part[0] !== COUNT - 1) assert.ok(timer <= now + KEEP_AFTER, 'it would be saved');
        await wait(1_000);
      }
      await client.expect(ECHO, ...parts(10_000));
      const { statements, timer, isBusy } = await spent();
      assert.deepEqual([statements, timer ?? null, isBusy], [0, null, false]);
    });

    for (const [size, rows] of [[10, 0], [10_000, 1]]) {
      test(`revision ${revision}: with ${size} bytes in each, saved once, and complete after sleep`, async () => {
        const { client, send, spent, wait, sleep } = await open({ revision });
        const [last, ...others] = parts(size).reverse();
        for (const part of [TEXT, ...others.reverse()]) await send(part);
        await wait(KEEP_AFTER - 1);
        assert.equal((await spent()).statements, 0);
        await wait(1);
        await wait(SAVE_AFTER);
        const saved = await spent();
        // The table, the row, and what an earlier one may have had behind it.
        assert.equal(saved.statements, 3 * rows, JSON.stringify(saved));
        await sleep();
        await client.send(last);
        await client.expect(ECHO, ...parts(size));
        // It must not be there a second time.
        await wait(SAVE_AFTER);
        await sleep();
        await client.send(`2${NAMESPACE},1["message-with-ack"]`);
        await client.expect(`3${NAMESPACE},1[]`);
      });
    }
  }

  test('via polling: one part in each request, and no row is touched', async () => {
    const { client, send, spent } = await open({ transport: 'polling' });
    const all = parts(10_000);
    const { statements: before } = await spent();
    for (const part of [TEXT, ...all]) await send(part);
    assert.equal((await spent()).statements, before);
    await client.expect(ECHO, ...all);
  });

  test('that stands still for a minute ends its session, at the next alarm', async () => {
    const { client, send, spent, wait } = await open({ revision: 4 });
    await send(TEXT);
    const began = (await spent()).now;
    for (;;) {
      const { alarm, timer, now } = await spent();
      const next = Math.min(alarm ?? Infinity, timer ?? Infinity);
      assert.ok(next < began + 3 * MAX_STALL, 'something comes by');
      await wait(Math.max(0, next - now));
      if ((await spent()).now >= began + MAX_STALL) break;
      await client.beat();
    }
    await client.ended();
  });
});
