// The stock JavaScript clients of Engine.IO behind one interface: messages in order, as promises.

import { Socket } from 'engine.io-client';
import connectOld from 'engine.io-client-3';
import { Queue, within } from '#dormouse-test/wait.mjs';
import { withBuffer } from './common.mjs';

export const libraries = [
  { name: 'engine.io-client 3.5', revision: 3, open: (url, options) => connectOld(url, options) },
  { name: 'engine.io-client 6.6', revision: 4, open: (url, options) => new Socket(url, options) },
];

/** A connected client; with `settle` off it is returned before its upgrade. */
export async function connect(server, library, { path = '/sleepy/', settle = true, ...options }) {
  const open = () => library.open(server.wsUrl, { path, ...options });
  const client = new Client(open, settle && options.transports.length > 1);
  await client.open();
  return client;
}

class Client {
  #create;
  #settle;
  #messages;

  constructor(create, settle) {
    this.#create = create;
    this.#settle = settle;
  }

  /** Connects; once more, where it has been closed. */
  async open() {
    const socket = this.#create();
    const messages = new Queue();
    this.socket = socket;
    this.#messages = messages;
    socket.binaryType = 'arraybuffer';
    socket.on('message', (data) => messages.push(content(data)));
    socket.on('error', () => {});
    this.upgradedBy = once(socket, 'upgrade');
    this.closed = once(socket, 'close');
    this.closed.then((reason) => {
      messages.close(new Error(`the client is closed: ${reason}`));
    });
    await this.#opened();
    if (this.#settle) await this.upgraded();
  }

  async #opened() {
    if (this.socket.readyState !== 'open') {
      const failed = this.closed.then((reason) => {
        throw new Error(`closed before it was open: ${reason}`);
      });
      await within(Promise.race([once(this.socket, 'open'), failed]), 'opened client');
    }
    this.sid = this.socket.id;
  }

  upgraded() {
    return within(this.upgradedBy, 'upgrade of the client');
  }

  get transport() {
    return this.socket.transport.name;
  }

  send(data) {
    this.socket.send(data);
  }

  /** The next message: a string, or a Buffer. */
  next(what = 'message to the client', ms) {
    return this.#messages.next(what, ms);
  }

  /** Messages that came and nobody took. */
  get pending() {
    return this.#messages.pending;
  }

  close() {
    this.socket.close();
  }

  /** Why the client thinks that the session is over. */
  end(ms) {
    return within(this.closed, 'close of the client', ms);
  }
}

function once(emitter, event) {
  return new Promise((resolve) => emitter.once(event, resolve));
}

/** A message as a string or a Buffer; both clients give an empty text as `undefined`. */
function content(data) {
  return data === undefined ? '' : withBuffer(data);
}
