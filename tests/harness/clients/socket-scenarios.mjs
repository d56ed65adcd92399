// The scenarios that every Socket.IO client must pass, whatever its generation and
// transport, and whether the server sleeps in between: `pause` is called between any
// two steps. `open(options)` opens another client of the same kind.

import assert from 'node:assert/strict';
import { emitFromElsewhere, fetchFromElsewhere } from '../socket/routes.mjs';
import { target } from '../target.mjs';
import { UNICODE } from '../wire/samples.mjs';

const bytes = (...values) => Buffer.from(values);
let roomCount = 0;
const freshRoom = () => `room ${(roomCount += 1)}`;

const values = [null, true, 0, -1.5, 2 ** 40, 1e-300, '', UNICODE, [], {}, [[1], { a: { b: [null] } }]];
const nested = { a: [bytes(1), { b: bytes() }], c: bytes(2, 3), d: 'text' };

/** name → what to do with `{ player, open, server, path, pause, way, library }`. */
export const scenarios = {
  async 'events with many arguments, of every kind'({ player, pause }) {
    player.listen('message-back');
    for (const args of [[], [1], values, Array.from({ length: 50 }, (_, index) => index)]) {
      await pause();
      player.emit('message', ...args);
      assert.deepEqual(await player.next('message-back'), args);
    }
  },

  async 'binary anywhere'({ player, pause }) {
    player.listen('message-back');
    for (const args of [[bytes(1, 2, 3)], [nested], ['a', bytes(), [bytes(4)], { x: bytes(5) }]]) {
      await pause();
      player.emit('message', ...args);
      assert.deepEqual(await player.next('message-back'), args);
      await pause();
      assert.deepEqual(await player.ask('message-with-ack', ...args), args);
    }
  },

  async 'values that look like the placeholder of an attachment'({ player, pause }) {
    // npm's server sends them on, and its clients take them for attachments.
    if (target === 'reference') return;
    player.listen('message-back', 'beside-bytes');
    for (const [placeholder, num] of [[true, 0], [true, 1], [true, -1], [1, 0], ['x', 0], [[], 0]]) {
      const value = { a: [{ _placeholder: placeholder, num }], b: { _placeholder: placeholder } };
      await pause();
      player.emit('message', value);
      assert.deepEqual(await player.next('message-back'), [value], 'alone it is data');
      const expected = [{ a: [{ _placeholder: false, num }], b: { _placeholder: false } }, bytes(1, 2, 3)];
      assert.deepEqual(await player.ask('beside-bytes', value), expected);
      assert.deepEqual(await player.next('beside-bytes'), expected);
    }
  },

  async 'large texts and large binary'({ player, pause, misreads }) {
    player.listen('message-back', 'big', 'big-binary');
    const text = (misreads ? 'e' : 'é').repeat(300_000);
    player.emit('message', text);
    assert.deepEqual(await player.next('message-back'), [text]);
    await pause();
    // As base64 it is just below the limit of a POST.
    const binary = Buffer.alloc(700_000, 0x2b);
    player.emit('message', binary);
    assert.deepEqual(await player.next('message-back'), [binary]);
    await pause();
    player.emit('big', 900_000);
    assert.deepEqual(await player.next('big'), ['x'.repeat(900_000)]);
    player.emit('big-binary', 700_000);
    assert.deepEqual(await player.next('big-binary'), [Buffer.alloc(700_000, 0x2a)]);
  },

  async 'bursts, in order, both ways'({ player, pause }) {
    player.listen('n', 'message-back');
    player.emit('burst', 100);
    for (let index = 0; index < 100; index += 1) assert.deepEqual(await player.next('n'), [index]);
    await pause();
    for (let index = 0; index < 100; index += 1) player.emit('message', index, bytes(index));
    for (let index = 0; index < 100; index += 1) {
      assert.deepEqual(await player.next('message-back'), [index, bytes(index)]);
    }
  },

  async 'acknowledgements of the server'({ player, pause }) {
    await pause();
    assert.deepEqual(await player.ask('message-with-ack', ...values), values);
    await pause();
    assert.deepEqual(await player.ask('echo-nothing'), []);
    assert.deepEqual(await player.ask('typed', 'a', 5), ['a:5']);
    const [slow, quick] = await Promise.all([player.ask('slow', 50, 'slow'), player.ask('typed', 'b', 6)]);
    assert.deepEqual([slow, quick], [['slow'], ['b:6']]);
  },

  async 'acknowledgements of the client'({ player, pause }) {
    await pause();
    assert.deepEqual(await player.ask('ask', 5_000, 'x', nested), ['answer', 'x', nested]);
    await pause();
    player.socket.off('question');
    player.socket.on('question', () => {});
    assert.deepEqual(await player.ask('ask', 50, 1), ['timeout']);
  },

  async 'an event without a handler'({ player, pause }) {
    player.listen('any');
    await pause();
    player.emit('whatever', 1, bytes(2));
    assert.deepEqual(await player.next('any'), ['whatever', 1, bytes(2)]);
  },

  async 'rooms, and who is in them'({ player, pause }) {
    const [one, two] = [freshRoom(), freshRoom()];
    assert.deepEqual(await player.ask('join', [one, two]), [[one, two].sort()]);
    await pause();
    assert.deepEqual(await player.ask('leave', one), [[two]]);
    await pause();
    assert.deepEqual(await player.ask('rooms'), [[two]]);
    const [name] = await player.ask('get-data');
    const fetched = await player.ask('fetch', { from: 'server', in: [two] });
    assert.deepEqual(fetched, [[[player.id, [two], name]]]);
  },

  async 'every operator of a broadcast'({ player, open, pause, path }) {
    const room = freshRoom();
    const apart = freshRoom();
    const others = [await open(), await open()];
    const all = [player, ...others];
    for (const [index, one] of all.entries()) {
      one.listen('cast');
      await one.ask('join', index === 2 ? [room, apart] : room);
    }
    const heard = async (operators, ...expected) => {
      await pause();
      assert.deepEqual(await player.ask('cast', operators, 'cast', operators, bytes(1)), ['ok']);
      // What comes after it: so whoever has heard nothing by then hears nothing.
      await player.ask('cast', { from: 'server', to: [room] }, 'cast', 'end');
      for (const [index, one] of all.entries()) {
        const first = await one.next('cast');
        const hears = expected.includes(index);
        assert.deepEqual(first, hears ? [operators, bytes(1)] : ['end'], `${index} of ${JSON.stringify(operators)}`);
        if (hears) assert.deepEqual(await one.next('cast'), ['end']);
      }
    };
    await heard({ to: [room] }, 1, 2);
    await heard({ in: [room, apart] }, 1, 2);
    await heard({ to: [room], except: [apart] }, 1);
    await heard({ from: 'server', to: [room] }, 0, 1, 2);
    await heard({ from: 'server', to: [apart] }, 2);
    // Which of them are in one object is for the placement to say.
    const local = !path.startsWith('/spread');
    await heard({ from: 'server', to: [room], except: [apart], local, compress: false }, 0, 1);
    await heard({ from: 'server', to: [player.id, others[1].id] }, 0, 2);
  },

  async 'acknowledgements of a broadcast'({ player, open, pause }) {
    const room = freshRoom();
    const others = [await open(), await open()];
    for (const one of others) await one.ask('join', room);
    await pause();
    const asked = await player.ask('cast', { to: [room], ack: true, timeout: 5_000 }, 'question', 7);
    assert.deepEqual(asked, ['ok', [7, 7]]);
    others[0].socket.off('question');
    const late = await player.ask('cast', { to: [room], ack: true, timeout: 400 }, 'question', 8);
    assert.deepEqual(late, ['timeout', [8]]);
  },

  async 'to a socket, by its id'({ player, open, pause }) {
    const other = (await open()).listen('direct');
    const [id] = await other.ask('who');
    await pause();
    assert.deepEqual(await player.ask('direct', id, 'direct', 'for you', bytes(1)), ['ok']);
    assert.deepEqual(await other.next('direct'), ['for you', bytes(1)]);
  },

  async 'sockets made to join, leave and go'({ player, open, pause }) {
    const [room, more] = [freshRoom(), freshRoom()];
    const other = await open();
    await other.ask('join', room);
    assert.deepEqual(await player.ask('make-join', { to: [room] }, more), ['ok']);
    await pause();
    assert.deepEqual(await other.ask('rooms'), [[room, more].sort()]);
    assert.deepEqual(await player.ask('make-leave', { to: [room] }, more), ['ok']);
    assert.deepEqual(await other.ask('rooms'), [[room]]);
    await pause();
    assert.deepEqual(await player.ask('make-disconnect', { to: [room] }, false), ['ok']);
    assert.equal(await other.end(), 'io server disconnect');
  },

  async 'the data of a socket'({ player, pause }) {
    const data = { a: [1, { b: UNICODE }] };
    assert.deepEqual(await player.ask('set-data', data), ['ok']);
    await pause();
    assert.deepEqual(await player.ask('get-data'), [data]);
  },

  async 'the handshake, long after it'({ player, pause, path }) {
    await pause();
    const [handshake] = await player.ask('handshake');
    assert.equal(handshake.secure, false);
    assert.ok(handshake.url.includes(path));
    assert.equal(handshake.query.transport, player.socket.io.opts.transports[0]);
    assert.ok('host' in handshake.headers);
  },

  async 'from another part of the Worker'({ player, server, path, pause, misreads }) {
    const room = freshRoom();
    await player.listen('news').ask('join', room);
    await pause();
    const target = { path, namespace: '/', to: room };
    const text = misreads ? 'text' : UNICODE;
    await emitFromElsewhere(server, target, 'news', 1, text);
    assert.deepEqual(await player.next('news'), [1, text]);
    const fetched = await fetchFromElsewhere(server, target);
    assert.deepEqual(fetched.map(([id]) => id), [player.id]);
  },

  async 'the client disconnects'({ player, server, pause }) {
    const [id] = await player.ask('who');
    await player.ask('join', 'a room');
    await pause();
    player.close();
    assert.equal(await player.end(), 'io client disconnect');
    const line = await server.logs.waitFor({ event: 'disconnecting', socket: id });
    assert.deepEqual(line.rooms, ['a room']);
    const { reason } = await server.logs.waitFor({ event: 'disconnected', socket: id });
    assert.ok(['client namespace disconnect', 'transport close'].includes(reason), reason);
  },

  async 'the server disconnects the socket'({ player, server, pause }) {
    const [id] = await player.ask('who');
    await pause();
    player.emit('leave-me', false);
    assert.equal(await player.end(), 'io server disconnect');
    const { reason } = await server.logs.waitFor({ event: 'disconnected', socket: id });
    assert.equal(reason, 'server namespace disconnect');
  },

  async 'the server closes the session'({ player, pause }) {
    await pause();
    player.emit('leave-me', true);
    assert.ok(['io server disconnect', 'transport close'].includes(await player.end()));
  },

  async 'coming back after a disconnection'({ player, open }) {
    const { sid } = player;
    player.close();
    await player.end();
    const again = await open();
    assert.notEqual(again.sid, sid);
    assert.deepEqual(await again.ask('message-with-ack', 1), [1]);
  },

  async 'a namespace by name, by pattern and by predicate'({ open, pause }) {
    for (const [namespace, auth] of [
      ['/chat', undefined],
      ['/slow', undefined],
      ['/dynamic-7', undefined],
      ['/tenant/acme', { tenant: 'acme' }],
    ]) {
      const other = await open({ namespace, auth });
      await pause();
      const [id, name] = await other.ask('who');
      assert.equal(name, namespace);
      assert.ok(id.length > 0);
    }
  },

  async 'a refusal says why'({ open, library }) {
    const refusal = async (options) => {
      const error = await open(options).then(assert.fail, ({ refusal }) => refusal);
      // In protocol 4 it is one value: a text, or the data.
      return library.protocol === 4 ? error : { message: error.message, data: error.data };
    };
    const old = library.protocol === 4;
    const data = { content: 'Please retry later' };
    const text = (message, more) => (old ? (more ?? message) : { message, data: more });
    // The reference server speaks of a namespace that it does not have as in protocol 5.
    const unknown = old && target === 'reference' ? { message: 'Invalid namespace' } : text('Invalid namespace');
    assert.deepEqual(await refusal({ namespace: '/nobody' }), unknown);
    assert.deepEqual(await refusal({ namespace: '/refuse' }), text('not authorized'));
    const asked = { namespace: '/refuse', auth: { token: 'bad', data: 1 } };
    assert.deepEqual(await refusal(asked), text('not authorized', data));
    const good = await open({ namespace: '/refuse', auth: { token: 'good' } });
    assert.deepEqual(await good.ask('message-with-ack', 1), [1]);
  },
};
