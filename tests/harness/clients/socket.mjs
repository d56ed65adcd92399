// The stock JavaScript clients of Socket.IO, 1.x to 4.x, behind one interface.

import { createRequire } from 'node:module';
import * as msgpack from 'socket.io-msgpack-parser';
import { io as connect4 } from 'socket.io-client';
import { PATIENCE, Queue, within } from '#dormouse-test/wait.mjs';
import { withBuffer } from './common.mjs';

const require = createRequire(import.meta.url);

export const libraries = [
  { name: 'socket.io-client 1.7', protocol: 4, connect: require('socket.io-client-1') },
  { name: 'socket.io-client 2.5', protocol: 4, connect: require('socket.io-client-2') },
  { name: 'socket.io-client 3.1', protocol: 5, connect: require('socket.io-client-3').io },
  { name: 'socket.io-client 4.8', protocol: 5, connect: connect4 },
];

export const newest = libraries.at(-1);

/** The newest client with the msgpack parser. */
export const packed = {
  name: 'socket.io-client 4.8 with msgpack',
  protocol: 5,
  connect: (url, options) => connect4(url, { ...options, parser: msgpack }),
};

/**
 * Somebody in a namespace. `auth` is what they say of themselves, in whichever way
 * their generation can; `settle` off does not wait for the upgrade. With `offsets`, events
 * end with one, as from a server whose clients can come back, and it is taken off.
 */
export async function join(server, library, options) {
  const player = new Player(server, library, options);
  await player.connected();
  return player;
}

export class Player {
  #queues = new Map();

  constructor(server, library, { namespace = '/', auth, settle = true, offsets = false, ...options } = {}) {
    const old = library.protocol === 4;
    const query = old && auth ? { query: new URLSearchParams(auth).toString() } : {};
    this.library = library;
    this.offsets = offsets && library.protocol === 5;
    this.settles = settle && options.transports?.length > 1;
    this.socket = library.connect(server.url + namespace, {
      forceNew: true,
      reconnection: false,
      timeout: PATIENCE,
      ...options,
      ...(old ? query : { auth }),
    });
    this.disconnected = new Promise((resolve) => this.socket.on('disconnect', resolve));
    this.socket.on('question', (...args) => args.pop()(...args));
  }

  async connected() {
    const { socket } = this;
    const refused = new Promise((_, reject) => {
      const refuse = (error) => reject(Object.assign(new Error('refused'), { refusal: error }));
      socket.once('connect_error', refuse);
      // Protocol 4 has one event for this, and for anything else.
      if (this.library.protocol === 4) socket.once('error', refuse);
    });
    const joined = new Promise((resolve) => socket.once('connect', resolve));
    await within(Promise.race([joined, refused]), 'connection');
    if (this.settles) await this.#upgraded();
  }

  #upgraded() {
    const { engine } = this.socket.io;
    if (engine.transport.name === 'websocket') return undefined;
    return within(new Promise((resolve) => engine.once('upgrade', resolve)), 'upgrade');
  }

  get id() {
    return this.socket.id;
  }

  /** The Engine.IO session beneath. */
  get sid() {
    return this.socket.io.engine.id;
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  /** Listens for an event from now on. */
  listen(...events) {
    for (const event of events) this.#queue(event);
    return this;
  }

  #queue(event) {
    if (!this.#queues.has(event)) {
      const queue = new Queue();
      this.#queues.set(event, queue);
      this.socket.on(event, (...args) => queue.push(this.#said(args).map(plain)));
    }
    return this.#queues.get(event);
  }

  #said(args) {
    const offset = /^\d+\.\d+$/;
    const hasOffset = this.offsets && typeof args.at(-1) === 'string' && offset.test(args.at(-1));
    return hasOffset ? args.slice(0, -1) : args;
  }

  emit(event, ...args) {
    this.socket.emit(event, ...args);
  }

  /** The values of the acknowledgement. */
  ask(event, ...args) {
    const asked = new Promise((resolve) => {
      this.socket.emit(event, ...args, (...values) => resolve(values.map(plain)));
    });
    return within(asked, `acknowledgement of ${event}`);
  }

  /** The arguments of the next such event, of those since `listen`. */
  next(event) {
    return this.#queue(event).next(event);
  }

  /** What came and nobody took. */
  pending(event) {
    return this.#queue(event).pending;
  }

  close() {
    this.socket.close();
  }

  /** Why the client thinks that it is disconnected. */
  end() {
    return within(this.disconnected, 'disconnection');
  }
}

/** Bytes as Buffers, whatever the library makes of them. */
function plain(value) {
  const it = withBuffer(value);
  if (Array.isArray(it)) return it.map(plain);
  if (it === null || typeof it !== 'object' || Buffer.isBuffer(it)) return it;
  return Object.fromEntries(Object.entries(it).map(([key, item]) => [key, plain(item)]));
}
