// The rows that one client can make its object write by what it does itself: they are
// coalesced, and there is a budget of them.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling } from '../harness/engine/session.mjs';
import { workerOnly } from '../harness/target.mjs';
import { startMetered } from '../harness/meter/metered.mjs';

const SEPARATOR = '\x1e';
/** The option `max_rows`: in a minute, and at once after a time without any. */
const MAX_ROWS = 60;
/** A session that changes while no `GET` is open: its row is deleted, and written again. */
const SESSION = 2;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const repeat = (packets, count) => Array(count).fill(packets).flat();

describe('the rows of a client', workerOnly, () => {
  let metered;
  let objects = 0;
  before(async () => (metered = await startMetered()));
  after(() => metered?.stop());

  /** A client in an object of its own, and the rows that are written for it. */
  class Client {
    static async open(path) {
      const object = `rows-${(objects += 1)}`;
      const session = await openPolling(metered, { path, query: { object } });
      const client = new Client(session, object);
      if (path === '/recovery/') await client.ask('40/plain,');
      await client.pass(SECOND);
      client.before = (await client.counts()).rowsWritten;
      return client;
    }

    constructor(session, object) {
      Object.assign(this, { session, object });
    }

    async counts() {
      return (await metered.state(this.object)).counts;
    }

    /** The rows since the client was opened. */
    async rows() {
      return (await this.counts()).rowsWritten - this.before;
    }

    /** Sends packets, and fetches whatever it is answered. */
    async ask(...packets) {
      const last = '42/plain,7["message-with-ack"]';
      const { status } = await this.session.post([...packets, last].join(SEPARATOR));
      assert.equal(status, 200);
      const answers = [];
      while (answers.at(-1) !== '43/plain,7[]') {
        for (const packet of await this.session.poll()) {
          if (packet === '2') await this.session.post('3');
          else answers.push(packet);
        }
      }
      return answers;
    }

    /** Closes the session, which nothing is left to be fetched of. */
    async close() {
      const { response } = await this.session.hold({ query: { object: this.object } });
      await this.session.post('1');
      await response;
    }

    /** Lets time pass, with all that comes due. */
    async pass(ms) {
      let { now } = await metered.state(this.object);
      const end = now + ms;
      while (now < end) {
        const { timer, alarm } = await metered.state(this.object);
        const next = Math.min(timer ?? Infinity, alarm ?? Infinity, end);
        now = Math.max(next, now);
        await metered.jump(now);
        if (Math.min(timer ?? Infinity, alarm ?? Infinity) <= now) await metered.fire(this.object);
      }
    }
  }

  test('joining and leaving in one payload writes none', async () => {
    const client = await Client.open('/recovery/');
    await client.ask(...repeat(['40/chat,', '41/chat,'], 150));
    await client.pass(SECOND);
    assert.equal(await client.rows(), SESSION);
  });

  test('joining to stay writes one, half a second later', async () => {
    const client = await Client.open('/recovery/');
    await client.session.post('40/chat,');
    assert.match((await client.session.poll())[0], /"pid"/);
    const deleted = 1;
    assert.equal(await client.rows(), deleted);
    await client.pass(SECOND);
    assert.equal(await client.rows(), SESSION + 1);
  });

  test('an acknowledgement waits for the rows that it may tell of', async () => {
    const client = await Client.open('/recovery/');
    await client.ask('40/chat,', '42/chat,0["join","room"]');
    const deleted = 1;
    assert.equal(await client.rows(), deleted + 1);
    await client.pass(SECOND);
    assert.equal(await client.rows(), SESSION + 1);
  });

  const loops = {
    'joining and leaving, with acknowledgements': ['40/chat,', '42/chat,0["join","room"]', '41/chat,'],
    'changing rooms': ['42/chat,["join","room"]', '42/chat,["leave","room"]'],
    'changing rooms, with acknowledgements': ['42/chat,1["join","room"]', '42/chat,2["leave","room"]'],
    'changing data': ['42/chat,["set-data",1]'],
  };

  for (const [name, packets] of Object.entries(loops)) {
    test(`${name}, as often as possible: no more than allowed`, async () => {
      const client = await Client.open('/recovery/');
      if (!packets.includes('40/chat,')) await client.ask('40/chat,');
      for (let round = 0; round < 20; round += 1) {
        await client.ask(...repeat(packets, 100));
        await client.pass((3 * MINUTE) / 20);
      }
      await client.pass(MINUTE);
      const rows = await client.rows();
      // Of the last minute there may be an alarm and a few that were owed.
      assert.ok(rows <= (1 + 4) * MAX_ROWS, `${rows} rows`);
      // Nothing was lost by waiting.
      await client.session.post('1');
      await client.pass(SECOND);
    });
  }

  // An empty database is billed as 12 kB, in each of these objects for ever.
  describe('whose object is its own', () => {
    const open = async (revision) => {
      const object = `rows-${(objects += 1)}`;
      const session = await openPolling(metered, { path: '/alone/', revision, query: { object } });
      return new Client(session, object);
    };

    for (const revision of [3, 4]) {
      test(`revision ${revision}: storage and alarm go with it`, async () => {
        const client = await open(revision);
        await client.session.send('4message');
        await client.pass(SECOND);
        assert.ok((await client.counts()).rowsWritten > 0);
        assert.equal((await client.counts()).deletions, 0);
        await client.session.poll();
        await client.close();
        const { alarm, counts } = await metered.state(client.object);
        assert.deepEqual([alarm, counts.deletions], [null, 1]);
        await client.pass(MINUTE);
        const after = await metered.state(client.object);
        assert.deepEqual([after.counts.alarms, after.counts.rowsWritten], [counts.alarms, counts.rowsWritten]);
      });
    }

    test('they go when it has timed out, as well', async () => {
      const client = await open(4);
      await client.pass(2 * MINUTE);
      const { alarm, counts } = await metered.state(client.object);
      assert.deepEqual([alarm, counts.deletions], [null, 1]);
    });

    test('what the application has stored there stays', async () => {
      const client = await open(4);
      await client.session.send('4cmd:store');
      assert.deepEqual(await client.session.poll(), ['4stored']);
      await client.close();
      await client.pass(MINUTE);
      assert.equal((await client.counts()).deletions, 0);
    });
  });

  test('storage of an object that others will come to stays', async () => {
    const client = await Client.open('/sleepy/');
    await client.session.send('4message');
    await client.pass(SECOND);
    await client.session.poll();
    await client.close();
    await client.pass(MINUTE);
    assert.equal((await client.counts()).deletions, 0);
  });

  test('posting without an open GET, as often as possible: no more than allowed', async () => {
    const client = await Client.open('/sleepy/');
    for (let round = 0; round < 120; round += 1) {
      await client.session.post('4message');
      await client.pass(SECOND);
    }
    const rows = await client.rows();
    assert.ok(rows <= (1 + 2) * MAX_ROWS, `${rows} rows`);
  });
});
