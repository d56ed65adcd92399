// A started Worker, as tests see it.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DESCRIPTION, FOLDER, MODULES } from './build.mjs';
import { connect } from './client.mjs';
import { Clock } from './clock.mjs';
import { objectId } from './ids.mjs';
import { Meter } from './meter.mjs';
import { startMiniflare } from './miniflare.mjs';
import { startRuntime } from './runtime.mjs';
import { PATIENCE } from './wait.mjs';

const CLOCKS = ['real', 'manual'];

export async function start({ folder = FOLDER, port = 0, clock = 'real', variables = {}, quiet = false } = {}) {
  if (!CLOCKS.includes(clock)) throw new TypeError(`the clock is “real” or “manual”, and not “${clock}”`);
  const described = path.resolve(folder, DESCRIPTION);
  // It is empty as long as a build is under way, or if it has failed.
  const text = existsSync(described) ? readFileSync(described, 'utf8') : '';
  if (text === '') throw new Error(`there is no build in ${path.dirname(described)}: \`dormouse-test build\` makes it`);
  const { className, files, worker } = JSON.parse(text);
  const manual = clock === 'manual';
  const modules = { folder: path.resolve(folder, MODULES), files, className, meter: true };
  const runtime = await startRuntime(startMiniflare, modules, {
    clock: { manual, start: Date.now() },
    port,
    onError: quiet ? undefined : console.error,
    worker: { ...worker, bindings: { ...worker.bindings, ...variables } },
  });
  return new Worker(runtime, manual);
}

class Worker {
  #runtime;
  #clients = new Set();

  constructor(runtime, manual) {
    this.#runtime = runtime;
    this.meter = new Meter(runtime, manual);
    if (manual) this.clock = new Clock(runtime, this.meter);
  }

  get url() {
    return this.#runtime.url;
  }

  get entryUrl() {
    return this.#runtime.entryUrl;
  }

  get logs() {
    return this.#runtime.logs;
  }

  async connect(io, { namespace = '/', ...options } = {}) {
    const connecting = connect(io, `${this.url}${namespace}`, options);
    const client = await (this.clock ? this.clock.during(connecting) : connecting);
    this.#clients.add(client);
    return client;
  }

  async sleep(of) {
    await this.#rest(of);
    return this.#each('evict', of, { webSockets: 'hibernate' });
  }

  async closeWebSockets(of) {
    // Only an object that is awake can lose them.
    await this.#each('wake', of);
    return this.#each('evict', of, { webSockets: 'close' });
  }

  async abort(of) {
    return this.#each('abort', of);
  }

  /** Does something to one object, or to all. Resolves to how many of them it was done to. */
  async #each(what, of, more) {
    const ids = of === undefined ? await this.#runtime.watch('known') : [objectId(of)];
    let done = 0;
    for (const id of ids) {
      if (!(await this.#runtime.control(what, { id, ...more }))) continue;
      if (what !== 'wake') await this.#runtime.watch('asleep', id);
      done += 1;
    }
    return done;
  }

  /** Waits until nothing keeps the objects awake. */
  async #rest(of) {
    const id = of === undefined ? undefined : objectId(of);
    const busy = (objects) => objects.filter((object) => (id === undefined || object.id === id) && object.isBusy);
    const rest = async (objects) => {
      const timers = busy(objects).map(({ timer }) => timer ?? Infinity);
      if (this.clock && timers.some(Number.isFinite)) await this.clock.advanceTo(Math.min(...timers));
      return timers.length === 0;
    };
    const objects = await this.meter.until(rest, PATIENCE);
    const [first] = busy(objects);
    if (first) throw new Error(`an object cannot sleep: it has ${holds(first)}`);
  }

  kill() {
    return this.#runtime.kill();
  }

  restart() {
    return this.#runtime.restart();
  }

  async stop() {
    for (const client of this.#clients) client.close();
    await this.#runtime.stop();
  }
}

/** What keeps an object awake. */
function holds({ requests, timers, storage, fetching }) {
  const all = { 'unanswered requests': requests, timers, 'calls to its storage': storage, 'requests of its own': fetching };
  const some = Object.entries(all).filter(([, count]) => count > 0);
  return some.map(([what, count]) => `${what} (${count})`).join(', ');
}
