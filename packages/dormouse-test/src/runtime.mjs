// A Worker on the real runtime, with what the harness does to it from outside: it kills the
// runtime and starts it again on the same rows and the same port, and has the Worker beside it
// put objects to sleep, abort them, or move their time.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { atExit } from './at-exit.mjs';
import { Logs } from './logs.mjs';
import { layOut, writeSettings } from './modules.mjs';
import { within } from './wait.mjs';

// workerd waits for timers and answers that are under way.
const LONGEST_EVICTION = 60_000;

export class Runtime {
  logs = new Logs();
  #engine;
  #options;
  #isMetered;
  #clock;
  #directory;
  #running;
  /** What the meter has counted, and what time it was, when the runtime was killed. */
  #kept;
  #port;
  #onLine;
  #tidy = () => rmSync(this.#directory, { recursive: true, force: true });
  #forget;

  /**
   * `engine` starts the runtime: one of `workerd.mjs` and `miniflare.mjs`, with `options` of
   * its own. `worker` is described at `layOut`, `clock` at `writeSettings`. `parent`: where the
   * files of the runtime are meanwhile. `onError` is given what is logged as an error.
   */
  constructor(engine, worker, { clock, parent = os.tmpdir(), port = 0, onError, ...options } = {}) {
    this.#engine = engine;
    this.#port = port;
    this.#isMetered = Boolean(worker.meter);
    this.#clock = clock;
    this.#onLine = (line, level) => {
      this.logs.write(line);
      if (level === 'error') onError?.(line);
    };
    this.#directory = mkdtempSync(path.join(parent, 'dormouse-test-'));
    this.#forget = atExit(this.#tidy);
    mkdirSync(path.join(this.#directory, 'storage'));
    this.#options = { ...options, className: worker.className, modules: layOut(this.#directory, worker) };
  }

  get url() {
    return `http://${this.host}:${this.port}`;
  }

  get wsUrl() {
    return `ws://${this.host}:${this.port}`;
  }

  get host() {
    return '127.0.0.1';
  }

  get port() {
    return this.#port;
  }

  /** Where assets are served before the Worker, if the engine does that. */
  get entryUrl() {
    return this.#running?.entry ?? this.url;
  }

  /** Miniflare, where that is the engine: it has the Worker's bindings and triggers. */
  get miniflare() {
    return this.#running?.miniflare;
  }

  /** Of workerd, where the engine says it. */
  get pid() {
    return this.#running?.pid;
  }

  /**
   * Starts the runtime on the same port, with the same rows. `globals`: what is on
   * `globalThis` before the Worker is loaded.
   */
  async restart(globals = {}) {
    writeSettings(this.#directory, { ...this.#clock, ...this.#kept, globals });
    const running = await this.#engine(this.#directory, { ...this.#options, port: this.#port }, this.#onLine);
    this.#running = running;
    this.#port = Number(new URL(running.url).port);
  }

  /** Kills the runtime, as a machine that fails does: no code of the Worker runs any more. */
  async kill() {
    if (this.#isMetered && this.#running) this.#kept = await this.watch('keep');
    await this.#end();
  }

  async #end() {
    const running = this.#running;
    this.#running = undefined;
    await running?.end();
  }

  async stop() {
    await this.#end();
    this.#forget();
    this.#tidy();
  }

  /** Has something done to an object, of this `id` or of this `name`. */
  async control(what, of) {
    if (!this.#running) throw new Error(`${what}: the runtime is not running`);
    const options = { method: 'POST', body: JSON.stringify({ what, ...of }) };
    const asked = fetch(`${this.#running.control}/`, options);
    const answer = await within(asked, `answer to ${what}`, LONGEST_EVICTION);
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${what}: ${text}`);
    return JSON.parse(text);
  }

  /** Asks what is around the Worker: the meter, or an extension. */
  watch(method, ...args) {
    return this.control('watch', { method, args });
  }
}

/** Starts a Worker, with what `Runtime` takes. */
export async function startRuntime(engine, worker, options, Kind = Runtime) {
  const runtime = new Kind(engine, worker, options);
  try {
    await runtime.restart();
    return runtime;
  } catch (error) {
    await runtime.stop();
    throw error;
  }
}
