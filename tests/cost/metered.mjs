// The built test Worker on workerd, or another one, with a meter in front of it.

import path from 'node:path';
import { root } from '../harness/root.mjs';
import { OBJECT, builtFile } from '../harness/runtime/built.mjs';
import { module, startMiniflare } from '../harness/runtime/miniflare.mjs';

const tests = path.join(root, 'tests');
const NAME = 'metered';
// The first one is where the runtime begins.
const METER = ['entry', 'clock', 'ledger'].map((name) => `cost/runtime/${name}.mjs`);
// The meter imports the Worker from where the test Worker is.
const BUILT = 'worker/build';

/** Starts it; with `realTime`, nothing is simulated and nothing accelerated. */
export async function startMetered({ build = `tests/${BUILT}`, realTime = false } = {}) {
  const { runtime, direct } = await startMiniflare({
    name: NAME,
    onLog: ({ level, message }) => level === 'error' && console.error(message),
    bindings: { REAL_TIME: realTime },
    modules: [
      ...METER.map((name) => module('ESModule', path.join(tests, name))),
      moved(module('ESModule', builtFile(build, 'index.js'))),
      moved(module('CompiledWasm', builtFile(build, 'index_bg.wasm'))),
    ],
    modulesRoot: tests,
  });
  return new Metered(runtime, direct);
}

/** A module of the Worker, where the meter expects it. */
const moved = (module) => ({ ...module, path: path.join(tests, BUILT, path.basename(module.path)) });

class Metered {
  #runtime;

  constructor(runtime, { origin, hostname, port }) {
    this.#runtime = runtime;
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
