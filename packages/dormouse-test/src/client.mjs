// A stock client, connected, with what it hears in order.

import { PATIENCE, Queue, within } from './wait.mjs';

/** Events of the client itself, which are no server's. */
const OWN = ['connect', 'disconnect', 'connect_error'];

/** Connects the client of `io`, that of socket.io-client 4. Rejects if the server refuses it. */
export async function connect(io, url, options = {}) {
  const client = new Client(io(url, { forceNew: true, ...options }));
  try {
    await within(client.connected, `connection to ${url}`);
    await within(client.settled, `upgrade of the connection to ${url}`);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

class Client {
  #heard = new Map();

  constructor(socket) {
    this.socket = socket;
    socket.onAny((name, ...args) => this.#queue(name).push(args));
    this.connected = new Promise((resolve, reject) => {
      socket.once('connect_error', reject);
      socket.once('connect', () => {
        for (const name of OWN) socket.on(name, (...args) => this.#queue(name).push(args));
        resolve();
      });
    });
    this.connected.catch(() => {});
    this.settled = upgraded(socket.io?.engine);
  }

  get id() {
    return this.socket.id;
  }

  #queue(name) {
    if (!this.#heard.has(name)) this.#heard.set(name, new Queue());
    return this.#heard.get(name);
  }

  next(name, ms = PATIENCE) {
    return this.#queue(name).next(`“${name}”`, ms);
  }

  heard(name) {
    return this.#queue(name).pending;
  }

  emit(name, ...args) {
    this.socket.emit(name, ...args);
  }

  ask(name, ...args) {
    return within(this.socket.emitWithAck(name, ...args), `acknowledgement of “${name}”`);
  }

  close() {
    this.socket.disconnect();
  }
}

/** Resolves once a client has changed from polling to WebSocket, or does not try to. */
function upgraded(engine) {
  return new Promise((resolve) => {
    if (!engine) return resolve();
    for (const end of ['upgrade', 'upgradeError', 'close']) engine.once(end, () => resolve());
    return engine.once('handshake', ({ upgrades }) => {
      const tries = engine.opts.upgrade !== false && upgrades.some((name) => engine.transports.includes(name));
      if (!tries) resolve();
    });
  });
}
