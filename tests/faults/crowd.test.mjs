// Five thousand clients connect at once, Socket.IO and all. All of them join, and each
// hears a broadcast once.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { emitFromElsewhere } from '../harness/socket/routes.mjs';
import { workerOnly } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';

const server = workerOnly.skip ? undefined : await startWorkerd();
after(() => server?.stop());

const COUNT = 5_000;
const PATIENCE = 120_000;
const path = '/io/';
const namespace = '/chat';

/** As little of a client as there can be: five thousand share one processor with the server. */
class Client {
  heard = [];
  #joined = Promise.withResolvers();
  #next = Promise.withResolvers();

  constructor(index) {
    const url = `${server.wsUrl}${path}?EIO=4&transport=websocket`;
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('message', (data) => this.#handle(data.toString(), index));
    this.socket.on('error', this.#joined.reject);
    this.socket.on('close', (code) => this.#joined.reject(new Error(`closed with ${code}`)));
  }

  get joined() {
    return this.#joined.promise;
  }

  get next() {
    return this.#next.promise;
  }

  #handle(frame, index) {
    if (frame.startsWith('0')) this.socket.send(`40${namespace},{"rooms":["${index % 2 ? 'odd' : 'even'}"]}`);
    else if (frame.startsWith(`40${namespace},`)) this.#joined.resolve();
    else if (frame === '2') this.socket.send('3');
    else if (frame.startsWith(`42${namespace},`)) {
      this.heard.push(frame);
      if (frame.includes('"last"')) this.#next.resolve();
    }
  }
}

test('five thousand at once: all join, and hear a broadcast once', workerOnly, async (t) => {
  const clients = Array.from({ length: COUNT }, (_, index) => new Client(index));
  t.after(() => clients.forEach(({ socket }) => socket.terminate()));
  await within(Promise.all(clients.map(({ joined }) => joined)), 'arrival of all', PATIENCE);

  const all = { path, namespace };
  await emitFromElsewhere(server, all, 'to all', 1);
  await emitFromElsewhere(server, { ...all, to: 'odd' }, 'to some', 1);
  await emitFromElsewhere(server, all, 'last', 1);
  await within(Promise.all(clients.map(({ next }) => next)), 'broadcast', PATIENCE);
  for (const [index, { heard }] of clients.entries()) {
    const events = ['to all', ...(index % 2 ? ['to some'] : []), 'last'];
    assert.deepEqual(heard, events.map((event) => `42${namespace},["${event}",1]`));
  }
  assert.deepEqual(server.logs.events.filter(({ level }) => level === 'error' || level === 'warn'), []);
});
