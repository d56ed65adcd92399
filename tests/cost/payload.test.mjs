// What one payload makes its object do that has as many packets as fit, most of them
// behind the one that ends the session: the storage is not asked for each of them.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling } from '../harness/engine/session.mjs';
import { workerOnly } from '../harness/target.mjs';
import { startMetered } from '../harness/meter/metered.mjs';

const SEPARATOR = '\x1e';
/** As many bytes as a payload may have by default, about. */
const SIZE = 990_000;
/** Of SQL, for all that a session does between its first request and its end. */
const STATEMENTS = 10;

const JOIN = '40/chat,';
/** Not a packet of Socket.IO: the client broke a rule. */
const WRONG = '49';

/** As many of these packets as fit, behind the first. */
function fill(first, packet) {
  const count = Math.floor(SIZE / (packet.length + 1));
  return first + `${SEPARATOR}${packet}`.repeat(count);
}

const payloads = {
  'empty messages behind a wrong one': fill(WRONG, '4'),
  'requests to join behind a wrong message': fill(WRONG, '40/x,'),
  'events behind a wrong message': fill(WRONG, '42/chat,["message"]'),
  // Each is refused, until the refusals are more than the client may leave behind.
  'requests to join what is not there': fill('40/x,', '40/x,'),
};

describe('a payload', workerOnly, () => {
  let metered;
  before(async () => (metered = await startMetered()));
  after(() => metered?.stop());

  for (const path of ['/io/', '/recovery/']) {
    for (const [name, payload] of Object.entries(payloads)) {
      for (const isHeld of [true, false]) {
        test(`${path}, ${isHeld ? 'a GET held' : 'no GET'}: ${name}`, async () => {
          const object = `payload-${path}-${name}-${isHeld}`;
          const open = async () => {
            const session = await openPolling(metered, { path, query: { object } });
            await session.send(JOIN);
            assert.match((await session.poll())[0], /^40\/chat,\{/);
            return session;
          };
          const [bystander, session] = [await open(), await open()];
          const held = isHeld ? await session.hold({ query: { object } }) : undefined;
          const before = await metered.state(object);
          const { status } = await session.post(payload);
          assert.equal(status, 200);
          if (held) assert.deepEqual(session.packets(await held.response), ['1']);
          await bystander.send('42/chat,1["message-with-ack"]');
          assert.deepEqual(await bystander.poll(), ['43/chat,1[]']);
          const { statements } = (await metered.state(object)).counts;
          const asked = statements - before.counts.statements;
          assert.ok(asked <= STATEMENTS, `${asked} statements`);
        });
      }
    }
  }
});
