// Whatever happens to its object, in whatever state a session is: its client goes on
// as if nothing had been, or learns clearly that it is over, and may begin anew.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertAlive, assertClosed, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { encode } from '../harness/engine/payload.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { faults, inEveryState } from '../harness/runtime/faults.mjs';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = workerOnly.skip ? undefined : await startWorkerd({ storage: true });
after(() => server?.stop());

const path = '/sleepy/';

function ways(revision) {
  return {
    ...workerOnly,
    body: (...packets) => encode(revision, packets),
    polling: () => openPolling(server, { revision, path }),
    websocket: () => openSession(server, { revision, path }),
  };
}

/** It goes on, or is unknown: both are clear. */
async function assertGoesOnOrEnds(session, body) {
  const answer = await session.post(body('4hello'));
  if (answer.status !== 200) return assertError(answer, 1);
  return assert.deepEqual(await session.poll(), ['4hello']);
}

/** What an object may sleep in. */
const quiet = {
  'polling, between two polls: goes on with what was buffered': async ({ polling }) => {
    const session = await polling();
    const packets = ['4one', Buffer.of(1, 2), '4three'];
    await session.send(...packets);
    const check = async () => {
      assert.deepEqual(await session.collect(3), packets);
      await assertAlive(session);
    };
    return { sid: session.sid, check };
  },

  'WebSocket: goes on, or its connection breaks': async ({ websocket }) => {
    const peer = await websocket();
    await assertEchoes(peer, '4before');
    const check = async (goesOn) => {
      if (goesOn) return assertEchoes(peer, '4after');
      return assert.equal((await peer.end()).code, 1006);
    };
    return { sid: peer.sid, check };
  },

  'upgraded: goes on, or its connection breaks and polling is over too': async ({ polling }) => {
    const session = await polling();
    const peer = await session.upgraded();
    await assertEchoes(peer, '4before');
    const check = async (goesOn) => {
      if (!goesOn) {
        await peer.end();
        return assertClosed(session);
      }
      await assertEchoes(peer, '4after');
      return assertError(await session.get(), 3);
    };
    return { sid: session.sid, check };
  },

  'closing: the news is fetched, once, and the session is over': async ({ polling }) => {
    const session = await polling();
    await session.send('4last', '4cmd:close');
    const check = async () => {
      assert.deepEqual(await session.poll(), ['4last', '1']);
      await assertClosed(session);
    };
    return { sid: session.sid, check };
  },

  'closed by its client: stays closed': async ({ polling }) => {
    const session = await polling();
    await session.send('1');
    const check = async () => {
      // The poll that a client may have sent before its close is still answered.
      const answer = await session.get();
      if (answer.status === 200) assert.equal(answer.text.at(-1), '6');
      await assertClosed(session);
    };
    return { sid: session.sid, check };
  },
};

/** What keeps an object awake. */
const busy = {
  'with a poll held: the poll ends, and the session goes on or is unknown': async ({ polling, body }) => {
    const session = await polling();
    await session.send('4one');
    await server.settled();
    assert.deepEqual(await session.poll(), ['4one']);
    const { response } = await session.hold();
    const ended = response.then(({ status }) => status, ({ code }) => code);
    const check = async () => {
      // The runtime's own answer: code of ours did not live to give one.
      assert.ok([500, 'ECONNRESET'].includes(await ended), `${await ended}`);
      await assertGoesOnOrEnds(session, body);
    };
    return { sid: session.sid, check };
  },

  'probing, before the probe: polling goes on': async ({ polling }) => {
    const session = await polling();
    await session.send('4buffered');
    const peer = await session.upgrade();
    return { sid: session.sid, check: () => assertPollingGoesOn(session, peer) };
  },

  'probing, after the probe: polling goes on': async ({ polling }) => {
    const session = await polling();
    await session.send('4buffered');
    const peer = await session.upgrade();
    peer.send('2probe');
    assert.equal(await peer.next(), '3probe');
    return { sid: session.sid, check: () => assertPollingGoesOn(session, peer) };
  },

  'with a handler that is running: the event is lost, and nothing else': async ({ polling }) => {
    const session = await polling();
    await session.send('4cmd:slow 60000 lost', '4kept');
    const check = async () => {
      assert.deepEqual(await session.poll(), ['4kept']);
      await assertAlive(session);
    };
    return { sid: session.sid, check };
  },
};

async function assertPollingGoesOn(session, peer) {
  await peer.end();
  const packets = await session.poll();
  assert.deepEqual(packets.filter((packet) => packet !== '6'), ['4buffered']);
  await assertAlive(session);
  const next = await session.upgrade();
  next.send('2probe');
  assert.equal(await next.next(), '3probe');
  next.send('5');
  await assertEchoes(next, '4upgraded');
}

for (const revision of [3, 4]) {
  const context = ways(revision);
  const { polling, websocket, body } = context;

  // One after the other: what hits an object hits all of its sessions.
  for (const [name, fault] of Object.entries(faults)) {
    const states = fault.waits ? quiet : { ...quiet, ...busy };
    inEveryState(server, `revision ${revision}, ${name}`, fault, states, context);

    test(`revision ${revision}, ${name}: new sessions begin`, workerOnly, async () => {
      await assertAlive(await polling());
      await assertEchoes(await websocket(), '4new');
    });

    if (name !== 'killed with the runtime') {
      test(`revision ${revision}, ${name}: another object hears nothing of it`, workerOnly, async () => {
        const struck = await websocket();
        const other = await elsewhere(struck.sid, websocket);
        const numbers = Array.from({ length: 50 }, (_, index) => `4${index}`);
        for (const number of numbers.slice(0, 25)) other.send(number);
        const striking = fault.strike(server, [struck.sid]);
        for (const number of numbers.slice(25)) other.send(number);
        await striking;
        for (const number of numbers) assert.equal(await other.next(), number);
      });
    }
  }

  describe(`revision ${revision}, before anything is saved`, workerOnly, () => {
    for (const [name, { strike, waits }] of Object.entries(faults)) {
      if (waits) continue;
      test(`${name}: what was fetched a moment before is not fetched again`, async () => {
        const session = await polling();
        await session.send('4one');
        await server.settled();
        assert.deepEqual(await session.poll(), ['4one']);
        await strike(server, [session.sid]);
        await assertGoesOnOrEnds(session, body);
      });

      test(`${name}: what came a moment before is there, or the session is unknown`, async () => {
        const session = await polling();
        await session.send('4one');
        await server.settled();
        await session.send('4two');
        await strike(server, [session.sid]);
        const answer = await session.get();
        if (answer.status === 200) assert.equal(answer.text, body('4one', '4two'));
        else assertError(answer, 1);
      });

      test(`${name}: the session goes on, or is unknown`, async () => {
        const session = await polling();
        await strike(server, [session.sid]);
        await assertGoesOnOrEnds(session, body);
        await assertAlive(await polling());
      });
    }
  });

  describe(`revision ${revision}, sleep has to wait`, workerOnly, () => {
    test('for a poll that is held', async () => {
      const session = await polling();
      await server.settled();
      const held = session.poll();
      const asleep = server.sleep(session.sid);
      await session.send('4hello');
      assert.deepEqual(await held, ['4hello']);
      assert.equal(await asleep, true);
      await assertGoesOnOrEnds(session, body);
    });

    test('for an upgrade, which is completed', async () => {
      const session = await polling();
      await session.send('4buffered');
      await server.settled();
      const peer = await session.upgrade();
      const asleep = server.sleep(session.sid);
      peer.send('2probe');
      assert.equal(await peer.next(), '3probe');
      assert.ok((await session.poll()).includes('4buffered'));
      peer.send('5');
      await assertEchoes(peer, '4upgraded');
      assert.equal(await asleep, true);
      await assertEchoes(peer, '4awake');
    });
  });
}

/** A session that is not in the object of this one. */
async function elsewhere(sid, open) {
  for (;;) {
    const peer = await open();
    if (objectId(peer.sid) !== objectId(sid)) return peer;
  }
}
