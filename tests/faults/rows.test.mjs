// Rows that another version has written: they are not read, whatever is in them. Who
// depended on one starts over, and the row goes.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openClient, openMember } from '../harness/socket/client.mjs';
import { assertFresh, comeBack, lose, ticket } from '../harness/socket/recovery.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

/** What may have become of a row, as hexadecimal digits. */
const damages = {
  'of a later version': (row) => `FF${row.slice(2)}`,
  'of version 0': (row) => `00${row.slice(2)}`,
  'cut off': (row) => row.slice(0, row.length / 2 & ~1),
  'of one byte': (row) => row.slice(0, 2),
  'of other bytes': (row) => row.slice(0, 2) + 'FF'.repeat(row.length / 2 - 1),
};

/** The rows of a table, as the application sees them. */
class Table {
  constructor(member, name, condition, column = 'bytes') {
    Object.assign(this, { member, name, condition, column });
  }

  async #run(statement) {
    const [rows] = await this.member.ask('sql', statement);
    assert.ok(Array.isArray(rows), JSON.stringify(rows));
    return rows;
  }

  async count() {
    const [{ count }] = await this.#run(`SELECT COUNT(*) AS count FROM ${this.name} WHERE ${this.condition}`);
    return count;
  }

  async damage(damage) {
    const rows = await this.#run(`SELECT HEX(${this.column}) AS bytes FROM ${this.name} WHERE ${this.condition}`);
    assert.equal(rows.length, 1);
    const [{ bytes }] = rows;
    await this.#run(`UPDATE ${this.name} SET ${this.column} = X'${damage(bytes)}' WHERE ${this.condition}`);
  }
}

describe('recovery', workerOnly, () => {
  const path = '/recovery/';
  const open = () => openClient(server, { path });

  /** Somebody who has heard something and is away, and somebody who is there. */
  async function away() {
    const namespace = freshNamespace();
    const witness = await openMember(server, { path, namespace });
    const old = await openMember(server, { path, namespace });
    await old.ask('join', 'room');
    const auth = await ticket(old);
    await lose(server, old);
    return { namespace, witness, old, auth };
  }

  for (const [what, damage] of Object.entries(damages)) {
    test(`a socket's row ${what}: its client starts over`, async () => {
      const { namespace, witness, old, auth } = await away();
      const table = new Table(witness, 'dormouse_kept_sockets', `pid = '${auth.pid}'`);
      await table.damage(damage);
      await assertFresh(server, old, await comeBack(open, namespace, auth));
      assert.equal(await table.count(), 0);
    });

    for (const column of ['head', 'content']) {
      test(`an event's ${column} ${what}: who has missed it starts over`, async () => {
        const { namespace, witness, old, auth } = await away();
        assert.deepEqual(await witness.ask('cast', {}, 'news', 'missed'), ['ok']);
        const newest = `namespace = '${namespace}' AND offset = (SELECT MAX(offset) FROM dormouse_logged_events)`;
        const table = new Table(witness, 'dormouse_logged_events', newest, column);
        await table.damage(damage);
        await assertFresh(server, old, await comeBack(open, namespace, auth));
      });
    }
  }
});

describe('a session that polls', { ...workerOnly, concurrency: 1 }, () => {
  for (const [what, damage] of Object.entries(damages)) {
    test(`its row ${what}: its client starts over`, async () => {
      const namespace = freshNamespace();
      const session = await openMember(server, { namespace, transport: 'polling' });
      const witness = await openMember(server, { namespace });
      await server.settled();
      const { sid } = session.client;
      const key = Buffer.from(sid, 'base64url').subarray(32).toString('base64url');
      const table = new Table(witness, 'dormouse_saved', `key = '${key}'`);
      await table.damage(damage);
      await server.sleep(sid);
      assert.equal((await session.client.try('2["message"]')).status, 400);
      assert.deepEqual(await session.client.ended(), []);
      assert.equal(await table.count(), 0);
      await witness.nothing();
    });
  }
});
