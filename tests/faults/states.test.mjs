// Whatever happens to its object, in whatever state a session is: its client goes on
// as if nothing had been, or learns clearly that it is over, and may begin anew.
// One test after the other: each strikes the object under all its sessions.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertAlive, assertClosed, assertError } from '../harness/expect.mjs';
import { breaks, faults } from '../harness/faults.mjs';
import { openPolling, openSession } from '../harness/raw-session.mjs';
import { workerOnly } from '../harness/target.mjs';
import { startWorkerd } from '../harness/workerd.mjs';

const server = workerOnly.skip ? undefined : await startWorkerd({ storage: true });
after(() => server?.stop());

// A server of Socket.IO would keep both revisions in one object; here each session
// may have an object of its own, and a fault is that of one of them.
const path = '/sleepy/';

/** A session in another object, which hears nothing of it all but for a killed runtime. */
async function elsewhere(sid, options) {
  for (;;) {
    const peer = await openSession(server, { path, ...options });
    if (peer.sid.slice(0, 43) !== sid.slice(0, 43)) return peer;
    peer.close();
  }
}

/** Polls until the session is over: every answer on the way is one that clients know. */
async function runsOut(session) {
  for (let rounds = 0; rounds < 10; rounds += 1) {
    const answer = await session.get();
    if (answer.status !== 200) return assertError(answer, 1);
  }
  return assert.fail('the session never ends');
}

for (const revision of [3, 4]) {
  const polling = () => openPolling(server, { revision, path });
  const websocket = () => openSession(server, { revision, path });

  const assertNewBegins = async () => {
    await assertAlive(await polling());
    const peer = await websocket();
    peer.send('4new');
    assert.equal(await peer.next(), '4new');
    peer.close();
  };

  for (const [name, { sockets, strike }] of Object.entries(faults)) {
    const hit = ({ sid }) => strike(server, sid);

    describe(`revision ${revision}, ${name}`, workerOnly, () => {
      test('polling, between two polls: goes on with what was buffered', async () => {
        const session = await polling();
        await session.send('4one', Buffer.of(1, 2), '4three');
        await server.settled();
        await hit(session);
        assert.deepEqual(await session.collect(3), ['4one', Buffer.of(1, 2), '4three']);
        await assertAlive(session);
        await assertNewBegins();
      });

      test('WebSocket: goes on, or the connection breaks', async () => {
        const peer = await websocket();
        peer.send('4before');
        assert.equal(await peer.next(), '4before');
        await hit(peer);
        if (sockets) {
          peer.send('4after');
          assert.equal(await peer.next(), '4after');
          peer.close();
        } else {
          assert.equal((await peer.end()).code, 1006);
        }
        await assertNewBegins();
      });

      test('upgraded: goes on, or the connection breaks and polling is over too', async () => {
        const session = await polling();
        const peer = await session.upgraded();
        peer.send('4before');
        assert.equal(await peer.next(), '4before');
        await server.settled();
        await hit(session);
        if (sockets) {
          peer.send('4after');
          assert.equal(await peer.next(), '4after');
          assertError(await session.get(), 3);
          peer.close();
        } else {
          await peer.end();
          await assertClosed(session);
        }
      });

      test('closing: the news is fetched once, and the session is over', async () => {
        const session = await polling();
        await session.send('4last', '4cmd:close');
        await server.settled();
        await hit(session);
        assert.deepEqual(await session.poll(), ['4last', '1']);
        await assertClosed(session);
      });

      test('closed: stays closed', async () => {
        const session = await polling();
        await server.settled();
        await session.send('1');
        await server.settled();
        await hit(session);
        await runsOut(session);
      });

      test('a moment after the handshake: goes on, or is unknown', async () => {
        const session = await polling();
        await hit(session);
        const answer = await session.post(revision === 4 ? '4hello' : '6:4hello');
        if (answer.status === 200) assert.deepEqual(await session.poll(), ['4hello']);
        else assertError(answer, 1);
        await assertNewBegins();
      });
    });
  }

  for (const [name, { strike }] of Object.entries(breaks)) {
    describe(`revision ${revision}, with a poll held, ${name}`, workerOnly, () => {
      test('the poll is answered or breaks; then the session goes on, or is unknown', async () => {
        const session = await polling();
        await session.send('4one');
        assert.deepEqual(await session.poll(), ['4one']);
        await server.settled();
        const held = session.get().then(({ status, text }) => [status, text], (error) => [error.code]);
        // So that the poll has certainly come before the fault.
        await session.send('4two');
        assert.match(String((await held)[1]), /4two/);
        const next = session.get().then(({ status }) => status, ({ code }) => code);
        await strike(server, session.sid);
        if (name === 'cut off') {
          // Whoever evicts an object waits for its requests: this one is still served.
          await session.send('4three');
          assert.equal(await next, 200);
          return assertAlive(session);
        }
        assert.ok([500, 'ECONNRESET'].includes(await next), `${await next}`);
        const answer = await session.post(revision === 4 ? '4three' : '6:4three');
        if (answer.status === 200) assert.deepEqual(await session.poll(), ['4three']);
        else assertError(answer, 1);
        return assertNewBegins();
      });
    });
  }

  test(`revision ${revision}, asleep with a poll held: not before it is answered`, workerOnly, async () => {
    const session = await polling();
    const held = session.poll();
    const asleep = server.sleep(session.sid);
    await session.send('4hello');
    assert.deepEqual(await held, ['4hello']);
    assert.equal(await asleep, true);
    await assertAlive(session);
  });

  for (const [name, { sockets, strike }] of Object.entries(faults)) {
    for (const probed of [false, true]) {
      const when = probed ? 'after the probe' : 'before the probe';
      test(`revision ${revision}, probing, ${when}, ${name}: polling goes on, or all is over`, workerOnly, async () => {
        const session = await polling();
        await session.send('4buffered');
        await server.settled();
        const peer = await session.upgrade();
        if (probed) {
          peer.send('2probe');
          assert.equal(await peer.next(), '3probe');
        }
        const struck = strike(server, session.sid);
        if (sockets) {
          // It does not sleep before the upgrade is done.
          if (!probed) peer.send('2probe');
          if (!probed) assert.equal(await peer.next(), '3probe');
          assert.ok((await session.poll()).includes('4buffered'));
          peer.send('5');
          peer.send('4upgraded');
          assert.equal(await peer.next(), '4upgraded');
          assert.equal(await struck, true);
          peer.send('4awake');
          assert.equal(await peer.next(), '4awake');
          peer.close();
          return;
        }
        await struck;
        await peer.end();
        const packets = await session.poll();
        assert.deepEqual(packets.filter((packet) => packet !== '6'), ['4buffered']);
        await assertAlive(session);
      });
    }
  }

  for (const [name, { strike }] of Object.entries(faults)) {
    if (name === 'killed with the runtime') continue;
    test(`revision ${revision}, ${name}: a session in another object hears nothing of it`, workerOnly, async () => {
      const peer = await websocket();
      const other = await elsewhere(peer.sid, { revision });
      const numbers = Array.from({ length: 50 }, (_, index) => `4${index}`);
      for (const number of numbers.slice(0, 25)) other.send(number);
      const struck = strike(server, peer.sid);
      for (const number of numbers.slice(25)) other.send(number);
      await struck;
      for (const number of numbers) assert.equal(await other.next(), number);
      other.close();
    });
  }
}
