// The built test Worker on workerd, or another one, with a meter in front of it: what the
// tests of costs (tests/cost) and of attacks (tests/attack) read.

import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { root } from '../root.mjs';
import { COMPATIBILITY_FLAGS, OBJECT, builtFile } from '../runtime/built.mjs';
import { Logs } from '../runtime/logs.mjs';
import { module, startMiniflare } from '../runtime/miniflare.mjs';

const tests = path.join(root, 'tests');
const NAME = 'metered';
// The first one is where the runtime begins.
const METER = ['entry', 'instances', 'clock', 'ledger'].map((name) => `harness/meter/${name}.mjs`);
// The meter imports the Worker from where the test Worker is.
const BUILT = 'worker/build';

const UNCOMPRESSED = 'no_web_socket_compression';

/**
 * Starts it; with `realTime`, nothing is simulated and nothing accelerated. `compresses`:
 * WebSockets compress, as they do where nobody has set the flag. `quiet`: errors that
 * are logged are not shown.
 */
export async function startMetered(options = {}) {
  const { build = `tests/${BUILT}`, realTime = false, compresses = false, quiet = false } = options;
  // Nobody who attacks knows the secret of the HTTP API.
  const { variables = { API_SECRET: randomUUID() } } = options;
  const logs = new Logs();
  const { runtime, direct } = await startMiniflare({
    name: NAME,
    onLog: ({ level, message }) => {
      logs.write(message);
      if (level === 'error' && !quiet) console.error(message);
    },
    compatibilityFlags: COMPATIBILITY_FLAGS.filter((flag) => !compresses || flag !== UNCOMPRESSED),
    bindings: { ...variables, ...(realTime && { REAL_TIME: true }) },
    modules: [
      ...METER.map((name) => module('ESModule', path.join(tests, name))),
      moved(module('ESModule', builtFile(build, 'index.js'))),
      moved(module('CompiledWasm', builtFile(build, 'index_bg.wasm'))),
    ],
    modulesRoot: tests,
  });
  return new Metered(runtime, direct, logs);
}

/** A module of the Worker, where the meter expects it. */
const moved = (module) => ({ ...module, path: path.join(tests, BUILT, path.basename(module.path)) });

class Metered {
  #runtime;

  constructor(runtime, { origin, hostname, port }, logs) {
    this.#runtime = runtime;
    this.logs = logs;
    this.host = hostname;
    this.port = Number(port);
    this.url = origin;
    this.wsUrl = origin.replace('http', 'ws');
  }

  async #ask(what, object, query = {}) {
    const answer = await fetch(`${this.url}/meter/${what}?${new URLSearchParams({ object, ...query })}`);
    if (!answer.ok) throw new Error(`the meter: ${await answer.text()}`);
    return answer.json();
  }

  /** What the meter of an object shows. The object sleeps on. */
  state(object) {
    return this.#ask('state', object);
  }

  /** What is not of one object: wasm memory, lines that were logged, calls of all objects. */
  whole() {
    return this.#ask('whole', '');
  }

  /** What the meters of all objects show, by their ids, also of those that no client named. */
  all() {
    return this.#ask('all', '');
  }

  /** Moves the time on. */
  jump(to) {
    return this.#ask('jump', '', { to });
  }

  /** Lets the object have the timers and the alarm that are due. */
  fire(object) {
    return this.#ask('fire', object);
  }

  /** Puts an object to sleep, by its id in hexadecimal; its WebSockets stay. */
  async sleep(id) {
    await this.#runtime.unsafeEvictDurableObject(NAME, OBJECT, { id, webSockets: 'hibernate' });
  }

  /** Breaks all the WebSockets of an object, which hears nothing of it. */
  async cut(object) {
    const { id } = await this.state(object);
    // Only an object that is awake can be cut.
    await this.fire(object);
    await this.#runtime.unsafeEvictDurableObject(NAME, OBJECT, { id, webSockets: 'close' });
  }

  stop() {
    return this.#runtime.dispose();
  }
}
