// A socket that has gone is gone, even where its client joins the namespace again. Whoever
// holds on to the handle of the old one neither sees the new one nor touches it, though in
// protocol 4 both have the same id.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { comeBack, lose, ticket } from '../harness/socket/recovery.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs, workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;

/** What comes of a handle's methods, if its socket has gone. */
const outcomes = {
  look: [false, [], null],
  emit: 'gone',
  emit_volatile: 'gone',
  emit_with_ack: 'gone',
  join: 'gone',
  'join no room': 'gone',
  leave: 'gone',
  'leave no room': 'gone',
  set_data: 'gone',
  edit_data: 'gone',
  acknowledge: 'gone',
  disconnect: 'ok',
  close: 'ok',
};

let names = 0;

/** Has the application keep the member's handle, and the acknowledgement of an event. */
async function keep({ client, namespace }) {
  const name = `handle ${(names += 1)}`;
  await client.send(...encodePacket(2, { namespace, id: 77, data: ['keep', name] }));
  return name;
}

async function leave({ client, namespace, id }) {
  await client.send(`1${namespace},`);
  await logs.waitFor({ event: 'disconnected', socket: id });
}

/** Joins again, as somebody new. */
async function rejoin(old) {
  const again = await old.client.join(old.namespace, { name: 'new' });
  await again.ask('join', 'new');
  return again;
}

/** Nothing has changed, and nothing is on its way. */
async function assertUntouched(again, { rooms = ['new'], name = 'new' } = {}) {
  assert.deepEqual(await again.ask('who'), [again.id, again.namespace]);
  assert.deepEqual(await again.ask('rooms'), [rooms]);
  assert.deepEqual(await again.ask('get-data'), [{ name }]);
}

/** Somebody in the namespace, an old socket whose handle is kept, and the new one. */
async function rejoined(member) {
  const namespace = freshNamespace();
  const witness = await member({ namespace });
  const old = await member({ namespace, auth: { name: 'old' } });
  await old.ask('join', 'old');
  const kept = await keep(old);
  await leave(old);
  return { witness, kept, old, again: await rejoin(old) };
}

const handles = ({ member, revision }) => {
  for (const [what, outcome] of Object.entries(outcomes)) {
    test(`${what}: ${JSON.stringify(outcome)}`, workerOnly, async () => {
      const { witness, kept, again } = await rejoined(member);
      assert.deepEqual(await witness.ask('use', kept, what), [outcome]);
      await assertUntouched(again);
      assert.deepEqual(await witness.ask('drop', kept), [true]);
    });
  }

  test('gone without a successor: the same', workerOnly, async () => {
    const namespace = freshNamespace();
    const witness = await member({ namespace });
    const old = await member({ namespace });
    const kept = await keep(old);
    await leave(old);
    for (const [what, outcome] of Object.entries(outcomes)) {
      assert.deepEqual(await witness.ask('use', kept, what), [outcome], what);
    }
    assert.deepEqual(await witness.ask('drop', kept), [true]);
  });

  test('broadcasts of it reach everybody but its id', workerOnly, async () => {
    const { witness, kept, old, again } = await rejoined(member);
    assert.equal(again.id === old.id, revision === 3);
    await witness.ask('join', 'new');
    for (const what of ['broadcast', 'to']) {
      await witness.emit('use', kept, what);
      await witness.expect('from the old one');
      if (again.id !== old.id) await again.expect('from the old one');
      await assertUntouched(again);
    }
    assert.deepEqual(await witness.ask('drop', kept), [true]);
  });

  test('a handler that was still waiting acknowledges nothing', workerOnly, async () => {
    const namespace = freshNamespace();
    const witness = await member({ namespace });
    const old = await member({ namespace });
    const name = `handler ${(names += 1)}`;
    await old.client.send(...encodePacket(2, { namespace, id: 78, data: ['wait', name, 'late'] }));
    await leave(old);
    const again = await rejoin(old);
    assert.deepEqual(await witness.ask('release', name), [true]);
    await assertUntouched(again);
  });
};

const acknowledgements = ({ member }) => {
  const waits = differs('waits for sockets that have gone');

  test('an acknowledgement that comes from the new socket is not one of the old', waits, async () => {
    const namespace = freshNamespace();
    const [witness, other] = [await member({ namespace }), await member({ namespace })];
    const old = await member({ namespace });
    const cast = { ack: true, timeout: 5_000 };
    await witness.client.send(...encodePacket(2, { namespace, id: 5, data: ['cast', cast, 'q'] }));
    const id = await old.asked('q');
    await other.asked('q');
    await leave(old);
    const again = await rejoin(old);
    await again.answer(id, 'late');
    await assertUntouched(again);
    await other.answer(id, 'in time');
    await witness.client.expect(`3${namespace},5["ok",["in time"]]`);
  });

  test('nor one of what the new one is asked', async () => {
    const namespace = freshNamespace();
    const old = await member({ namespace });
    await old.emit('ask', 5_000, 'first');
    const first = await old.asked('question', 'first');
    await leave(old);
    const again = await rejoin(old);
    await again.client.send(...encodePacket(2, { namespace, id: 6, data: ['ask', 5_000, 'second'] }));
    const second = await again.asked('question', 'second');
    assert.notEqual(first, second);
    await again.answer(first, 'late');
    await again.answer(second, 'in time');
    await again.client.expect(`3${namespace},6["answer","in time"]`);
    await assertUntouched(again);
  });
};

const afresh = ({ member, revision }) => {
  test('who joins again has nothing of who left', async () => {
    const old = await member({ namespace: freshNamespace(), auth: { name: 'old' } });
    await old.ask('join', 'old');
    await leave(old);
    const again = await rejoin(old);
    assert.equal(again.id === old.id, revision === 3);
    await assertUntouched(again);
    // Nobody has asked it anything.
    await again.answer(1, 'late');
    await assertUntouched(again);
  });

  const hurries = differs('takes a CONNECT before the DISCONNECT that came with it');

  test('nor when it leaves and joins in one go', hurries, async () => {
    const { client, namespace, ...old } = await member({ namespace: freshNamespace() });
    const packet = (...fields) => encodePacket(...fields)[0];
    const speaks = (id, ...data) => packet(2, { namespace, id, data });
    await client.send(speaks(8, 'join', 'old'), packet(1, { namespace }), packet(0, { namespace }));
    await client.expect(`3${namespace},8[["old"]]`);
    const answer = await client.packet('answer to CONNECT');
    assert.equal(answer.type, 0);
    const again = client.as(namespace, { sid: old.id, ...answer.data });
    await assertUntouched(again, { rooms: [], name: null });
  });
};

const recovered = ({ open, member }) => {
  /** It comes back in another session, with its id, room and data. */
  const recover = async (isLost) => {
    const namespace = freshNamespace();
    const witness = await member({ namespace });
    const old = await member({ namespace, auth: { name: 'old' } });
    await old.ask('join', 'old');
    const kept = await keep(old);
    const auth = await ticket(old);
    if (isLost) await lose(server, old);
    const { member: again, missed } = await comeBack(open, namespace, auth);
    assert.equal(again.id, old.id);
    assert.deepEqual(missed, []);
    return { witness, kept, again };
  };

  const cases = { 'after the old session has ended': true, 'while nobody has noticed': false };
  for (const [when, isLost] of Object.entries(cases)) {
    test(`${when}: the handle of the session before is of no use`, workerOnly, async () => {
      const { witness, kept, again } = await recover(isLost);
      for (const [what, outcome] of Object.entries(outcomes)) {
        assert.deepEqual(await witness.ask('use', kept, what), [outcome], what);
        await assertUntouched(again, { rooms: ['old'], name: 'old' });
      }
      assert.deepEqual(await witness.ask('drop', kept), [true]);
    });
  }
};

describe('a handle', () => eachWay(server, handles, { revisions: [3, 4], asleep: false }));
describe('an acknowledgement', () => eachWay(server, acknowledgements, { revisions: [3, 4], asleep: false }));
describe('joining again', () => eachWay(server, afresh, { revisions: [3, 4] }));
describe('a recovered socket', () => eachWay(server, recovered, { path: '/recovery/', asleep: false }));
