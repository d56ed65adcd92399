// As much of the platform as a Durable Object touches that serves WebSockets, and
// nothing behind it: what is sent is counted. So the time of a call is that of our
// own code, and of the engine that both this and the runtime use.

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

const WORKERS = `
  export class WorkerEntrypoint { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }
  export class DurableObject { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }
  export const exports = {};
  export const env = {};
`;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'cloudflare:workers') return next(specifier, context);
    return { url: `data:text/javascript,${encodeURIComponent(WORKERS)}`, shortCircuit: true };
  },
  load(url, context, next) {
    if (!url.endsWith('.wasm')) return next(url, context);
    const source = `
      import { readFileSync } from 'node:fs';
      export default new WebAssembly.Module(readFileSync(new URL(${JSON.stringify(url)})));
    `;
    return { format: 'module', source, shortCircuit: true };
  },
});

class Socket {
  sent = 0;
  #attachment;

  send() {
    this.sent += 1;
  }

  close() {}

  accept() {}

  addEventListener() {}

  serializeAttachment(value) {
    this.#attachment = structuredClone(value);
  }

  deserializeAttachment() {
    return structuredClone(this.#attachment);
  }
}

class Pair {
  0 = new Socket();
  1 = new Socket();
}

/** A response that may switch protocols, which those of Node may not. */
class Reply {
  constructor(body, { status = 200, headers, webSocket } = {}) {
    Object.assign(this, { body, status, headers, webSocket });
  }
}

class State {
  id = { toString: () => 'ab'.repeat(32) };
  #sockets = [];
  #tagged = new Map();

  storage = {
    getAlarm: async () => null,
    setAlarm: async () => {},
    sql: { exec: () => ({ raw: () => ({ toArray: () => [] }) }) },
  };

  acceptWebSocket(socket, tags = []) {
    this.#sockets.push(socket);
    for (const tag of tags) this.#tagged.set(tag, [...(this.#tagged.get(tag) ?? []), socket]);
  }

  getWebSockets(tag) {
    return tag === undefined ? this.#sockets : (this.#tagged.get(tag) ?? []);
  }

  setWebSocketAutoResponse() {}

  getWebSocketAutoResponse() {
    return null;
  }

  getWebSocketAutoResponseTimestamp() {
    return null;
  }
}

/**
 * Makes an object of a class of a module: `{ object, open(path), wake() }`, where `open` is
 * a new client's socket, and `wake` the same object after sleep.
 */
export async function makeObject(file, name) {
  Object.assign(globalThis, {
    addEventListener: () => {},
    Response: Reply,
    WebSocket: Socket,
    WebSocketPair: Pair,
    WebSocketRequestResponsePair: class {},
  });
  const module = await import(pathToFileURL(file));
  const state = new State();
  const object = new module[name](state, {});
  const open = async (path) => {
    const url = `http://host${path}?EIO=4&transport=websocket`;
    await object.fetch(new Request(url, { headers: { upgrade: 'websocket' } }));
    return state.getWebSockets().at(-1);
  };
  const wake = () => {
    // What we have written on them goes with the object's memory.
    for (const socket of state.getWebSockets()) delete socket.dormouse;
    return new module[name](state, {});
  };
  return { object, open, wake };
}

/** The bytes of a module. */
export const bytesOf = (file) => readFileSync(file);
