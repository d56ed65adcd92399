// The built test Worker on workerd, or another one, with a meter in front of it, and on a
// clock of its own: what the tests of costs (tests/cost) and of attacks (tests/attack) read.

import { randomUUID } from 'node:crypto';
import { Runtime } from '#dormouse-test/runtime.mjs';
import { startWorkerd as engine } from '#dormouse-test/workerd.mjs';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, builtWorker, startHere } from '../runtime/built.mjs';

const EXTENSION = new URL('placing.mjs', import.meta.url);
const UNCOMPRESSED = 'no_web_socket_compression';
/** When the time begins. Any moment will do. */
const START = Date.UTC(2026, 10, 17);

/**
 * Starts it; with `realTime`, nothing is simulated and nothing accelerated. `compresses`:
 * WebSockets compress, as they do where nobody has set the flag. `quiet`: errors that
 * are logged are not shown.
 */
export async function startMetered(options = {}) {
  const { build, realTime = false, compresses = false, quiet = false } = options;
  // Nobody who attacks knows the secret of the HTTP API.
  const { variables = { API_SECRET: randomUUID() } } = options;
  const worker = { ...builtWorker(build), extension: EXTENSION, meter: true };
  const flags = COMPATIBILITY_FLAGS.filter((flag) => !compresses || flag !== UNCOMPRESSED);
  const clock = { manual: !realTime, start: START };
  const onError = quiet ? undefined : console.error;
  return startHere(engine, worker, { date: COMPATIBILITY_DATE, flags, variables, storage: true, clock, onError }, Metered);
}

class Metered extends Runtime {
  /** What the meter of an object shows, by the name that its clients give. The object sleeps on. */
  state(object) {
    return this.watch('state', object);
  }

  /** What is not of one object: wasm memory, lines that were logged, calls of all objects. */
  whole() {
    return this.watch('whole');
  }

  /** What the meters of all objects show, by their ids, also of those that no client named. */
  all() {
    return this.watch('all');
  }

  /** Moves the time on. */
  jump(to) {
    return this.watch('jump', to);
  }

  /** Lets the object have the timers and the alarm that are due. */
  async fire(object) {
    return this.fireId(await this.watch('idOf', object));
  }

  /** The same by its id in hexadecimal. */
  async fireId(id) {
    return this.control('fire', { id });
  }

  /** Puts an object to sleep, by its id in hexadecimal; its WebSockets stay. */
  sleep(id) {
    return this.control('evict', { id, webSockets: 'hibernate' });
  }

  /** Breaks all the WebSockets of an object, which hears nothing of it. */
  async cut(object) {
    const id = await this.watch('idOf', object);
    // Only an object that is awake can be cut.
    await this.fire(object);
    await this.control('evict', { id, webSockets: 'close' });
  }
}
